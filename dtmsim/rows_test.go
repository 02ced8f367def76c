package dtmsim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// A row is one line of the specification's tables: what is sent, and what has to come back.
// Its name begins with the section of CSC 1.0.4.0 that the line stands in.
type row struct {
	name   string
	method string // of CSC v1
	in     object
	status int
	code   string
	text   string
}

func (r *rig) rows(t *testing.T, rows []row) {
	t.Helper()
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			status, body := r.csc(c.method, c.in)
			require.Equal(t, object{"error": c.code, "error_description": c.text}, body)
			require.Equal(t, c.status, status)
		})
	}
}

// claim is one line that is not about a refusal.
type claim struct {
	name string
	hold func(*testing.T)
}

func (r *rig) claims(t *testing.T, all []claim) {
	t.Helper()
	defer func(outer testing.TB) { r.t = outer }(r.t)
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			c.hold(t)
		})
	}
}

const inv = "invalid_request"

// form posts a form to an OAuth endpoint; header pairs follow.
func (r *rig) form(path string, v url.Values, header ...string) (int, object) {
	r.t.Helper()
	header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	status, b := r.send("POST", "/account/api/v1/oauth2/"+path, v.Encode(), header...)
	return status, r.json(b)
}

// client are parameters that prove who the client is, and more.
func (r *rig) client(more ...string) url.Values {
	return values(append([]string{"client_id", r.ClientID, "client_secret", r.ClientSecret}, more...)...)
}

// values takes pairs; an empty value takes the name away again.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

func override(v url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for k, all := range v {
		out[k] = all
	}
	for i := 0; i < len(pairs); i += 2 {
		if out.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			out.Del(pairs[i])
		}
	}
	return out
}

const back = "http://127.0.0.1:9/back"

var plainBrowser = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// browse is what a browser gets: a page, or the parameters of the address it is sent to.
func (r *rig) browse(req *http.Request) (status int, page string, to url.Values) {
	r.t.Helper()
	resp, err := plainBrowser.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	if location := resp.Header.Get("Location"); location != "" {
		u, err := url.Parse(location)
		require.NoError(r.t, err)
		require.Equal(r.t, back, strings.TrimSuffix(location, "?"+u.RawQuery))
		to = u.Query()
	}
	return resp.StatusCode, string(b), to
}

func (r *rig) authorizeURL(q url.Values) string {
	return r.BaseURL + "/account/api/v1/oauth2/authorize?" + q.Encode()
}

// ask opens oauth2/authorize.
func (r *rig) ask(q url.Values) (int, string, url.Values) {
	r.t.Helper()
	req, err := http.NewRequest("GET", r.authorizeURL(q), nil)
	require.NoError(r.t, err)
	return r.browse(req)
}

var formAction = regexp.MustCompile(`action="(/oauth2/ask/[^"]+)"`)

// press answers the page with a button.
func (r *rig) press(page, answer, user string) (int, url.Values) {
	r.t.Helper()
	action := formAction.FindStringSubmatch(page)
	require.NotNil(r.t, action, "%s", page)
	req, err := http.NewRequest("POST", r.BaseURL+action[1], strings.NewReader(values("answer", answer, "user", user).Encode()))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", r.BaseURL)
	status, _, to := r.browse(req)
	return status, to
}

// consent clicks Allow, and is the code.
func (r *rig) consent(q url.Values, user string) string {
	r.t.Helper()
	status, page, _ := r.ask(q)
	require.Equal(r.t, 200, status, "%s", page)
	status, to := r.press(page, "allow", user)
	require.Equal(r.t, http.StatusFound, status)
	require.NotEmpty(r.t, to.Get("code"), "%v", to)
	return to.Get("code")
}

// service is a request for the scope service that holds, and credentialScope one for a SAD.
func (r *rig) service(more ...string) url.Values {
	return values(append([]string{"response_type", "code", "client_id", r.ClientID, "redirect_uri", back, "state", "s-1"}, more...)...)
}

func (r *rig) credentialScope(s dtmsim.Signer, hashes [][]byte, more ...string) url.Values {
	list := make([]string, len(hashes))
	for i, h := range hashes {
		list[i] = base64.RawURLEncoding.EncodeToString(h)
	}
	return r.service(append([]string{"scope", "credential", "credentialID", s.Credential, "numSignatures", "1", "hash", strings.Join(list, ",")}, more...)...)
}

func jwt(t *testing.T, alg string, key []byte, claims object) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(object{"alg": alg, "typ": "JWT"}) + "." + part(claims)
	m := hmac.New(sha256.New, key)
	m.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// asUser is a rig whose bearer token is a person's own.
func (r *rig) asUser(s dtmsim.Signer) *rig {
	r.t.Helper()
	status, b := r.send("POST", base+"auth/login", object{}, "Authorization", basic(s.UserName, r.Options().Password))
	require.Equal(r.t, 200, status)
	return &rig{Sim: r.Sim, t: r.t, bearer: r.json(b)["access_token"].(string)}
}

func registered(addresses ...string) dtmtest.Option {
	return func(o *dtmsim.Options) { o.RedirectURIs = addresses }
}
