package reliability

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/dtmsim"
	"countersign/idpsim"
	"countersign/pades/pdf/pdftest"
)

// person is somebody in a browser of their own. They work while the portal dies and do not
// mind; what they were answered goes into the journal.
type person struct {
	w          *world
	client     *http.Client
	subject    string
	email      string
	code       bool   // codes are sent to them; else a PIN is all
	consent    bool   // or they approve at the provider's page
	check      string // their identity check
	credential string
}

// answer is a response that was read whole.
type answer struct {
	status int
	to     string // where it leads
	text   string
	from   *url.URL
}

func (p *person) send(ctx context.Context, method, address, kind string, body io.Reader) (answer, error) {
	if strings.HasPrefix(address, "/") {
		address = p.w.url + address
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if method != http.MethodGet {
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	got, err := p.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header.Get("Location"), string(text), got.Request.URL}, err
}

func (p *person) get(ctx context.Context, path string) (answer, error) {
	return p.send(ctx, http.MethodGet, path, "", nil)
}

func (p *person) post(ctx context.Context, path string, fields ...string) (answer, error) {
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return p.send(ctx, http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

var hiddenID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signIn signs one of the simulator's people in, through the real login.
func (w *world) signIn(subject string) *person {
	t := w.t
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	p := &person{w: w, subject: subject, email: subject + "@example.test", client: &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
	ctx := context.Background()
	a, err := p.get(ctx, "/login")
	require.NoError(t, err)
	m := hiddenID.FindStringSubmatch(a.text)
	require.NotNil(t, m, a.text)
	a, err = p.post(ctx, a.from.ResolveReference(&url.URL{Path: "/login"}).String(), "id", m[1], "subject", subject)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.status)
	require.True(t, strings.HasPrefix(a.from.String(), w.url), a.from)
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return p
}

// everybody are the people of the login: an admin, and more signers than ever come.
func everybody(n int) []idpsim.Person {
	all := []idpsim.Person{{Subject: "admin", GivenName: "Cleo", Roles: []string{"admin"}}}
	for i := range n {
		all = append(all, idpsim.Person{Subject: fmt.Sprint("signer", i), GivenName: fmt.Sprint("Signer", i), Roles: []string{"signer"}})
	}
	for i := range all {
		p := &all[i]
		p.FamilyName, p.Name, p.Email, p.Phone = "Example", p.GivenName+" Example", p.Subject+"@example.test", fmt.Sprintf("+15550100%03d", 100+i)
	}
	return all
}

// settle brings the first signers in, over the site: an identity check, an approval and a
// credential for each. The first signs with a PIN and the others with codes.
func (w *world) settle() {
	w.t.Helper()
	admin := w.signIn("admin")
	for i := range w.signers {
		who := w.signIn(fmt.Sprint("signer", i))
		who.consent = w.consent && i == w.signers-1
		who.code = i > 0 && !who.consent
		w.arrived++
		who.ask()
		w.people = append(w.people, who)
	}
	w.open(func(d *db.DB) {
		for _, p := range w.people {
			p.checkIs(d, "email_sent")
			require.NoError(w.t, w.sim.Proof(p.email, nil))
		}
		for _, p := range w.people {
			p.checkIs(d, "awaiting_approval")
			admin.must("/review/" + p.check + "/approve")
		}
		for _, p := range w.people {
			p.checkIs(d, "approved")
			admin.must("/review/"+p.check+"/issue", "profile", p.profile())
		}
		for _, p := range w.people {
			w.eventually("the credential is active", func() bool {
				var ids []string
				require.NoError(w.t, d.Read.Select(&ids, d.Read.Rebind("SELECT id FROM credentials WHERE validation = ? AND state = 'active'"), p.check))
				if len(ids) == 1 {
					p.credential = ids[0]
				}
				return len(ids) == 1
			})
		}
	})
}

func (p *person) standard() string {
	if p.code {
		return "basic"
	}
	return "advanced_plus"
}

func (p *person) profile() string {
	if p.code {
		return "cp-basic-single"
	}
	if p.consent {
		return "cp-oauth2code"
	}
	return "cp-advanced-p256"
}

// must posts a form that has to be taken, and answers where it leads.
func (p *person) must(path string, fields ...string) string {
	p.w.t.Helper()
	a, err := p.post(context.Background(), path, fields...)
	require.NoError(p.w.t, err)
	require.Equal(p.w.t, http.StatusSeeOther, a.status, a.text)
	return a.to
}

// ask begins an identity check.
func (p *person) ask() {
	p.w.t.Helper()
	p.check = strings.TrimPrefix(p.must("/identity-checks", "standard", p.standard(), "consent", "on"), "/identity-checks/")
}

func (p *person) checkIs(d *db.DB, want string) {
	p.w.t.Helper()
	p.w.eventually("the identity check is "+want, func() bool {
		var is string
		require.NoError(p.w.t, d.Read.Get(&is, d.Read.Rebind("SELECT state FROM validations WHERE id = ?"), p.check))
		return is == want
	})
}

// rests tells whether no code can be sent yet: DTM sends one in half a minute.
func (p *person) rests() bool {
	if !p.code {
		return false
	}
	ledger := p.w.sim.Ledger()
	for i := len(ledger) - 1; i >= 0; i-- {
		if e := ledger[i]; e.Kind == dtmsim.LedgerOTPSent && e.Credential == "cs-"+p.check+"-1" {
			return time.Since(e.At) < 32*time.Second // its times are whole seconds
		}
	}
	return false
}

var errResting = errors.New("no code can be sent yet")

// work uploads a document and signs it, or three of them under one approval, where a PIN is
// all and every third time. It ends with the first thing that does not go well.
func (p *person) work(ctx context.Context, pages int) error {
	n := 1
	if !p.code && p.w.journal.number()%3 == 0 {
		n = 3
	}
	var documents []string
	for range n {
		document, err := p.upload(ctx, pages)
		if err != nil {
			return err
		}
		documents = append(documents, document)
	}
	return p.sign(ctx, documents...)
}

func (p *person) upload(ctx context.Context, pages int) (document string, err error) {
	pdf := pdftest.Plain(pages)
	pdf = append(pdf, fmt.Sprintf("%% %s %d\n", p.subject, p.w.journal.number())...) // no two are alike
	a, err := p.send(ctx, http.MethodPut, "/documents?name=crash.pdf", "application/pdf", bytes.NewReader(pdf))
	if err != nil {
		return "", err
	}
	if a.status != http.StatusCreated {
		return "", fmt.Errorf("the upload was answered %d: %.300s", a.status, a.text)
	}
	document = strings.TrimPrefix(a.to, "/documents/")
	sum := sha256.Sum256(pdf)
	p.w.journal.note(acknowledged{kind: "document", id: document, sha256: sum[:]})
	return document, nil
}

// sign takes documents through one ceremony.
func (p *person) sign(ctx context.Context, documents ...string) error {
	if p.rests() {
		return errResting
	}
	ceremony, err := p.begin(ctx, documents...)
	if err != nil {
		return err
	}
	return p.approve(ctx, ceremony, len(documents))
}

func (p *person) begin(ctx context.Context, documents ...string) (ceremony string, err error) {
	to, fields := "/documents/"+documents[0]+"/sign", []string{"credential", p.credential}
	if len(documents) > 1 {
		to = "/sign"
		for _, d := range documents {
			fields = append(fields, "document", d)
		}
	}
	a, err := p.post(ctx, to, fields...)
	if err != nil {
		return "", err
	}
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to, "/ceremonies/") {
		return "", fmt.Errorf("the beginning was answered %d: %.300s", a.status, a.text)
	}
	ceremony = strings.TrimPrefix(a.to, "/ceremonies/")
	p.w.journal.note(acknowledged{kind: "ceremony", id: ceremony})
	return ceremony, nil
}

// approve enters the factors for n documents, and has a code sent first where there is one.
func (p *person) approve(ctx context.Context, ceremony string, n int) error {
	if p.consent {
		return p.thereAndBack(ctx, ceremony, n)
	}
	fields := []string{"pin", p.w.sim.PIN(p.email)}
	if p.code {
		a, err := p.post(ctx, "/ceremonies/"+ceremony+"/code")
		if err != nil {
			return err
		}
		if a.status != http.StatusSeeOther {
			return fmt.Errorf("the code was answered %d: %.300s", a.status, a.text)
		}
		p.w.journal.note(acknowledged{kind: "code", id: ceremony})
		fields = []string{"otp", p.w.sim.LastCode(p.email)}
	}
	a, err := p.post(ctx, "/ceremonies/"+ceremony+"/authorize", fields...)
	if err != nil {
		return err
	}
	if a.status != http.StatusSeeOther {
		return fmt.Errorf("the approval was answered %d: %.300s", a.status, a.text)
	}
	p.w.journal.note(acknowledged{kind: "approval", id: ceremony, n: n})
	return nil
}

var leadsTo = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`)

// thereAndBack approves n documents at the provider's page, and waits for what comes of it.
func (p *person) thereAndBack(ctx context.Context, ceremony string, n int) error {
	a, err := p.post(ctx, "/ceremonies/"+ceremony+"/consent")
	if err != nil {
		return err
	}
	leads := leadsTo.FindStringSubmatch(a.text)
	if a.status != http.StatusOK || leads == nil {
		return fmt.Errorf("the way to the provider was answered %d: %.300s", a.status, a.text)
	}
	p.w.journal.note(acknowledged{kind: "code", id: ceremony})
	back, err := p.w.sim.Consent(html.UnescapeString(leads[1]), "", true)
	if err != nil {
		return err
	}
	if a, err = p.get(ctx, back); err != nil {
		return err
	}
	if a.to != "/ceremonies/"+ceremony {
		return fmt.Errorf("the way back was answered %d, to %s", a.status, a.to)
	}
	for ctx.Err() == nil {
		if a, err = p.get(ctx, "/ceremonies/"+ceremony); err != nil {
			return err
		}
		if strings.Contains(a.text, `data-stage="result"`) {
			p.w.journal.note(acknowledged{kind: "approval", id: ceremony, n: n})
			return nil
		}
		if !strings.Contains(a.text, `data-stage="progress"`) {
			return fmt.Errorf("it was not signed: %.300s", a.text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return ctx.Err()
}

// acknowledged is one answer that somebody got.
type acknowledged struct {
	kind   string // "document", "ceremony", "code", "approval"
	id     string
	sha256 []byte
	n      int // documents of an approval
}

// journal is what people were answered, for ever.
type journal struct {
	mu   sync.Mutex
	all  []acknowledged
	last int
}

func (j *journal) number() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	return j.last
}

func (j *journal) note(a acknowledged) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, a)
}

// kept holds the rows against every answer anybody ever got (I1). An approval that was
// answered without an error is a signature that was stored, and so comes to be given out;
// an answer that only led back to the page of somebody quicker does not come up here, for
// nobody presses twice.
func (j *journal) kept(w *world, d *db.DB, when string) {
	w.t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	ask := func(query string, id string) (n int) {
		w.t.Helper()
		require.NoError(w.t, d.Read.Get(&n, d.Read.Rebind(query), id))
		return n
	}
	for _, a := range j.all {
		where := fmt.Sprintf("%s: %s %s (seed %d, kill %d)", when, a.kind, a.id, w.seed, w.kills)
		switch a.kind {
		case "document":
			var sum []byte
			require.NoError(w.t, d.Read.Get(&sum, d.Read.Rebind("SELECT sha256 FROM documents WHERE id = ? AND state = 'ready'"), a.id), where)
			require.Equal(w.t, a.sha256, sum, where)
		case "ceremony":
			require.Equal(w.t, 1, ask("SELECT COUNT(*) FROM ceremonies WHERE id = ?", a.id), where)
		case "code":
			require.Equal(w.t, 1, ask("SELECT COUNT(*) FROM ceremonies WHERE id = ? AND sends >= 1", a.id), where)
		case "approval":
			require.Equal(w.t, a.n, ask("SELECT COUNT(*) FROM signatures WHERE ceremony = ? AND state IN ('signed', 'assembled', 'released')", a.id), where)
			require.Equal(w.t, 1, ask("SELECT COUNT(*) FROM ceremonies WHERE id = ? AND state = 'used'", a.id), where)
		}
	}
}
