package reliability

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/dtmsim"
	"countersign/pades"
	"countersign/signing"
)

// carried is a document on its way from its release to B-LTA.
type carried struct {
	id       string
	owner    *person
	released []byte // what was given out first
}

// signedDocuments has somebody sign n documents under one approval.
func (w *world) signedDocuments(n int) (all []carried) {
	w.t.Helper()
	p, ctx := w.people[0], context.Background()
	var ids []string
	for range n {
		id, err := p.upload(ctx, 1)
		require.NoError(w.t, err)
		ids = append(ids, id)
	}
	require.NoError(w.t, p.sign(ctx, ids...))
	w.open(func(d *db.DB) {
		w.eventually("everything is released", func() bool {
			var open int
			require.NoError(w.t, d.Read.Get(&open, "SELECT COUNT(*) FROM signatures WHERE state <> 'released'"))
			return open == 0
		})
		// None is carried on before its own death comes.
		_, err := d.Write.Exec(d.Write.Rebind("UPDATE extensions SET deadline = ?"), time.Now().Add(10*time.Hour).UnixMilli())
		require.NoError(w.t, err)
	})
	for _, id := range ids {
		all = append(all, carried{id, p, p.file(id)})
	}
	return all
}

func (p *person) file(id string) []byte {
	p.w.t.Helper()
	a, err := p.get(context.Background(), "/documents/"+id+"/download")
	require.NoError(p.w.t, err)
	require.Equal(p.w.t, 200, a.status, a.text)
	return []byte(a.text)
}

// due has the time of an extension come.
func (c carried) due(d *db.DB) {
	w := c.owner.w
	w.t.Helper()
	_, err := d.Write.Exec(d.Write.Rebind("UPDATE extensions SET deadline = ? WHERE id = ? AND state = 'waiting'"), time.Now().Add(-time.Minute).UnixMilli(), c.id)
	require.NoError(w.t, err)
}

// standing is what the rows say of it.
func (c carried) standing(d *db.DB) (is struct {
	State, Reason, Level string
	Revisions            int
}) {
	c.owner.w.t.Helper()
	require.NoError(c.owner.w.t, d.Read.Get(&is, d.Read.Rebind(`SELECT e.state, e.reason, d.level, d.revisions FROM extensions e JOIN documents d ON d.id = e.id WHERE e.id = ?`), c.id))
	return is
}

// verified reads the file as its owner would, and holds that it is what was given out with
// nothing but proof added to it.
func (c carried) verified(when string) pades.Result {
	w := c.owner.w
	w.t.Helper()
	roots := x509.NewCertPool()
	require.True(w.t, roots.AppendCertsFromPEM([]byte(w.sim.RootPEM())))
	file := c.owner.file(c.id)
	require.True(w.t, bytes.HasPrefix(file, c.released), "%s (seed %d, kill %d): what was given out first stays", when, w.seed, w.kills)
	result, err := pades.Verify(context.Background(), bytes.NewReader(file), int64(len(file)), pades.VerifyOptions{Roots: roots})
	require.NoError(w.t, err)
	require.Equal(w.t, pades.TotalPassed, result.Indication, "%s (seed %d, kill %d)", when, w.seed, w.kills)
	return result
}

