package dtmclient_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// Every way in for DTM's API with every way in for CSC, each chosen by itself.
func TestEveryAuthenticatorOpensItsHalfOfTheService(t *testing.T) {
	sim := dtmtest.Start(t, func(o *dtmsim.Options) { o.CSCAllowAPIKey = true })
	signer := sim.Signer("cp-p256", "seal")
	mtls, secure := sim.MTLS()
	key, secret := dtmclient.Secret(sim.APIKey), dtmclient.Secret(sim.ClientSecret)
	password := dtmclient.Secret(sim.Options().Password)
	apis := map[string]func(*dtmclient.Config){
		"api key": func(c *dtmclient.Config) { c.APIKey = key },
		"mtls":    func(c *dtmclient.Config) { c.API, c.BaseURL = dtmclient.ClientCertificate(), mtls+"/documentmanager" },
	}
	cscs := map[string]func(*dtmclient.Config){
		"client credentials": func(c *dtmclient.Config) { c.CSC = dtmclient.ClientCredentials(sim.ClientID, secret) },
		"client in the config": func(c *dtmclient.Config) {
			c.ClientID, c.ClientSecret = sim.ClientID, secret
		},
		"refresh token": func(c *dtmclient.Config) {
			c.CSC = dtmclient.RefreshToken(sim.ClientID, secret, refreshOf(t, sim, signer.UserName), nil)
		},
		"digest": func(c *dtmclient.Config) { c.CSC = dtmclient.LoginDigest(signer.UserName, password) },
		"basic":  func(c *dtmclient.Config) { c.CSC = dtmclient.LoginBasic(signer.UserName, password) },
		"mtls": func(c *dtmclient.Config) {
			c.CSC, c.CSCBaseURL = dtmclient.ClientCertificate(), mtls+"/documentmanager"
		},
		"api key": func(c *dtmclient.Config) { c.CSC = dtmclient.APIKey(key) },
	}
	for an, api := range apis {
		for cn, csc := range cscs {
			t.Run(an+" and "+cn, func(t *testing.T) {
				cfg := dtmclient.Config{BaseURL: sim.BaseURL + "/documentmanager", AccountURL: sim.BaseURL + "/account", HTTP: secure}
				api(&cfg)
				csc(&cfg)
				if an == "mtls" {
					cfg.AccountURL = mtls + "/account"
				}
				if cfg.CSCBaseURL == "" {
					cfg.CSCBaseURL = sim.BaseURL + "/documentmanager"
				}
				cl, err := dtmclient.New(cfg)
				require.NoError(t, err)
				defer cl.Close()
				_, err = cl.Roles(t.Context())
				require.NoError(t, err)
				cred, err := cl.Credential(t.Context(), "seal")
				require.NoError(t, err)
				require.Equal(t, "ACTIVE", cred.Status)
				_, err = cl.CredentialInfo(t.Context(), "seal")
				require.NoError(t, err)
				sad, err := cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "seal", Hashes: [][]byte{digest()}})
				require.NoError(t, err)
				_, err = cl.SignHash(t.Context(), dtmclient.HashesToSign{CredentialID: "seal", SAD: sad.Value, Hashes: [][]byte{digest()}, Hash: crypto.SHA256, SignAlgo: "1.2.840.10045.4.3.2"})
				require.NoError(t, err)
			})
		}
	}
}

func TestABearerTokenOpensTheAPIToo(t *testing.T) {
	s, cl := oauth(t, "/oauth2", func(c *dtmclient.Config) {
		c.API = dtmclient.ClientCredentials("portal", "hush-hush")
	})
	_, err := cl.Seats(t.Context())
	require.Error(t, err, "the server of this test lists no seats")
	require.EqualValues(t, 1, s.signed.Load(), "but it took the token")
}

