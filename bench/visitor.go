package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// visitor is a browser of one person who is signed in.
type visitor struct {
	client *http.Client
	site   *site
	person string // id of the row
}

var hiddenID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signIn signs one of the demo people in, through the real login.
func (s *site) signIn(ctx context.Context, subject string) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{site: s, client: &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}}
	a, err := v.send(ctx, http.MethodGet, s.url+"/login", nil, -1, "")
	if err != nil {
		return nil, err
	}
	m := hiddenID.FindStringSubmatch(a.text)
	if m == nil {
		return nil, fmt.Errorf("no form to sign in with at %s", a.from)
	}
	form := url.Values{"id": {m[1]}, "subject": {subject}}.Encode()
	a, err = v.send(ctx, http.MethodPost, a.from.ResolveReference(&url.URL{Path: "/login"}).String(), strings.NewReader(form), -1, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK || !strings.HasPrefix(a.from.String(), s.url) {
		return nil, fmt.Errorf("signing in ended at %s with %d", a.from, a.status)
	}
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return v, s.db.Read.GetContext(ctx, &v.person, s.db.Read.Rebind("SELECT id FROM people WHERE subject = ?"), subject)
}

// answer is a response that was read whole.
type answer struct {
	status int
	from   *url.URL // after redirects
	to     string   // where the next would lead
	text   string
}

// send sends one request, as from a page of the site it goes to.
func (v *visitor) send(ctx context.Context, method, address string, body io.Reader, length int64, kind string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, err
	}
	if length >= 0 {
		r.ContentLength = length
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if method != http.MethodGet {
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	got, err := v.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Request.URL, got.Header.Get("Location"), string(text)}, err
}

// page asks for a page, which must be there.
func (v *visitor) page(ctx context.Context, path string) error {
	a, err := v.send(ctx, http.MethodGet, v.site.url+path, nil, -1, "")
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %.300s", path, a.status, a.text)
	}
	return err
}

// post sends a form and answers where it leads.
func (v *visitor) post(ctx context.Context, path string, form url.Values) (to string, err error) {
	a, err := v.send(ctx, http.MethodPost, v.site.url+path, strings.NewReader(form.Encode()), -1, "application/x-www-form-urlencoded")
	if err == nil && a.status != http.StatusSeeOther {
		err = fmt.Errorf("%s answered %d: %.2000s", path, a.status, a.text)
	}
	if err != nil {
		return "", err
	}
	return a.to, nil
}

// upload stores a file as the script does, and answers the document's id.
func (v *visitor) upload(ctx context.Context, r io.Reader, size int64) (string, error) {
	a, err := v.send(ctx, http.MethodPut, v.site.url+"/documents?name=bench.pdf", r, size, "application/pdf")
	if err != nil {
		return "", err
	}
	if a.status != http.StatusCreated {
		return "", fmt.Errorf("the upload was answered %d: %.500s", a.status, a.text)
	}
	return strings.TrimPrefix(a.to, "/documents/"), nil
}

// erase removes a document, so that the disk does not fill.
func (v *visitor) erase(ctx context.Context, document string) error {
	_, err := v.post(ctx, "/documents/"+document+"/erase", url.Values{"confirm": {"on"}})
	return err
}

// cookie is what the browser would send, for other tools.
func (v *visitor) cookie() (string, error) {
	u, err := url.Parse(v.site.url)
	if err != nil {
		return "", err
	}
	var all []string
	for _, c := range v.client.Jar.Cookies(u) {
		all = append(all, c.Name+"="+c.Value)
	}
	if len(all) == 0 {
		return "", errors.New("no cookie was given")
	}
	return strings.Join(all, "; "), nil
}
