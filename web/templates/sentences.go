package templates

import (
	"context"
	"net/url"
	"strings"

	"countersign/identity"
	"countersign/signing"
)

// stop ends a sentence, where a title stands before more text.
func stop(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".?!") {
		return s
	}
	return s + "."
}

// query adds parameters to a path, leaving out the empty ones.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func documentPath(d signing.DocumentID) string { return "/documents/" + url.PathEscape(string(d)) }
func ceremonyPath(c signing.CeremonyID) string { return "/ceremonies/" + url.PathEscape(string(c)) }
func checkPath(v identity.ValidationID) string {
	return "/identity-checks/" + url.PathEscape(string(v))
}
func casePath(v identity.ValidationID) string { return "/review/" + url.PathEscape(string(v)) }
func credentialPath(c identity.CredentialID) string {
	return "/credentials/" + url.PathEscape(string(c))
}
func pages(ctx context.Context, n int) string {
	return N(ctx, "{{.Count}} page", "{{.Count}} pages", n)
}

// signPath goes on where signing stopped, or begins.
func signPath(r DocumentRow) string {
	if r.Open != "" {
		return ceremonyPath(r.Open)
	}
	return documentPath(r.Document.ID) + "/sign"
}

// rowIndent is the state of a document's line in a list.
func rowIndent(r DocumentRow) string {
	switch {
	case r.Document.State == signing.DocumentReceiving || r.Document.State == signing.DocumentChecking:
		return "draft"
	case r.Document.Signed:
		return "signed"
	}
	return "fixed"
}

// rowNews is what happened last to a document, as one sentence without a full stop.
func rowNews(ctx context.Context, p Page, r DocumentRow) string {
	d, s := r.Document, r.Signature
	switch {
	case s != nil && s.State == signing.SignatureReleased:
		return T(ctx, "Signed {{.When}}", "When", Near(ctx, p, s.ReleasedAt))
	case s != nil && s.State == signing.SignatureOutcomeUnknown:
		return T(ctx, "Not known since {{.When}}", "When", Near(ctx, p, s.Since))
	case s != nil && moving(s.State):
		return T(ctx, "Begun {{.When}}", "When", Near(ctx, p, s.CreatedAt))
	case d.State == signing.DocumentErased:
		return T(ctx, "Erased {{.When}}", "When", Near(ctx, p, d.Since))
	case d.State == signing.DocumentRefused || d.State == signing.DocumentQuarantined:
		return T(ctx, "Not accepted {{.When}}", "When", Near(ctx, p, d.Since))
	case s != nil && !d.Signed:
		return T(ctx, "Nothing was signed {{.When}}", "When", Near(ctx, p, s.Since))
	}
	return T(ctx, "Uploaded {{.When}}", "When", Near(ctx, p, d.CreatedAt))
}

// signedName is the name of the file with its signature.
func signedName(name string) string {
	base, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		base, ext = name[:i], name[i:]
	}
	if strings.HasSuffix(base, "-signed") {
		return name
	}
	return base + "-signed" + ext
}

// reasonText is why an identity check was refused or sent back. DigiCert's own words are
// shown as such; a code of ours that has no sentence is written out.
func reasonText(ctx context.Context, reason string) string {
	if reason == "" {
		return ""
	}
	if text := T(ctx, identity.ReasonText(reason)); text != "" {
		return stop(text)
	}
	return T(ctx, "The reason given: “{{.Reason}}”.", "Reason", reason)
}

// helper is the human to ask.
func helper(ctx context.Context, b Brand) string {
	if b.HelpEmail != "" {
		return b.HelpEmail
	}
	return T(ctx, "an admin of {{.Organization}}", "Organization", organization(ctx, b))
}
