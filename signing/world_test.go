package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/blob"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
	"countersign/people"
	"countersign/signing"
)

// world is everything near at hand for real, and the far side simulated over HTTP.
type world struct {
	t       testing.TB
	clock   *clock
	sim     *dtmtest.Sim
	client  *dtmclient.Client
	db      *db.DB
	dir     string // of the blobs
	blobs   signing.Blobs
	options signing.Options
	*signing.Service

	ada    people.Actor
	person people.Person
	signer dtmsim.Signer
}

// backHere is where the provider's page sends people.
const backHere = "https://sign.example.com/ceremonies/approved"

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newWorld has one person, Ada, with a credential of the profile; its id here is "ada".
func newWorld(t testing.TB, profile string, change ...func(*signing.Options)) *world {
	t.Helper()
	return newWorldOn(t, dbtest.New(t), profile, change...)
}

func newWorldOn(t testing.TB, d *db.DB, profile string, change ...func(*signing.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{at: time.Now()}, db: d}
	w.sim = dtmtest.Start(t, func(o *dtmsim.Options) {
		o.Now, o.PushTimeout = w.clock.Now, 300*time.Millisecond
		o.StrictHashes, o.StrictExtend = true, true
		o.RedirectURIs = []string{backHere}
	})
	var err error
	w.client, err = dtmclient.New(dtmclient.Config{BaseURL: w.sim.BaseURL + "/documentmanager", AccountURL: w.sim.BaseURL + "/account",
		APIKey: dtmclient.Secret(w.sim.APIKey), ClientID: w.sim.ClientID, ClientSecret: dtmclient.Secret(w.sim.ClientSecret),
		Now: w.clock.Now, Timeouts: dtmclient.Timeouts{Call: 5 * time.Second, Authorize: 5 * time.Second, Sign: 5 * time.Second}})
	require.NoError(t, err)
	w.signer = w.sim.Signer(profile, "ada-1")
	w.person = dbtest.Person(t, w.db, people.Person{GivenName: "Ada", FamilyName: "Example", Email: "ada@example.com", DTMUser: w.signer.UserID})
	w.ada = people.Actor{Person: w.person.ID, Roles: []people.Role{people.Signer}, Address: "192.0.2.1"}

	w.dir = t.TempDir()
	folder, err := blob.Folder(w.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, folder.Close()) })
	master, err := blob.NewMaster(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	w.blobs = folderBlobs{blob.NewStore(folder, master)}
	w.options = signing.Options{Store: w.db.Signing(), Remote: w.client, Blobs: w.blobs, Now: w.clock.Now, Reserve: -1, Lazy: true, Roots: w.sim.Roots,
		Credentials: credentials{w.client, map[string]owned{"ada": {w.person.ID, w.signer.Credential}}},
		OAuth:       signing.OAuthClient{ID: w.sim.ClientID, Secret: signing.Secret(w.sim.ClientSecret), RedirectURI: backHere},
		Log:         slog.New(slog.DiscardHandler), PortalURL: "https://sign.example.com"}
	for _, f := range change {
		f(&w.options)
	}
	w.Service = signing.NewService(w.options)
	return w
}

// again is the same world after the process was started anew, with other parts if wanted.
func (w *world) again(change ...func(*signing.Options)) *signing.Service {
	o := w.options
	for _, f := range change {
		f(&o)
	}
	return signing.NewService(o)
}

// another is a second person with a credential named id.
func (w *world) another(name, profile, id string) people.Actor {
	w.t.Helper()
	signer, err := w.sim.AddSigner(name, "Example", profile, id+"-1")
	require.NoError(w.t, err)
	p := dbtest.Person(w.t, w.db, people.Person{GivenName: name, DTMUser: signer.UserID})
	w.options.Credentials.(credentials).known[id] = owned{p.ID, signer.Credential}
	return people.Actor{Person: p.ID, Roles: []people.Role{people.Signer}}
}

type owned struct {
	person people.ID
	name   string
}

// credentials stands where identity's service stands in the portal: it knows whose a
// credential is and reads its state at DTM.
type credentials struct {
	remote *dtmclient.Client
	known  map[string]owned
}

func (c credentials) Credential(ctx context.Context, p people.ID, id string) (signing.Credential, error) {
	o, ok := c.known[id]
	if !ok || o.person != p {
		return signing.Credential{}, signing.ErrNotFound
	}
	return signing.Credential{ID: id, Name: o.name, Person: o.person, Usable: true}, nil
}

func (c credentials) Fresh(ctx context.Context, id string) (signing.Credential, error) {
	o, ok := c.known[id]
	if !ok {
		return signing.Credential{}, signing.ErrNotFound
	}
	found, err := c.remote.Credential(ctx, o.name)
	if err != nil {
		return signing.Credential{}, err
	}
	return signing.Credential{ID: id, Name: o.name, Person: o.person, Usable: found.Status == "ACTIVE", Reason: found.Status}, nil
}

// folderBlobs is the adapter that the portal has in its main package.
type folderBlobs struct{ store *blob.Store }

