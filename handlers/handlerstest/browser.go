package handlerstest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/people"
)

// Browser keeps cookies and says where its requests come from, as browsers do. It does
// not follow redirects by itself.
type Browser struct {
	*http.Client
	Site    *Site
	Subject string // who is signed in; empty: nobody
}

// Answer is a response that was read whole.
type Answer struct {
	*http.Response
	Body string
}

// Browser is a new one, in which nobody is signed in.
func (s *Site) Browser() *Browser {
	s.T.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.T, err)
	transport := s.Server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.RootCAs.AddCert(s.Provider.Certificate())
	transport.ResponseHeaderTimeout = 30 * time.Second
	s.T.Cleanup(transport.CloseIdleConnections)
	return &Browser{Site: s, Client: &http.Client{Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// SignIn is a new browser in which the person has signed in, through the real login.
func (s *Site) SignIn(subject string) *Browser {
	s.T.Helper()
	b := s.Browser()
	b.SignIn(subject)
	return b
}

var hiddenID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// SignIn signs in in this browser and answers the last redirect, back into the site.
func (b *Browser) SignIn(subject string) *Answer {
	t := b.Site.T
	t.Helper()
	page := b.Follow(b.Get("/login"))
	if m := hiddenID.FindStringSubmatch(page.Body); m != nil {
		page = b.Do("POST", b.Site.Provider.URL+"/login", strings.NewReader(url.Values{"id": {m[1]}, "subject": {subject}}.Encode()),
			"Content-Type", "application/x-www-form-urlencoded", "Origin", b.Site.Provider.URL)
	}
	for page.StatusCode/100 == 3 && !strings.HasPrefix(page.Header.Get("Location"), "/") {
		page = b.Get(page.Header.Get("Location"))
	}
	b.Subject = subject
	return page
}

// Do sends one request; path may be a whole address. An unsafe one says that it comes
// from a page of the site unless a header given says otherwise; "" removes a header.
func (b *Browser) Do(method, path string, body io.Reader, headers ...string) *Answer {
	t := b.Site.T
	t.Helper()
	response, err := b.Send(b.Request(method, path, body, headers...))
	require.NoError(t, err)
	return response
}

// Request makes the request of Do.
func (b *Browser) Request(method, path string, body io.Reader, headers ...string) *http.Request {
	b.Site.T.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.Site.URL + path
	}
	r, err := http.NewRequestWithContext(context.Background(), method, path, body)
	require.NoError(b.Site.T, err)
	if method != http.MethodGet && method != http.MethodHead {
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		if headers[i] == "Origin" && headers[i+1] != b.Site.URL {
			r.Header.Del("Sec-Fetch-Site")
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Send sends and reads the whole answer, and holds every answer of the site against
// Flaws. It may be called from any goroutine.
func (b *Browser) Send(r *http.Request) (*Answer, error) {
	response, err := b.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	a := &Answer{response, string(text)}
	if err == nil && strings.HasPrefix(r.URL.String(), b.Site.URL) {
		for _, flaw := range Flaws(a) {
			b.Site.T.Errorf("%s %s answers %d: %s", r.Method, r.URL.Path, a.StatusCode, flaw)
		}
	}
	return a, err
}

// Get asks for a page.
func (b *Browser) Get(path string, headers ...string) *Answer {
	b.Site.T.Helper()
	return b.Do(http.MethodGet, path, nil, headers...)
}

// Post sends a form of name, value, name, value…
func (b *Browser) Post(path string, fields ...string) *Answer {
	b.Site.T.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.Do(http.MethodPost, path, strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

// Follow goes where an answer sends, until it sends no further.
func (b *Browser) Follow(a *Answer) *Answer {
	b.Site.T.Helper()
	for range 10 {
		if a.StatusCode/100 != 3 {
			return a
		}
		to, err := a.Location()
		require.NoError(b.Site.T, err)
		a = b.Get(to.String())
	}
	b.Site.T.Fatal("redirected too often")
	return a
}

// SessionCookie of the site.
func (b *Browser) SessionCookie() *http.Cookie {
	b.Site.T.Helper()
	u, _ := url.Parse(b.Site.URL)
	for _, c := range b.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "__Host-") && strings.HasSuffix(c.Name, "-session") {
			return c
		}
	}
	b.Site.T.Fatal("no session cookie")
	return nil
}

// Person that is signed in, as stored.
func (b *Browser) Person() people.Person {
	b.Site.T.Helper()
	return b.Site.Person(b.Subject)
}

// Person by subject, as stored.
func (s *Site) Person(subject string) people.Person {
	s.T.Helper()
	all, _, err := s.DB.People().List(context.Background(), db.PeopleQuery{})
	require.NoError(s.T, err)
	for _, p := range all {
		if p.Subject == subject {
			return p
		}
	}
	s.T.Fatalf("nobody with subject %q has signed in", subject)
	return people.Person{}
}

// Form makes a multipart form with one file.
func Form(name string, content []byte) (body *bytes.Buffer, contentType string) {
	const boundary = "a-boundary-0123456789"
	body = new(bytes.Buffer)
	body.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" +
		strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(name) + "\"\r\nContent-Type: application/pdf\r\n\r\n")
	body.Write(content)
	body.WriteString("\r\n--" + boundary + "--\r\n")
	return body, "multipart/form-data; boundary=" + boundary
}
