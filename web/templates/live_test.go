package templates_test

import (
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"

	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
)

// The event stream sends the live part alone, and the page is morphed with it: both must
// be the same, and the part must be one element named "live".
func TestLivePartsAreWhatThePageHolds(t *testing.T) {
	ada := people.Person{ID: "p", Name: "Ada Example", Roles: []people.Role{people.Signer, people.Admin}}
	p := templates.Page{Title: "Here", Person: &ada, Now: time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC), Live: "/somewhere/live", Brand: templates.Brand{Name: "Countersign"}}
	v := identity.Validation{ID: "v", State: identity.ValidationInReview, Since: p.Now}
	c := identity.Credential{ID: "c", State: identity.CredentialActive, Since: p.Now}
	d := signing.Document{ID: "d", Name: "a.pdf", State: signing.DocumentReady, CreatedAt: p.Now, Since: p.Now}

	home := templates.Home{Page: p, Situation: "waiting", Validation: &v}
	check := templates.Check{Page: p, Validation: v, Title: "Here", Steps: []templates.CheckStep{{Step: "now", Name: "One"}}}
	ceremony := templates.Ceremony{Page: p, Step: "code", Row: templates.DocumentRow{Document: d}, Ceremony: signing.Ceremony{ID: "y", Factor: signing.Factor{Mode: "explicit", OTP: "true", OTPType: "online"}}}
	review := templates.Review{Page: p, Filter: "waiting"}
	one := templates.ReviewCase{Page: p, Row: templates.ReviewRow{Validation: v, Person: ada}}
	credential := templates.Credential{Page: p, Row: templates.CredentialRow{Credential: c, Person: ada}}
	credentials := templates.Credentials{Page: p, All: true}
	document := templates.Document{Page: p, Row: templates.DocumentRow{Document: d}, CanSign: true}
	documents := templates.Documents{Page: p}

	for name, pair := range map[string][2]templ.Component{
		"home":        {templates.HomePage(home), templates.HomeLive(home)},
		"check":       {templates.CheckPage(check), templates.CheckLive(check)},
		"ceremony":    {templates.CeremonyPage(ceremony), templates.CeremonyLive(ceremony)},
		"review":      {templates.ReviewPage(review), templates.ReviewLive(review)},
		"case":        {templates.ReviewCasePage(one), templates.ReviewCaseLive(one)},
		"credential":  {templates.CredentialPage(credential), templates.CredentialLive(credential)},
		"credentials": {templates.CredentialsPage(credentials), templates.CredentialsLive(credentials)},
		"document":    {templates.DocumentPage(document), templates.DocumentLive(document)},
		"documents":   {templates.DocumentsPage(documents), templates.DocumentsLive(documents)},
	} {
		page, live := render(t, pair[0]), render(t, pair[1])
		require.Contains(t, page, live, name)
		require.Equal(t, 1, strings.Count(page, `id="live"`), name)
		require.Contains(t, page, `hx-sse:connect="/somewhere/live"`, name)
		require.NotContains(t, live, "hx-sse", "%s: the stream must outlive what it morphs", name)
	}
}

func TestAPageThatCannotChangeOpensNoStream(t *testing.T) {
	require.NotContains(t, render(t, templates.LandingPage(templates.Landing{Page: templates.Page{Title: "Here"}})), "hx-sse:connect")
}
