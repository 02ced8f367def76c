package signing_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/pades"
	"countersign/pades/cms"
	"countersign/signing"
)

// elsewhere has attributes and structure made by DTM.
func elsewhere(o *signing.Options) { o.Builder = o.Remote.(signing.Builder) }

// builtBy is whose structure the newest file carries, as the log says.
func (w *world) builtBy() string {
	w.t.Helper()
	var facts string
	require.NoError(w.t, w.db.Read.Get(&facts, "SELECT facts FROM audit WHERE action = 'signature.assemble' ORDER BY at DESC, id DESC LIMIT 1"))
	m := regexp.MustCompile(`"built":\s*"(\w+)"`).FindStringSubmatch(facts)
	require.NotNil(w.t, m, facts)
	return m[1]
}

// signedNow signs a document and asserts that it is released and holds, and the key was asked once.
func (w *world) signedNow(text string) (signing.Document, signing.Ceremony) {
	w.t.Helper()
	d := w.submitted(text)
	c := w.begun(d)
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(w.t, err)
	w.holds(c, d)
	return d, c
}

func (w *world) holds(c signing.Ceremony, docs ...signing.Document) {
	w.t.Helper()
	_, signatures, err := w.Ceremony(ctx, w.ada, c.ID)
	require.NoError(w.t, err)
	for _, g := range signatures {
		require.Equal(w.t, signing.SignatureReleased, g.State, g.Reason)
		require.Equal(w.t, "B-T", g.Level)
	}
	for _, d := range docs {
		result, err := w.Check(ctx, w.ada, d.ID)
		require.NoError(w.t, err)
		require.Equal(w.t, pades.TotalPassed, result.Indication)
	}
	require.Equal(w.t, 2*len(docs), w.files(), "originals and increments, nothing left over")
	require.Equal(w.t, 1, w.signHashes()[string(c.ID)])
}

func TestASignatureThatDTMPutsTogetherIsReleased(t *testing.T) {
	for _, profile := range []string{"cp-basic", "cp-advanced-p256", "cp-p521"} {
		t.Run(profile, func(t *testing.T) {
			w := newWorld(t, profile, elsewhere)
			before := w.calls("signatures/timestamp")
			w.signedNow("Elsewhere")
			require.Equal(t, "dtm", w.builtBy())
			require.Equal(t, 1, w.sim.Count(dtmsim.LedgerHashes, ""))
			require.Equal(t, 1, w.sim.Count(dtmsim.LedgerBuilt, ""))
			require.LessOrEqual(t, w.calls("signatures/timestamp")-before, 1, "only the check before the code")
		})
	}
	t.Run("without a timestamp", func(t *testing.T) {
		w := newWorld(t, "cp-basic", elsewhere, func(o *signing.Options) { o.NoTimestamp = true })
		d := w.submitted("No time")
		c := w.begun(d)
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err)
		_, g := w.state(c)
		require.Equal(t, signing.SignatureReleased, g.State)
		require.Equal(t, "B-B", g.Level)
		require.Equal(t, "dtm", w.builtBy())
	})
}

// Every document of a batch has attributes of its own; the parts of the batch do not matter.
func TestABatchIsPutTogetherByDTM(t *testing.T) {
	w := newWorld(t, "cp-advanced", elsewhere, func(o *signing.Options) { o.SignTogether = 10 })
	var docs []signing.Document
	for i := range 7 {
		docs = append(docs, w.submitted(fmt.Sprint("Batch ", i)))
	}
	c := w.begun(docs...)
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	w.holds(c, docs...)
	require.Equal(t, 7, w.sim.Count(dtmsim.LedgerHashes, ""))
	require.Equal(t, 7, w.sim.Count(dtmsim.LedgerBuilt, ""))
	require.Equal(t, 7, w.count(`SELECT COUNT(*) FROM audit WHERE action = 'signature.assemble' AND facts LIKE '%"dtm"%'`))
}