// refreshOf lets a person agree once, and is the refresh token that comes of it.
func refreshOf(t *testing.T, sim *dtmtest.Sim, who string) dtmclient.Secret {
	t.Helper()
	cl, err := dtmclient.New(dtmclient.Config{BaseURL: sim.BaseURL + "/documentmanager", APIKey: "unused"})
	require.NoError(t, err)
	defer cl.Close()
	tokens := agreed(t, sim, cl, dtmclient.CodeRequest{ClientID: sim.ClientID, RedirectURI: "http://127.0.0.1:9/back", State: "s", Lang: "en"}, who)
	require.NotEmpty(t, tokens.Refresh)
	require.False(t, tokens.SAD)
	return tokens.Refresh
}

func agreed(t *testing.T, sim *dtmtest.Sim, cl *dtmclient.Client, q dtmclient.CodeRequest, who string) dtmclient.Tokens {
	t.Helper()
	var err error
	q.Verifier, err = cl.NewVerifier()
	require.NoError(t, err)
	address, err := cl.CodeURL(t.Context(), q)
	require.NoError(t, err)
	back, err := sim.Consent(address, who, true)
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	require.Equal(t, q.State, u.Query().Get("state"))
	require.NotEmpty(t, u.Query().Get("code"), back)
	tokens, err := cl.ExchangeCode(t.Context(), q, dtmclient.Secret(sim.ClientSecret), dtmclient.Secret(u.Query().Get("code")))
	require.NoError(t, err)
	if q.CredentialID != "" { // a code for scope service that comes twice would end what it gave
		_, err = cl.ExchangeCode(t.Context(), q, dtmclient.Secret(sim.ClientSecret), dtmclient.Secret(u.Query().Get("code")))
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "invalid_grant", e.Code, "a code is good once")
		require.NotContains(t, err.Error(), u.Query().Get("code"))
	}
	return tokens
}

func TestTheTokenOfACredentialsConsentIsTheSAD(t *testing.T) {
	sim, cl := onSim(t)
	sim.Signer("cp-oauth2code", "ada")
	info, err := cl.CredentialInfo(t.Context(), "ada")
	require.NoError(t, err)
	require.Equal(t, "oauth2code", info.AuthMode)
	d := sha256.Sum256([]byte("a document"))
	q := dtmclient.CodeRequest{ClientID: sim.ClientID, RedirectURI: "http://127.0.0.1:9/back", State: "s", CredentialID: "ada", Hashes: [][]byte{d[:]}, Description: strings.Repeat("ü", 600)}
	tokens := agreed(t, sim, cl, q, "")
	require.True(t, tokens.SAD)
	values, err := cl.SignHash(t.Context(), dtmclient.HashesToSign{CredentialID: "ada", SAD: tokens.Access, Hashes: q.Hashes, Hash: crypto.SHA256, SignAlgo: info.KeyAlgo[0]})
	require.NoError(t, err)
	require.NoError(t, rsa.VerifyPKCS1v15(info.Certificates[0].PublicKey.(*rsa.PublicKey), crypto.SHA256, d[:], values[0]))

	_, err = cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "ada", Hashes: q.Hashes})
	require.Error(t, err, "credentials/authorize is not the way for this mode")
}

func TestAPageIsNotAskedForWithoutStateOrVerifier(t *testing.T) {
	_, cl := onSim(t)
	for _, q := range []dtmclient.CodeRequest{{Verifier: "v"}, {State: "s"}, {State: strings.Repeat("s", 256), Verifier: "v"}, {State: "s", Verifier: "v", CredentialID: "ada"}} {
		_, err := cl.CodeURL(t.Context(), q)
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, dtmclient.Invalid, e.Kind)
	}
}