// dieCarrying dies at a point while one document is carried on by one step, the first or
// the second, and sees that it comes to the end all the same.
func (w *world) dieCarrying(c carried, p signing.Point, done, second bool) {
	w.t.Helper()
	where := string(p) + map[bool]string{true: ":after", false: ":before"}[done]
	if second { // the timestamp: validation data is there already, by another death
		w.carryUntil(c, string(signing.PointCarry)+":after", "the first step")
		w.kills++
		w.letPass()
		w.start()
	}
	var before int
	w.open(func(d *db.DB) { before = c.standing(d).Revisions })
	if p == signing.PointPutOff {
		require.NoError(w.t, w.sim.Fault(dtmsim.Fault{Path: "signatures/timestamp", N: 1000, Status: 503}))
	}
	w.carryUntil(c, where, where)
	w.sim.ClearFaults()
	w.kills++
	when := fmt.Sprintf("%s, second step %t", where, second)
	w.sound(when + ", just after")
	w.open(func(d *db.DB) {
		is := c.standing(d)
		more := is.Revisions - before
		require.True(w.t, more == 0 || more == 1, "%s: %d revisions more", when, more)
		if p != signing.PointPutOff {
			require.Equal(w.t, p == signing.PointCarry && done, more == 1, "%s: %d revisions more", when, more)
		}
		c.due(d)
	})
	w.letPass()
	w.start()
	c.verified(when)
	w.open(func(d *db.DB) {
		w.eventually("the document is carried to the end", func() bool { return c.standing(d).State == "reached" })
		is := c.standing(d)
		require.Equal(w.t, "B-LTA", is.Level)
		require.Equal(w.t, 4, is.Revisions, "%s: the file, a signature, data, and a timestamp; nothing twice", when)
		require.Empty(w.t, is.Reason)
	})
	result := c.verified(when)
	stamps := slices.DeleteFunc(slices.Clone(result.Signatures), func(s pades.SignatureResult) bool { return s.Type != "timestamp" })
	require.Len(w.t, stamps, 1)
	w.sound(when + ", recovered")
	w.open(func(d *db.DB) {
		w.eventually("nothing is left over", func() bool { return w.strays(d) == 0 })
	})
}

// carryUntil has the extension's time come, and the portal die.
func (w *world) carryUntil(c carried, where, what string) {
	w.t.Helper()
	w.arm(where)
	w.open(func(d *db.DB) { c.due(d) })
	require.NoError(w.t, w.child.died(waitForDeath), what)
}

// letPass makes stored bytes old and ends the leases of the dead process. The job that it
// was about is left as it is: a row alone has to bring the work back.
func (w *world) letPass() {
	w.t.Helper()
	old := time.Now().Add(-24*time.Hour - 20*time.Minute) // the sweep takes it, fsck does not yet complain
	require.NoError(w.t, w.files(func(path string) error { return os.Chtimes(path, old, old) }))
	w.open(func(d *db.DB) {
		for _, statement := range []string{"DELETE FROM river_leader", "UPDATE river_job SET state = 'available' WHERE state = 'running' AND kind <> 'extend-document'"} {
			_, err := d.Write.Exec(statement)
			require.NoError(w.t, err, statement)
		}
	})
}

func (w *world) files(each func(path string) error) error {
	return filepath.WalkDir(filepath.Join(w.dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return each(path)
	})
}

// strays counts stored bytes of which no row speaks.
func (w *world) strays(d *db.DB) (n int) {
	w.t.Helper()
	err := w.files(func(path string) error {
		kept, err := d.KeepsBlob(context.Background(), filepath.Base(path))
		if !kept {
			n++
		}
		return err
	})
	if err != nil {
		return -1 // it went while it was looked for
	}
	return n
}

// The portal is killed at each step of carrying a released file to B-LT and on to B-LTA. The
// file is always one that anybody can verify, one revision longer or as it was; the next try
// ends the work, and nothing is left over. In the long form 20 times, on both databases.
func TestADeathWhileAFileIsCarriedOnSpoilsNothing(t *testing.T) {
	t.Parallel()
	var sum tally
	type death struct {
		p            signing.Point
		done, second bool
	}
	var deaths []death
	for _, p := range signing.ExtensionPoints() {
		for _, done := range []bool{false, true} {
			deaths = append(deaths, death{p, done, true})
			if p != signing.PointPutOff { // issuers have two ways to be asked, the clock has one
				deaths = append(deaths, death{p, done, false})
			}
		}
	}
	if !soak() {
		deaths = []death{{signing.PointDue, true, false}, {signing.PointAdd, true, false}, {signing.PointCarry, false, true}, {signing.PointCarry, true, false}}
	}
	rounds(t, 20, func(t *testing.T, o options) {
		o.env, o.signers = []string{"LEVEL=B-LTA"}, 1
		w := newWorld(t, o)
		documents := w.signedDocuments(len(deaths))
		for i, at := range deaths {
			w.dieCarrying(documents[i], at.p, at.done, at.second)
		}
		sum.add(t, w)
	})
}
