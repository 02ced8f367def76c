package handlerstest

import (
	"context"
	"html"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

// Consent presses the button that leads to the provider's page, and is that page's address.
func (b *Browser) Consent(ceremony signing.CeremonyID) string {
	t := b.Site.T
	t.Helper()
	a := b.Post("/ceremonies/" + string(ceremony) + "/consent")
	require.Equal(t, http.StatusOK, a.StatusCode, a.Body)
	leads := regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`).FindStringSubmatch(a.Body)
	require.NotNil(t, leads, a.Body)
	require.Equal(t, 2, strings.Count(a.Body, leads[1]), "and a link to the same")
	to := html.UnescapeString(leads[1])
	require.True(t, strings.HasPrefix(to, b.Site.Sim.BaseURL+"/"), to)
	return to
}

// Clicked is where the provider's page sends the person back to.
func (b *Browser) Clicked(address string, allow bool) string {
	t := b.Site.T
	t.Helper()
	back, err := b.Site.Sim.Consent(address, "", allow)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(back, b.Site.URL+"/ceremonies/approved?"), back)
	return back
}

// Done waits until what was begun in the background has come to its end.
func (s *Site) Done() {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.NoError(s.T, s.Signing.Wait(ctx))
}