func corrupt(err error) error {
	if errors.Is(err, blob.ErrCorrupt) || errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("%w: %w", signing.ErrCorrupt, err)
	}
	return err
}

func (b folderBlobs) NewKey(d signing.DocumentID) ([]byte, error) { return b.store.NewKey(string(d)) }

func (b folderBlobs) Create(ctx context.Context, d signing.DocumentID, key []byte) (signing.BlobWriter, error) {
	return b.store.Create(ctx, string(d), key)
}

func (b folderBlobs) Open(ctx context.Context, d signing.DocumentID, key []byte, id string) (signing.BlobReader, error) {
	r, err := b.store.Open(ctx, string(d), key, id)
	if err != nil {
		return nil, corrupt(err)
	}
	return blobReader{r}, nil
}

func (b folderBlobs) Remove(ctx context.Context, id string) error { return b.store.Remove(ctx, id) }

func (b folderBlobs) Seal(d signing.DocumentID, key, plain []byte) ([]byte, error) {
	return b.store.Seal(string(d), key, plain)
}

func (b folderBlobs) Unseal(d signing.DocumentID, key, sealed []byte) ([]byte, error) {
	plain, err := b.store.Unseal(string(d), key, sealed)
	return plain, corrupt(err)
}

func (b folderBlobs) Free(ctx context.Context) (int64, error) { return b.store.Free(ctx) }

type blobReader struct{ *blob.Reader }

func (r blobReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.Reader.ReadAt(p, off)
	return n, corrupt(err)
}

// page is a small PDF with one page, padded to at least size bytes.
func page(text string, size int) []byte {
	var b bytes.Buffer
	var at []int
	object := func(body string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), body)
	}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>")
	content := "BT /F1 24 Tf 72 720 Td (" + text + ") Tj ET\n"
	if pad := size - b.Len() - len(content); pad > 0 {
		content += "%" + string(bytes.Repeat([]byte("x"), pad)) + "\n"
	}
	object(fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", len(content), content))
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	return b.Bytes()
}

// submitted is a document of Ada's that is ready.
func (w *world) submitted(text string) signing.Document {
	w.t.Helper()
	return w.submittedBy(w.ada, page(text, 0))
}

func (w *world) submittedBy(a people.Actor, pdf []byte) signing.Document {
	w.t.Helper()
	d, err := w.Submit(context.Background(), a, "contract.pdf", int64(len(pdf)), bytes.NewReader(pdf))
	require.NoError(w.t, err)
	require.Equal(w.t, signing.DocumentReady, d.State)
	return d
}

// begun is a ceremony over the documents, with the code sent if there is one to send.
func (w *world) begun(docs ...signing.Document) signing.Ceremony {
	w.t.Helper()
	var ids []signing.DocumentID
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	c, _, err := w.Begin(context.Background(), w.ada, ids, "ada")
	require.NoError(w.t, err)
	if c.Factor.Sent() {
		c, err = w.SendCode(context.Background(), w.ada, c.ID)
		require.NoError(w.t, err)
	}
	return c
}

// factors are the right ones at this moment.
func (w *world) factors() signing.Factors {
	f := signing.Factors{PIN: signing.Secret(w.signer.PIN), OTP: signing.Secret(w.sim.LastCode(w.signer.UserID))}
	if f.OTP == "" {
		f.OTP = signing.Secret(w.sim.TOTP(w.signer.UserID))
	}
	return f
}

// asked are the factors that a page asks for, and no others.
func (w *world) asked(f signing.Factor) (in signing.Factors) {
	all := w.factors()
	if f.NeedsPIN() {
		in.PIN = all.PIN
	}
	if f.NeedsOTP() {
		in.OTP = all.OTP
	}
	return in
}

func (w *world) state(c signing.Ceremony) (signing.Ceremony, signing.Signature) {
	w.t.Helper()
	c, signatures, err := w.Ceremony(context.Background(), w.ada, c.ID)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, signatures)
	return c, signatures[0]
}

func (w *world) bytes(a people.Actor, id signing.DocumentID) []byte {
	w.t.Helper()
	f, size, _, err := w.Open(context.Background(), a, id)
	require.NoError(w.t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	require.NoError(w.t, err)
	require.EqualValues(w.t, size, len(b))
	return b
}

// signHashes counts calls of signHash that signed something, by ceremony.
func (w *world) signHashes() map[string]int {
	n := map[string]int{}
	for _, e := range w.sim.Ledger() {
		if e.Kind == dtmsim.LedgerSigned {
			n[e.ClientData]++
		}
	}
	return n
}

// calls counts what reached the simulator, by the end of the path.
func (w *world) calls(method string) int {
	n := 0
	for _, c := range w.sim.Calls() {
		if len(c.Path) > len(method) && c.Path[len(c.Path)-len(method)-1:] == "/"+method {
			n++
		}
	}
	return n
}

// code is the machine word of an error.
func code(t testing.TB, err error) string {
	t.Helper()
	var e *signing.Error
	require.ErrorAs(t, err, &e)
	require.NotEqual(t, "internal", e.Code, "%v", err)
	return e.Code
}
