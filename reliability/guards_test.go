package reliability

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/dtmsim"
	"countersign/identity"
	"countersign/signing"
)

// change is one place of the source, and what stands there in the portal whose guards can
// be taken out. The place must be there exactly once: when the code moves, the test says so.
type change struct{ file, from, to string }

var changes = []change{
	// What is about to be signed is written down before the key is asked.
	{"signing/sign.go", `if err := at.intend(ctx, part, i == 0); err != nil {`, `if err := error(nil); weakened("intent") {
		} else if err = at.intend(ctx, part, i == 0); err != nil {`},
	// A value is held against the certificate before it is stored.
	{"signing/sign.go", `code, err = codeValueWrong, at.prepared[i].CheckValue(told.values[n])`, `code, err = codeValueWrong, at.prepared[i].CheckValue(told.values[n])
			if weakened("value") {
				err = nil
			}`},
	// The key is asked once, whatever it answers.
	{"signing/sign.go", `SignParams: at.c.SignParams, ClientData: string(at.c.ID)})
	if err == nil {`, `SignParams: at.c.SignParams, ClientData: string(at.c.ID)})
	if err != nil && weakened("once") {
		values, err = s.Remote.SignHash(sctx, dtmclient.HashesToSign{CredentialID: at.c.CredentialName, SAD: sad.Value, Hashes: hashes,
			Hash: hash, SignAlgo: at.c.SignAlgo, SignParams: at.c.SignParams, ClientData: string(at.c.ID)})
	}
	if err == nil {`},
	// A row is changed from the state and the version it was read in, or not at all.
	{"db/table.go", `		return fmt.Errorf("update %s: %w", t.name, err)
	}
	return one(res.RowsAffected())`, `		return fmt.Errorf("update %s: %w", t.name, err)
	}
	if weakened("version") {
		return nil
	}
	return one(res.RowsAffected())`},
	// Bytes are in their place before a row speaks of them.
	{"blob/folder.go", `	if err := d.folder.root.Rename(d.temp, pathOf(d.id)); err != nil {`, `	if weakened("place") {
		go func() {
			time.Sleep(time.Second)
			_ = d.folder.root.Rename(d.temp, pathOf(d.id))
		}()
		d.ended = true
		return nil
	}
	if err := d.folder.root.Rename(d.temp, pathOf(d.id)); err != nil {`},
	// The file is verified as it is stored before it is given out. To have something to find,
	// what puts the value in makes a mistake.
	{"signing/finish.go", `	state, sum, err := p.StateAfter(delta)`, `	if weakened("own check") || weakened("mistake") {
		delta[len(delta)/2] ^= 1
	}
	state, sum, err := p.StateAfter(delta)`},
	{"signing/release.go", `	mine, err := s.judge(after, g, p.Prepared)
	if err != nil {`, `	mine, err := s.judge(after, g, p.Prepared)
	if err != nil && !weakened("own check") {`},
	// What DTM is asked for is looked for first, and written down first.
	{"identity/start.go", `	if found.ID != "" {`, `	if found.ID != "" && !weakened("look first") {`},
	{"identity/review.go", `	if v, err = answered(s, PointDecide, func() (Validation, error) { return s.record(ctx, v.State, to, e) }); err != nil {`,
		`	if weakened("approval row") {
	} else if v, err = answered(s, PointDecide, func() (Validation, error) { return s.record(ctx, v.State, to, e) }); err != nil {`},
	{"identity/issue.go", `	c, err = answered(s, PointReserve, func() (Credential, error) { return s.recordCredential(ctx, "", c, done(e, a)) })`,
		`	if weakened("credential row") {
		return c, true, nil
	}
	c, err = answered(s, PointReserve, func() (Credential, error) { return s.recordCredential(ctx, "", c, done(e, a)) })`},
}

const switches = `

import "os"

func weakened(guard string) bool { return os.Getenv("WEAKENED") == guard }
`

// guardless builds the portal whose guards can be taken out, one by one, by a variable.
// The source itself knows nothing of it.
func guardless(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	texts := map[string]string{}
	for _, c := range changes {
		if texts[c.file] == "" {
			text, err := os.ReadFile(filepath.Join("..", c.file))
			require.NoError(t, err)
			texts[c.file] = string(text)
		}
		require.Equal(t, 1, strings.Count(texts[c.file], c.from), "%s has moved: %s", c.file, c.from)
		texts[c.file] = strings.Replace(texts[c.file], c.from, c.to, 1)
	}
	for _, room := range []string{"signing", "db", "blob", "identity"} {
		texts[room+"/weakened.go"] = "package " + room + switches
	}
	program, err := build("-overlay", overlaid(t, dir, texts))
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(program)) })
	return program
}