// Attributes that are not for this document and certificate are not shown to anybody for
// approval: nothing is begun, and nothing is left.
func TestAttributesThatAreNotOursAreNotApproved(t *testing.T) {
	for _, how := range []dtmsim.Spoil{dtmsim.SpoilDigest, dtmsim.SpoilCertificate, dtmsim.SpoilAttribute, dtmsim.SpoilHash} {
		t.Run(string(how), func(t *testing.T) {
			var alarms []string
			w := newWorld(t, "cp-basic", elsewhere, func(o *signing.Options) { o.Alarmed = func(what string) { alarms = append(alarms, what) } })
			d, other := w.submitted("Spoiled"), w.submitted("Beside it")
			w.sim.SpoilNext(how)
			_, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{d.ID, other.ID}, "ada")
			require.Equal(t, "attributes_wrong", code(t, err))
			require.NotEmpty(t, alarms)
			require.Zero(t, w.count("SELECT COUNT(*) FROM ceremonies"))
			require.Equal(t, 2, w.files(), "no preparation is kept")
			c := w.begun(d)
			_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
			require.NoError(t, err, "the next one is right")
		})
	}
}

func TestWithoutAttributesNothingBegins(t *testing.T) {
	for name, c := range map[string]struct {
		f    dtmsim.Fault
		code string
	}{
		"down":        {dtmsim.Fault{Status: 503}, "remote_busy"},
		"broken off":  {dtmsim.Fault{After: true, Drop: true}, "unreachable"},
		"garbage":     {dtmsim.Fault{After: true, Garbage: true}, "unreachable"},
		"not there":   {dtmsim.Fault{Status: 404}, "remote_refused"},
		"not allowed": {dtmsim.Fault{Status: 403}, "remote_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic", elsewhere)
			d := w.submitted("Nothing")
			c.f.Path = "v1/hashes"
			w.sim.Trouble(c.f)
			_, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{d.ID}, "ada")
			require.Equal(t, c.code, code(t, err))
			require.Equal(t, 1, w.files())
			require.Zero(t, w.count("SELECT COUNT(*) FROM ceremonies"))
			require.Equal(t, 1, w.calls("v1/hashes"), "asked once")
		})
	}
}