func TestARefreshTokenThatChangesIsHandedOn(t *testing.T) {
	sim := dtmtest.Start(t, func(o *dtmsim.Options) { o.RotateRefresh = true })
	signer := sim.Signer("cp-p256", "ada")
	first := refreshOf(t, sim, signer.UserName)
	var kept dtmclient.Secret
	now := time.Now()
	cl := client(t, sim.BaseURL, func(c *dtmclient.Config) {
		c.Now = func() time.Time { return now }
		c.Timeouts.Call = 5 * time.Second
		c.CSC = dtmclient.RefreshToken(sim.ClientID, dtmclient.Secret(sim.ClientSecret), first, func(s dtmclient.Secret) { kept = s })
	})
	for range 3 {
		_, err := cl.CredentialsList(t.Context(), "")
		require.NoError(t, err)
		require.NotEqual(t, first, kept)
		first = kept
		now = now.Add(2 * time.Hour)
	}
	require.NoError(t, cl.Revoke(t.Context(), sim.ClientID, dtmclient.Secret(sim.ClientSecret), kept))
	_, err := cl.CredentialsList(t.Context(), "")
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.Unauthorized, e.Kind, "the person has taken it back")
	require.NotContains(t, err.Error(), string(kept))
}

// One client speaks for many: each call carries the token of whom it is for.
func TestAClientForSomebodyCarriesTheirTokenOnly(t *testing.T) {
	sim := dtmtest.Start(t)
	base := client(t, sim.BaseURL, func(c *dtmclient.Config) {
		c.Timeouts.Call = 5 * time.Second
		c.CSC, c.UserID = dtmclient.ClientCredentials(sim.ClientID, dtmclient.Secret(sim.ClientSecret)), "somebody"
	})
	users := map[string]string{}
	clients := map[string]*dtmclient.Client{}
	got := map[string]*atomic.Int32{}
	for _, name := range []string{"ada", "ben", "cleo"} {
		signer := sim.Signer("cp-p256", name)
		refresh := refreshOf(t, sim, signer.UserName)
		users[name], got[name] = signer.UserID, new(atomic.Int32)
		clients[name] = base.For(dtmclient.Held(func(ctx context.Context, c *dtmclient.Client) (dtmclient.Tokens, error) {
			got[name].Add(1)
			return c.Refresh(ctx, sim.ClientID, dtmclient.Secret(sim.ClientSecret), refresh)
		}))
	}
	before := len(sim.Calls())
	var all sync.WaitGroup
	for name, cl := range clients {
		for range 10 {
			all.Go(func() {
				mine, err := cl.CredentialsList(t.Context(), "")
				require.NoError(t, err)
				require.Equal(t, []string{name}, mine)
				_, err = cl.CredentialInfo(t.Context(), name)
				require.NoError(t, err)
			})
		}
		all.Go(func() {
			for other := range users {
				if other == name {
					continue
				}
				_, err := cl.CredentialInfo(t.Context(), other)
				var e *dtmclient.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, "Invalid parameter credentialID", e.Message)
			}
		})
	}
	all.Wait()
	of := map[string]int{}
	for _, c := range sim.Calls()[before:] {
		if strings.HasPrefix(c.Path, "/documentmanager/csc/v1/credentials/") {
			of[c.User]++
		}
	}
	for name, user := range users {
		require.Equal(t, 22, of[user], name)
		require.EqualValues(t, 1, got[name].Load(), "one fetch, whoever waits")
	}
	require.Len(t, of, 3)
	_, err := base.CredentialsList(t.Context(), users["ada"])
	require.NoError(t, err, "and the client itself is as it was")
	require.Empty(t, sim.Calls()[len(sim.Calls())-1].User)
}

func TestASealInBatchesNeedsOneAuthorization(t *testing.T) {
	sim, cl := onSim(t)
	sim.Signer("cp-seal", "seal")
	var batches [][][]byte
	for _, name := range []string{"1", "2", "3"} {
		a, b := sha256.Sum256([]byte(name+"a")), sha256.Sum256([]byte(name+"b"))
		batches = append(batches, [][]byte{a[:], b[:]})
	}
	sad, err := cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "seal", Hashes: batches[0], Signatures: 6})
	require.NoError(t, err)
	for i, batch := range batches {
		if i > 0 {
			sad, err = cl.ExtendTransaction(t.Context(), "seal", sad.Value, batch)
			require.NoError(t, err)
		}
		values, err := cl.SignHash(t.Context(), dtmclient.HashesToSign{CredentialID: "seal", SAD: sad.Value, Hashes: batch, Hash: crypto.SHA256, SignAlgo: "1.2.840.113549.1.1.11"})
		require.NoError(t, err)
		require.Len(t, values, 2)
	}
	require.Equal(t, 1, sim.Count(dtmsim.LedgerSADIssued, "seal"))
	_, err = cl.ExtendTransaction(t.Context(), "seal", sad.Value, batches[0])
	require.Error(t, err, "all six are made")
}

