package gallery

import (
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"

	"countersign/web/templates"
)

func others() []Entry {
	account := templates.Account{Page: page(&ada, "Your account", "account"), Saved: true, Sessions: []templates.SessionRow{
		{ID: "1", Started: ago(time.Hour), Seen: ago(time.Minute), Ends: in(7 * time.Hour), Agent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0", Address: "192.0.2.17", Current: true},
		{ID: "2", Started: ago(5 * time.Hour), Seen: ago(3 * time.Hour), Ends: in(3 * time.Hour), Agent: "Mozilla/5.0 (iPhone) Safari/605", Address: "198.51.100.4"},
	}}
	demo := page(nil, "Sign in", "")
	demo.Demo, demo.MailURL, demo.PhoneURL = true, "http://localhost:8081/mailbox", "http://localhost:8081/phone"
	out := []Entry{
		entry("landing", "Landing", templates.LandingPage, templates.Landing{Page: page(nil, "Sign in", "")}),
		entry("landing-demo", "Landing of a demonstration", templates.LandingPage, templates.Landing{Page: demo}),
		entry("signed-out", "Signed out", templates.SignedOutPage, templates.SignedOut{Page: page(nil, "You are signed out", ""), AtProvider: true}),
		entry("signed-out-here", "Signed out, here only", templates.SignedOutPage, templates.SignedOut{Page: page(nil, "You are signed out", "")}),
		entry("account", "Account", templates.AccountPage, account),
	}
	for _, c := range []struct{ state, title string }{
		{"none", "Account: DigiCert to be connected"}, {"open", "Account: DigiCert connected"}, {"ended", "Account: DigiCert has ended it"},
	} {
		one := account
		one.Saved = false
		one.Connection = templates.Connection{State: c.state, Since: ago(40 * 24 * time.Hour), Back: "/account"}
		out = append(out, entry("account-digicert-"+c.state, c.title, templates.AccountPage, one))
	}
	leaving := page(&ada, "Disconnect your DigiCert account?", "account")
	leaving.Task, leaving.TaskPath = "Stay connected", "/account"
	out = append(out, entry("disconnect", "Disconnect DigiCert", templates.DisconnectPage, templates.Disconnect{Page: leaving}))
	for _, title := range []string{"Help", "Accessibility", "Privacy"} {
		name := strings.ToLower(title)
		out = append(out, entry(name, "Text: "+name, templates.TextPage, templates.Text{Page: page(&ada, title, ""), Name: name}))
	}
	for _, p := range []templates.Problem{
		{Status: 404, Title: "There is nothing here", Sentence: "The address is wrong, or what was here is gone, or it belongs to somebody else.", WayOn: "Go to the start page", WayPath: "/"},
		{Status: 403, Title: "This page is not for this account", Sentence: "Your account does not have the role this page needs. An admin of your organisation can give it at the login provider.", WayOn: "Go to the start page", WayPath: "/", Account: "ada@example.com"},
		{Status: 500, Title: "Something went wrong here", Sentence: "It is not your fault. What you did before this page is kept. An admin can find the cause with the reference.", Signed: "Nothing was signed.", WayOn: "Go to the start page", WayPath: "/"},
		{Status: 502, Title: "DigiCert did not answer as it should", Sentence: "DigiCert cannot be reached at the moment.", Signed: "Nothing was signed.", WayOn: "Go to the start page", WayPath: "/"},
		{Status: 503, Title: "The database does not answer", Sentence: "Nothing that was stored is lost. Wait a moment, and look whether your last step was taken before you repeat it.", WayOn: "Go to the start page", WayPath: "/"},
		{Status: 507, Title: "There is no room left here", Sentence: "Nothing new can be kept until an admin has made room. What is here can still be read and downloaded.", WayOn: "Go to the start page", WayPath: "/"},
		{Status: 429, Title: "Too many tries", Sentence: "That was very often in a short time.", WayOn: "Go to the start page", WayPath: "/"},
	} {
		p.Reference = "7K2P-40"
		out = append(out, entry(fmt.Sprintf("problem-%d", p.Status), fmt.Sprintf("Problem: %d", p.Status), problemPage, p))
	}
	return out
}

func problemPage(p templates.Problem) templ.Component {
	return templates.ProblemPage(page(&ada, p.Title, ""), p)
}

// samplePDF is a small document of three pages, for the viewer.
func samplePDF() string {
	var b strings.Builder
	var offsets []int
	object := func(format string, args ...any) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), fmt.Sprintf(format, args...))
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Count 3 /Kids [4 0 R 6 0 R 8 0 R] >>")
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>")
	for n := 1; n <= 3; n++ {
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", 2*n+3)
		text := fmt.Sprintf("BT /F1 26 Tf 72 740 Td (Supply agreement 2026) Tj /F1 12 Tf 0 -20 Td (Page %d of 3) Tj", n)
		for range 24 {
			text += " 0 -22 Td (The supplier delivers what was ordered, at the price of the list, within ten days.) Tj"
		}
		text += " ET"
		object("<< /Length %d >>\nstream\n%s\nendstream", len(text), text)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start)
	return b.String()
}
