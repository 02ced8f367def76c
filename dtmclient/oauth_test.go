package dtmclient_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
)

// oauthServer issues numbered tokens, takes only the newest, and counts.
type oauthServer struct {
	tokens, refused, signed atomic.Int32
	oauth2                  string // what info says; the server's address is put before it
	url                     string
}

func (s *oauthServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/csc/v1/info"):
		_, _ = io.WriteString(w, `{"specs":"1.0.4.0","oauth2":"`+s.url+s.oauth2+`"}`)
	case strings.HasSuffix(r.URL.Path, "/oauth2/token"):
		if r.FormValue("client_secret") != "hush-hush" || r.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"error":"invalid_request","error_description":"bad secret hush-hush"}`)
			return
		}
		n := s.tokens.Add(1)
		time.Sleep(20 * time.Millisecond) // long enough for the others to find it missing too
		_, _ = io.WriteString(w, `{"access_token":"t`+strconv.Itoa(int(n))+`","token_type":"Bearer","expires_in":3600}`)
	case r.Header.Get("Authorization") != "Bearer t"+strconv.Itoa(int(s.tokens.Load())):
		s.refused.Add(1)
		w.WriteHeader(401)
		_, _ = io.WriteString(w, `{"error":"expired_token"}`)
	default:
		s.signed.Add(1)
		_, _ = io.WriteString(w, `{"credentialIDs":["n"]}`)
	}
}

func oauth(t *testing.T, oauth2 string, change ...func(*dtmclient.Config)) (*oauthServer, *dtmclient.Client) {
	t.Helper()
	s := &oauthServer{oauth2: oauth2}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.url = h.URL
	change = append([]func(*dtmclient.Config){func(c *dtmclient.Config) {
		c.ClientID, c.ClientSecret = "portal", "hush-hush"
		c.Timeouts.Call = 5 * time.Second
	}}, change...)
	return s, client(t, h.URL, change...)
}

func TestTheTokenAddressIsFoundInEveryFormOfInfo(t *testing.T) {
	for _, form := range []string{"/oauth2", "/oauth2/", "/oauth2/authorize", "", "/documentmanager/csc/v1/oauth2/authorize"} {
		_, cl := oauth(t, form)
		ids, err := cl.CredentialsList(t.Context(), "u")
		require.NoError(t, err, form)
		require.Equal(t, []string{"n"}, ids)
	}
}

func TestTwentyCallersGetOneToken(t *testing.T) {
	s, cl := oauth(t, "/oauth2")
	run := func() {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := cl.CredentialsList(t.Context(), "u")
				require.NoError(t, err)
			})
		}
		wg.Wait()
	}
	run()
	require.EqualValues(t, 1, s.tokens.Load())
	// All twenty now carry a token the server has forgotten.
	s.tokens.Store(10)
	run()
	require.EqualValues(t, 11, s.tokens.Load(), "one refresh for twenty refusals")
}

func TestARefusedCallIsRepeatedOnlyWhenItChangesNothing(t *testing.T) {
	s, cl := oauth(t, "/oauth2")
	_, err := cl.CredentialsList(t.Context(), "u")
	require.NoError(t, err)

	s.tokens.Store(10) // t1 is dead now
	err = cl.SendOTP(t.Context(), "n", "")
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.Unauthorized, e.Kind)
	require.EqualValues(t, 1, s.refused.Load(), "not sent again")

	require.NoError(t, cl.SendOTP(t.Context(), "n", ""), "the next call has a new token")
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	s, cl := oauth(t, "/oauth2", func(c *dtmclient.Config) { c.Now = func() time.Time { return now } })
	for _, step := range []struct {
		after time.Duration
		want  int32
	}{{0, 1}, {58 * time.Minute, 1}, {90 * time.Second, 2}} {
		now = now.Add(step.after)
		_, err := cl.CredentialsList(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, step.want, s.tokens.Load())
	}
}

func TestAWrongClientSecretIsOurOwnFaultAndStaysSecret(t *testing.T) {
	s, cl := oauth(t, "/oauth2", func(c *dtmclient.Config) { c.ClientSecret = "hush-wrong" })
	err := calls["sign"](t.Context(), cl)
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.Unauthorized, e.Kind)
	require.False(t, e.MayHaveHappened())
	require.NotContains(t, err.Error(), "hush-wrong")
	require.Zero(t, s.signed.Load())
}