func TestAWrongPasswordIsOurOwnFaultAndStaysSecret(t *testing.T) {
	sim := dtmtest.Start(t)
	signer := sim.Signer("cp-p256", "ada")
	for _, a := range []dtmclient.Authenticator{dtmclient.LoginDigest(signer.UserName, "hush-wrong"), dtmclient.LoginBasic(signer.UserName, "hush-wrong")} {
		cl := client(t, sim.BaseURL, func(c *dtmclient.Config) { c.CSC = a; c.Timeouts.Call = 5 * time.Second })
		err := calls["sign"](t.Context(), cl)
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, dtmclient.Unauthorized, e.Kind)
		require.False(t, e.MayHaveHappened())
		require.NotContains(t, err.Error(), "hush-wrong")
	}
}

// digestServer offers challenges and tells what it was answered.
func digestServer(t *testing.T, challenges ...string) (*dtmclient.Client, *atomic.Value, *atomic.Int32) {
	t.Helper()
	var got atomic.Value
	var asked atomic.Int32
	got.Store("")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/auth/login") {
			_, _ = io.WriteString(w, `{"credentialIDs":[]}`)
			return
		}
		asked.Add(1)
		if h := r.Header.Get("Authorization"); h != "" {
			got.Store(h)
			if !strings.Contains(h, "old") {
				_, _ = io.WriteString(w, `{"access_token":"t"}`)
				return
			}
		}
		for _, c := range challenges {
			w.Header().Add("WWW-Authenticate", c)
		}
		w.WriteHeader(401)
	}))
	t.Cleanup(s.Close)
	return client(t, s.URL, func(c *dtmclient.Config) { c.CSC = dtmclient.LoginDigest("Mufasa", "Circle of Life") }), &got, &asked
}

// The two examples of RFC 7616, 3.9.1, come out as printed there but for cnonce and address,
// which are ours; what else is said of each answer is in the table.
func TestTheStrongestChallengeIsAnswered(t *testing.T) {
	const realm = `realm="http-auth@example.org"`
	for name, c := range map[string]struct {
		challenges []string
		holds      []string
		lacks      []string
	}{
		"SHA-256 before MD5": {[]string{"Digest " + realm + `, qop="auth, auth-int", algorithm=MD5, nonce="n", opaque="o"`, "Digest " + realm + `, qop="auth, auth-int", algorithm=SHA-256, nonce="n", opaque="o"`},
			[]string{`username="Mufasa"`, realm, `uri="/documentmanager/csc/v1/auth/login"`, "algorithm=SHA-256", `nonce="n"`, "nc=00000001", "qop=auth,", `opaque="o"`}, nil},
		"SHA-512-256 before both, in one line": {[]string{"Basic " + realm + ", Digest " + realm + `, algorithm=MD5, qop="auth", nonce="n", Digest ` + realm + `, qop="auth", algorithm=SHA-512-256, nonce="m", Negotiate`},
			[]string{"algorithm=SHA-512-256", `nonce="m"`}, nil},
		"MD5 where nothing is said": {[]string{"digest " + realm + `, nonce="n", qop=auth`}, []string{`nonce="n"`, "qop=auth"}, []string{"algorithm", "opaque"}},
		"RFC 2069 without qop":      {[]string{"Digest " + realm + `, nonce="n"`}, []string{`response="`}, []string{"qop", "cnonce", "nc="}},
		"quotes within quotes":      {[]string{`Digest realm="a \"b\", c=d", nonce="n\\", qop="auth"`}, []string{`realm="a \"b\", c=d"`, `nonce="n\\"`}, nil},
		"a stronger one nobody can answer": {[]string{"Digest " + realm + `, nonce="n", qop="auth", algorithm=SHA-3`, "Digest " + realm + `, nonce="m", qop="auth-int", algorithm=SHA-256`, "Digest " + realm + `, nonce="k", qop="auth", algorithm=MD5`},
			[]string{`nonce="k"`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cl, got, asked := digestServer(t, c.challenges...)
			_, err := cl.CredentialsList(t.Context(), "u")
			require.NoError(t, err)
			answer := got.Load().(string)
			for _, part := range c.holds {
				require.Contains(t, answer, part)
			}
			for _, part := range c.lacks {
				require.NotContains(t, answer, part)
			}
			require.NotContains(t, answer, "Circle")
			require.EqualValues(t, 2, asked.Load())
		})
	}
}

