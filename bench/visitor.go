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
	answer, page, err := v.send(ctx, http.MethodGet, s.url+"/login", nil, -1, "")
	if err != nil {
		return nil, err
	}
	m := hiddenID.FindStringSubmatch(page)
	if m == nil {
		return nil, fmt.Errorf("no form to sign in with at %s", answer.Request.URL)
	}
	form := url.Values{"id": {m[1]}, "subject": {subject}}.Encode()
	answer, _, err = v.send(ctx, http.MethodPost, answer.Request.URL.ResolveReference(&url.URL{Path: "/login"}).String(), strings.NewReader(form), -1, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Request.URL.String(), s.url) {
		return nil, fmt.Errorf("signing in ended at %s with %d", answer.Request.URL, answer.StatusCode)
	}
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return v, s.db.Read.GetContext(ctx, &v.person, s.db.Read.Rebind("SELECT id FROM people WHERE subject = ?"), subject)
}

// send sends one request, as from a page of the site it goes to, and reads the answer whole.
func (v *visitor) send(ctx context.Context, method, address string, body io.Reader, length int64, kind string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, "", err
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
	answer, err := v.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, string(text), err
}

// page asks for a page, which must be there.
func (v *visitor) page(ctx context.Context, path string) error {
	a, text, err := v.send(ctx, http.MethodGet, v.site.url+path, nil, -1, "")
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %.300s", path, a.StatusCode, text)
	}
	return err
}

// post sends a form and answers where it leads.
func (v *visitor) post(ctx context.Context, path string, form url.Values) (to string, err error) {
	a, text, err := v.send(ctx, http.MethodPost, v.site.url+path, strings.NewReader(form.Encode()), -1, "application/x-www-form-urlencoded")
	if err == nil && a.StatusCode != http.StatusSeeOther {
		err = fmt.Errorf("%s answered %d: %.2000s", path, a.StatusCode, text)
	}
	if err != nil {
		return "", err
	}
	return a.Header.Get("Location"), nil
}

// upload stores a file as the script does, and answers the document's id.
func (v *visitor) upload(ctx context.Context, r io.Reader, size int64) (string, error) {
	a, text, err := v.send(ctx, http.MethodPut, v.site.url+"/documents?name=bench.pdf", r, size, "application/pdf")
	if err != nil {
		return "", err
	}
	if a.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("the upload was answered %d: %.500s", a.StatusCode, text)
	}
	return strings.TrimPrefix(a.Header.Get("Location"), "/documents/"), nil
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