// A portal whose guards are taken out one by one is found out each time, by the same eyes
// that look after every death; and with its guards in it is found sound.
func TestEachGuardThatIsTakenOutIsFoundOut(t *testing.T) {
	t.Parallel()
	program := guardless(t)
	for guard, c := range map[string]struct {
		run  func(w *world)
		says []string // one of these invariants at least
	}{
		"intent":         {func(w *world) { w.dieAt(signing.PointSign, true) }, []string{"I5"}},
		"value":          {(*world).wrongValue, []string{"I7"}},
		"once":           {(*world).lostAnswer, []string{"I5"}},
		"version":        {(*world).pressTwenty, []string{"I5", "I9"}},
		"place":          {func(w *world) { w.dieAt(signing.PointReceived, true) }, []string{"I2"}},
		"own check":      {(*world).signOnce, []string{"I7"}},
		"look first":     {func(w *world) { w.dieAsking(identity.PointCreate) }, []string{twice}},
		"approval row":   {func(w *world) { w.dieAsking(identity.PointApprove) }, []string{twice}},
		"credential row": {func(w *world) { w.dieAsking(identity.PointIssue) }, []string{twice}},
	} {
		t.Run(guard, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{portal: program, env: []string{"WEAKENED=" + guard}, bare: slices.Contains(c.says, twice)})
			c.run(w)
			broken, out := w.fsck()
			if again, _ := w.asked.twice(); len(again) > 0 {
				broken = append(broken, twice)
			}
			require.True(t, slices.ContainsFunc(broken, func(i string) bool { return slices.Contains(c.says, i) }),
				"without %q nothing was found: %v\n%s", guard, broken, out)
		})
	}
	t.Run("nothing taken out", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, options{portal: program})
		w.pressTwenty()
		w.wrongValue()
		w.lostAnswer()
		w.signOnce()
		w.dieAt(signing.PointSign, true)
		broken, out := w.fsck()
		require.Empty(t, broken, out)
		w.start()
		for _, p := range []identity.Point{identity.PointCreate, identity.PointApprove, identity.PointIssue} {
			w.dieAsking(p)
			again, _ := w.asked.twice()
			require.Empty(t, again)
		}
	})
	t.Run("a mistake that the own check is there for", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, options{portal: program, env: []string{"WEAKENED=mistake"}})
		w.signOnce()
		broken, out := w.fsck()
		require.Empty(t, broken, out)
		w.open(func(d *db.DB) {
			var state string
			require.NoError(t, d.Read.Get(&state, "SELECT state FROM signatures"))
			require.Equal(t, "failed", state)
		})
	})
}

const twice = "DTM was asked twice"

// dieAsking dies just after DTM was asked for something on the way to a credential, and goes
// on until its applicant is at the end or DTM was asked for it again.
func (w *world) dieAsking(p identity.Point) {
	w.t.Helper()
	who := w.next(w.signIn("admin"))
	w.arm(string(p) + ":after")
	require.False(w.t, who.goes(string(p)))
	require.NoError(w.t, w.child.died(waitForDeath))
	w.laterChecks()
	w.start()
	w.open(func(d *db.DB) {
		w.eventually("the end, or the same once more", func() bool {
			again, _ := w.asked.twice()
			return len(again) > 0 || who.step(context.Background(), d)
		})
	})
}

// dieAt dies at a point in the course of one signing.
func (w *world) dieAt(p signing.Point, done bool) {
	w.t.Helper()
	w.arm(string(p) + map[bool]string{true: ":after", false: ":before"}[done])
	require.Error(w.t, w.people[0].work(context.Background(), 1))
	require.NoError(w.t, w.child.died(waitForDeath))
}

func (w *world) signOnce() {
	w.t.Helper()
	require.NoError(w.t, w.people[0].work(context.Background(), 1))
}

// wrongValue has the service answer something that no key made.
func (w *world) wrongValue() {
	w.t.Helper()
	body, err := json.Marshal(map[string][]string{"signatures": {base64.StdEncoding.EncodeToString(make([]byte, 64))}})
	require.NoError(w.t, err)
	require.NoError(w.t, w.sim.Fault(dtmsim.Fault{Path: "signatures/signHash", After: true, Status: 200, ContentType: "application/json", Body: string(body)}))
	_ = w.people[0].work(context.Background(), 1)
}

// lostAnswer has the key sign and its answer lost on the way.
func (w *world) lostAnswer() {
	w.t.Helper()
	require.NoError(w.t, w.sim.Rehearse("signature-lost", 1, ""))
	_ = w.people[0].work(context.Background(), 1)
}

// pressTwenty approves one ceremony twenty times at once.
func (w *world) pressTwenty() {
	w.t.Helper()
	p, ctx := w.people[0], context.Background()
	document, err := p.upload(ctx, 1)
	require.NoError(w.t, err)
	ceremony, err := p.begin(ctx, document)
	require.NoError(w.t, err)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _ = p.approve(ctx, ceremony, 1) })
	}
	all.Wait()
}