func TestAChallengeThatCannotBeAnsweredIsOurOwnFault(t *testing.T) {
	for name, challenges := range map[string][]string{
		"none":           nil,
		"Basic only":     {`Basic realm="x"`},
		"no nonce":       {`Digest realm="x", qop="auth"`},
		"auth-int only":  {`Digest realm="x", nonce="n", qop="auth-int"`},
		"garbage":        {`="x",,,`, `nonce="n"`},
		"a sess variant": {`Digest realm="x", nonce="n", qop="auth", algorithm=MD5-sess`},
	} {
		cl, got, asked := digestServer(t, challenges...)
		_, err := cl.CredentialsList(t.Context(), "u")
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, dtmclient.Unauthorized, e.Kind, name)
		require.Empty(t, got.Load(), name)
		require.EqualValues(t, 1, asked.Load(), name)
	}
}

func TestAStaleNonceIsAnsweredOnceMore(t *testing.T) {
	for name, c := range map[string]struct {
		stale string
		asked int32
	}{"stale": {", stale=true", 3}, "refused": {"", 2}} {
		cl, _, asked := digestServer(t, `Digest realm="x", nonce="old", qop="auth"`+c.stale)
		_, err := cl.CredentialsList(t.Context(), "u")
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, dtmclient.Unauthorized, e.Kind, name)
		require.Equal(t, c.asked, asked.Load(), name)
	}
}

func TestRegionsAreThoseThatArePublic(t *testing.T) {
	require.Equal(t, []string{"ch", "ch-demo", "jp", "jp-demo", "nl", "nl-demo", "us", "us-demo"}, dtmclient.Regions())
	for name, want := range map[string]string{"us": "https://clientauth.one.digicert.com", "us-demo": "https://clientauth.demo.one.digicert.com", "ch": "https://clientauth.one.ch.digicert.com", "jp": "https://clientauth.one.digicert.co.jp"} {
		got, err := dtmclient.ClientAuthURL(dtmclient.Region(name))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Empty(t, dtmclient.Region("mars"))
	_, err := dtmclient.ClientAuthURL("nowhere")
	require.Error(t, err)
}

func TestWithoutAClientCertificateTheListenerTakesNobody(t *testing.T) {
	sim := dtmtest.Start(t)
	mtls, _ := sim.MTLS()
	bare := &http.Client{Transport: &http.Transport{TLSClientConfig: sim.ClientTrust()}}
	_, err := bare.Get(mtls + "/documentmanager/csc/v1/info")
	require.ErrorContains(t, err, "certificate required")

	// Nor is a header that claims one of any use on the plain listener.
	cl := client(t, sim.BaseURL, func(c *dtmclient.Config) {
		c.API, c.CSC = dtmclient.ClientCertificate(), dtmclient.ClientCertificate()
		c.Timeouts.Call = 5 * time.Second
	})
	_, err = cl.Roles(t.Context())
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.Unauthorized, e.Kind)
	_, err = cl.CredentialsList(t.Context(), "u")
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.Unauthorized, e.Kind)
}
