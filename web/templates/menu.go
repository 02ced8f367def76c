package templates

import (
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"countersign/people"
)

// menuItem is one place in the header.
type menuItem struct {
	Name, Path, Text string
	Count            int
}

// menu lists the places a person may go, at most five. With five the phone drops the
// first, Home, because the brand leads there.
func menu(ctx context.Context, p Page) []menuItem {
	items := []menuItem{{Name: "home", Path: "/", Text: T(ctx, "Home")}}
	admin, signer := p.Person.Has(people.Admin), p.Person.Has(people.Signer)
	if admin {
		items = append(items,
			menuItem{Name: "review", Path: "/review", Text: T(ctx, "Review"), Count: p.Waiting},
			menuItem{Name: "credentials", Path: "/credentials", Text: T(ctx, "Credentials")})
	}
	if signer {
		items = append(items, menuItem{Name: "documents", Path: "/documents", Text: T(ctx, "Documents")})
	}
	if admin || p.Person.Has(people.Auditor) {
		items = append(items, menuItem{Name: "audit", Path: "/audit", Text: T(ctx, "Audit")})
	}
	if len(items) < 5 {
		items = append(items, menuItem{Name: "verify", Path: "/verify", Text: T(ctx, "Verify")})
	}
	return items
}

func loginPath(p Page) string {
	if p.Path == "" || p.Path == "/" {
		return "/login"
	}
	return "/login?return_to=" + url.QueryEscape(p.Path)
}

// initials are the first letters of the first and the last name.
func initials(name string) string {
	parts := strings.Fields(name)
	if len(parts) == 0 {
		return ""
	}
	first, _ := utf8.DecodeRuneInString(parts[0])
	if len(parts) == 1 {
		return strings.ToUpper(string(first))
	}
	last, _ := utf8.DecodeRuneInString(parts[len(parts)-1])
	return strings.ToUpper(string(first) + string(last))
}

func accountName(p *people.Person) string {
	if p.Email != "" {
		return p.Email
	}
	return p.DisplayName()
}

func givenName(p *people.Person) string {
	if p == nil {
		return ""
	}
	if p.GivenName != "" {
		return p.GivenName
	}
	return p.DisplayName()
}

func place(ctx context.Context, b Brand) string {
	if b.Organization == "" || b.Organization == b.Name {
		return b.Name
	}
	return T(ctx, "{{.Brand}} at {{.Organization}}", "Brand", b.Name, "Organization", b.Organization)
}

// organization is whose portal it is, for sentences.
func organization(ctx context.Context, b Brand) string {
	if b.Organization == "" {
		return T(ctx, "your organisation")
	}
	return b.Organization
}