// Whatever comes in place of the structure, the signature is put together here from the same
// attributes and the same value, at once.
func TestAStructureThatIsNotRightIsNotUsed(t *testing.T) {
	for name, trouble := range map[string]func(w *world){
		"another value":     func(w *world) { w.sim.SpoilNext(dtmsim.SpoilSignature) },
		"another timestamp": func(w *world) { w.sim.SpoilNext(dtmsim.SpoilToken) },
		"too large":         func(w *world) { w.sim.SpoilNext(dtmsim.SpoilOversize) },
		"garbage":           func(w *world) { w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", After: true, Garbage: true}) },
		"not a structure": func(w *world) {
			w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", After: true, Body: `{"signatures":[{"document_id":"document","cms":"MAA="}]}`})
		},
		"cut off":         func(w *world) { w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", After: true, Truncate: true}) },
		"broken off":      func(w *world) { w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", After: true, Drop: true}) },
		"trouble there":   func(w *world) { w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", Status: 500}) },
		"refused":         func(w *world) { w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", Status: 400}) },
		"not there":       func(w *world) { w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", Status: 404}) },
		"our own no good": func(w *world) { w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", Status: 401}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-advanced-p256", elsewhere)
			trouble(w)
			w.signedNow("Here")
			require.Equal(t, "countersign", w.builtBy())
			require.Equal(t, 1, w.calls("v1/signatures"), "asked once")
		})
	}
}

// The structure may be right in itself and its timestamp not one that a reader will take: it is
// seen before the file is put together, when another timestamp can still be had.
func TestATimestampThatReadersWillNotTakeIsNotPutIn(t *testing.T) {
	for name, c := range map[string]struct {
		stamp func(t *testing.T, w *world, digest []byte) []byte
		good  bool
	}{
		"of the right clock service": {func(t *testing.T, w *world, digest []byte) []byte {
			token, err := w.client.Timestamp(ctx, digest, crypto.SHA256, []byte{1})
			require.NoError(t, err)
			return token
		}, true},
		"of ten minutes from now": {func(t *testing.T, w *world, digest []byte) []byte {
			w.clock.pass(10 * time.Minute)
			defer w.clock.pass(-10 * time.Minute)
			token, err := w.client.Timestamp(ctx, digest, crypto.SHA256, []byte{1})
			require.NoError(t, err)
			return token
		}, false},
		"of a clock service that nobody knows": {func(t *testing.T, w *world, digest []byte) []byte {
			other := newWorld(t, "cp-basic")
			token, err := other.client.Timestamp(ctx, digest, crypto.SHA256, []byte{1})
			require.NoError(t, err)
			return token
		}, false},
		"that is missing": {func(*testing.T, *world, []byte) []byte { return nil }, false},
		"of the right one, without the issuer's certificate": {func(t *testing.T, w *world, digest []byte) []byte {
			w.Builder.(*restamping).chain = nil
			token, err := w.client.Timestamp(ctx, digest, crypto.SHA256, []byte{1})
			require.NoError(t, err)
			return token
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var w *world
			w = newWorld(t, "cp-advanced-p256", func(o *signing.Options) {
				o.Builder = &restamping{Builder: o.Remote.(signing.Builder), stamp: func(digest []byte) []byte { return c.stamp(t, w, digest) }}
			})
			info, err := w.client.CredentialInfo(ctx, w.signer.Credential)
			require.NoError(t, err)
			r := w.Builder.(*restamping)
			r.cert, r.chain = info.Certificates[0], info.Certificates[1:]
			w.signedNow("Restamped")
			require.Equal(t, c.good, w.builtBy() == "dtm")
		})
	}
}

// restamping makes the structure itself, with a timestamp of its choice.
type restamping struct {
	signing.Builder
	cert       *x509.Certificate
	chain      []*x509.Certificate
	stamp      func(digest []byte) []byte
	attributes []byte
}

func (r *restamping) Hashes(ctx context.Context, p dtmclient.ToPrepare) (dtmclient.Prepared, error) {
	got, err := r.Builder.Hashes(ctx, p)
	if err == nil {
		r.attributes = got.Documents[0].Attributes
	}
	return got, err
}

func (r *restamping) Signatures(_ context.Context, _, _ string, all []dtmclient.NamedSignature) ([]dtmclient.Built, error) {
	digest := sha256.Sum256(all[0].Value)
	token := r.stamp(digest[:])
	u := &cms.Unsigned{Attributes: r.attributes, Chain: [][]byte{r.cert.Raw}, Algorithm: cms.Algorithm{Hash: crypto.SHA256, Scheme: cms.ECDSA}}
	for _, c := range r.chain {
		u.Chain = append(u.Chain, c.Raw)
	}
	der, err := u.Complete(all[0].Value, token)
	return []dtmclient.Built{{Document: all[0].Document, CMS: der}}, err
}

// A service that says that it could not is waited for, as the clock service is; the page says
// so, and the same value is used.
func TestAStructureIsWaitedFor(t *testing.T) {
	unbuilt := func(t *testing.T, n int) (*world, signing.Document, signing.Ceremony) {
		w := newWorld(t, "cp-advanced-p256", elsewhere)
		w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", Status: 503, N: n})
		d := w.submitted("Waits")
		c := w.begun(d)
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err, "the value is stored, the rest is work")
		_, g := w.state(c)
		require.Equal(t, signing.SignatureSigned, g.State)
		require.Equal(t, "wait_builder", g.Waits)
		require.Equal(t, page("Waits", 0), w.bytes(w.ada, d.ID))
		return w, d, c
	}
	t.Run("and comes", func(t *testing.T) {
		w, d, c := unbuilt(t, 1)
		w.clock.pass(3 * time.Minute)
		_, err := w.LookAgain(ctx)
		require.NoError(t, err)
		w.holds(c, d)
		require.Equal(t, "dtm", w.builtBy())
		require.Equal(t, 2, w.calls("v1/signatures"))
	})
	t.Run("and does not come while its hashes live", func(t *testing.T) {
		w, d, c := unbuilt(t, 1000)
		for range 20 {
			w.clock.pass(4 * time.Minute)
			_, _ = w.LookAgain(ctx) // a try that has to wait is an error of the job
		}
		w.holds(c, d)
		require.Equal(t, "countersign", w.builtBy())
	})
	t.Run("and the site is told to build by itself", func(t *testing.T) {
		w, d, c := unbuilt(t, 1000)
		_, g := w.state(c)
		require.NoError(t, w.again(func(o *signing.Options) { o.Builder = nil }).Finish(ctx, g.ID))
		w.holds(c, d)
		require.Equal(t, "countersign", w.builtBy())
	})
}

// Only the first try asks, unless the one before was told that nothing happened: when the answer
// was lost and our own clock service is away too, the structure is not asked for again.
func TestALostStructureIsNotAskedForAgain(t *testing.T) {
	w := newWorld(t, "cp-advanced-p256", elsewhere)
	d := w.submitted("Lost")
	c := w.begun(d)
	w.sim.Trouble(dtmsim.Fault{Path: "v1/signatures", After: true, Drop: true})
	w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 503, N: 6}) // the check before, and the stamp; a read is tried three times
	s := w.again(func(o *signing.Options) { o.WithoutClock = true })
	_, err := s.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	_, g := w.state(c)
	require.Equal(t, "wait_clock", g.Waits)
	w.clock.pass(3 * time.Minute)
	_, err = w.LookAgain(ctx)
	require.NoError(t, err)
	w.holds(c, d)
	require.Equal(t, "countersign", w.builtBy())
	require.Equal(t, 1, w.calls("v1/signatures"))
}

// The calls that are made beside the others are broken off in every way.
func TestASignatureSurvivesTroubleWithWhatIsMadeElsewhere(t *testing.T) {
	for m := range mode(4) {
		for n := 1; n <= 2; n++ {
			where := fmt.Sprintf("mode %d, call %d of the builder", m, n)
			w := newWorld(t, "cp-basic-single", elsewhere)
			d := &dying{mode: m, n: n, only: "builder"}
			life := w.again(d.wrap)
			pdf := page(where, 0)
			survive(func() { flow(w, life, pdf) })
			require.True(t, d.reached(), where)
			w.carriedToItsEnd(pdf, where)
		}
	}
}

func TestASigningMadeElsewherePassesItsPoints(t *testing.T) {
	type moment struct {
		p    signing.Point
		done bool
	}
	var mu sync.Mutex
	var passed []moment
	w := newWorld(t, "cp-basic-single", elsewhere, func(o *signing.Options) {
		o.Reached = func(p signing.Point, done bool) {
			mu.Lock()
			defer mu.Unlock()
			passed = append(passed, moment{p, done})
		}
	})
	w.signedNow("Points elsewhere")
	at := func(p signing.Point, done bool) int { return slices.Index(passed, moment{p, done}) }
	for _, p := range signing.BuilderPoints() {
		require.GreaterOrEqual(t, at(p, false), 0, p)
		require.Greater(t, at(p, true), at(p, false), p)
	}
	require.Less(t, at(signing.PointHashes, true), at(signing.PointPrepare, false))
	require.Less(t, at(signing.PointRecord, true), at(signing.PointBuild, false))
	require.Less(t, at(signing.PointBuild, true), at(signing.PointAppend, false))
}

// What comes after the release does not care who put the signature together, and neither does a
// second signature on top.
func TestAFileThatDTMPutTogetherIsCarriedOn(t *testing.T) {
	w := newWorld(t, "cp-advanced-p256", elsewhere, extending("B-LTA"))
	d := w.released("Carried on from elsewhere")
	require.Equal(t, "dtm", w.builtBy())
	e := w.tryExtension(d.ID)
	require.Equal(t, signing.ExtensionReached, e.State, e.Reason)
	w.clock.pass(31 * time.Second)
	w.signs(w.document(d.ID))
	e = w.tryExtension(d.ID)
	require.Equal(t, signing.ExtensionReached, e.State, e.Reason)
	result, err := w.Check(ctx, w.ada, d.ID)
	require.NoError(t, err)
	require.Equal(t, pades.TotalPassed, result.Indication)
	require.Equal(t, "B-LTA", w.document(d.ID).Level)
	require.Equal(t, 2, w.sim.Count(dtmsim.LedgerBuilt, ""))
}
