package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
	"countersign/people"
	"countersign/signing"
)

// O7, O8: two services stand for two replicas.
func TestParallelApprovalsSignOnce(t *testing.T) {
	for _, n := range []int{2, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, "cp-basic")
			c := w.begun(w.submitted("Double click"))
			f := w.factors()
			replicas := []*signing.Service{w.Service, w.again()}
			var wg sync.WaitGroup
			var mu sync.Mutex
			start := make(chan struct{})
			won := 0
			for i := range n {
				wg.Go(func() {
					<-start
					_, err := replicas[i%2].Authorize(ctx, w.ada, c.ID, f)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won++
						return
					}
					e := new(signing.Error)
					if !errors.As(err, &e) || e.Kind != signing.KindConflict || e.Ceremony != c.ID {
						t.Errorf("a loser is shown the ceremony, got %v", err)
					}
				})
			}
			close(start)
			wg.Wait()
			require.Equal(t, 1, won)
			require.Equal(t, 1, w.calls("credentials/authorize"))
			require.Equal(t, 1, w.calls("signatures/signHash"))
		})
	}
}

func TestDoubleBeginIsOneCeremony(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d := w.submitted("Double begin")
	var wg sync.WaitGroup
	ids := make([]signing.CeremonyID, 10)
	for i := range ids {
		wg.Go(func() {
			c, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{d.ID}, "ada")
			if err != nil {
				t.Errorf("begin: %v", err)
			}
			ids[i] = c.ID
		})
	}
	wg.Wait()
	require.Len(t, slices.Compact(ids), 1, "everybody gets the one")
	var open int
	require.NoError(t, w.db.Read.Get(&open, "SELECT COUNT(*) FROM ceremonies"))
	require.Equal(t, 1, open)
	require.Equal(t, 2, w.files(), "the document and one preparation: %d", w.files())
}

// O9: bytes, preparation or fingerprint altered after the code was sent.
func TestAlteredDocumentIsNotSigned(t *testing.T) {
	for name, alter := range map[string]func(w *world, d signing.Document){
		"bytes": func(w *world, _ signing.Document) {
			path := w.biggestFile()
			b, err := os.ReadFile(path)
			require.NoError(w.t, err)
			b[len(b)/2] ^= 1
			require.NoError(w.t, os.Chmod(path, 0o600))
			require.NoError(w.t, os.WriteFile(path, b, 0o600))
		},
		"bytes, and the file's time put back": func(w *world, _ signing.Document) {
			path := w.biggestFile()
			before, err := os.Stat(path)
			require.NoError(w.t, err)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(w.t, err)
			_, err = f.WriteAt([]byte("another"), before.Size()/2)
			require.NoError(w.t, errors.Join(err, f.Close(), os.Chtimes(path, before.ModTime(), before.ModTime())))
		},
		"file gone": func(w *world, _ signing.Document) { require.NoError(w.t, os.Remove(w.biggestFile())) },
		"fingerprint": func(w *world, d signing.Document) {
			_, err := w.db.Write.Exec("UPDATE documents SET sha256 = ? WHERE id = ?", bytes.Repeat([]byte{1}, 32), string(d.ID))
			require.NoError(w.t, err)
		},
		"digest": func(w *world, _ signing.Document) {
			_, err := w.db.Write.Exec("UPDATE signatures SET digest = ?", bytes.Repeat([]byte{1}, 32))
			require.NoError(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic")
			d := w.submittedBy(w.ada, page("Altered", 300_000))
			c := w.begun(d)
			alter(w, d)
			_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
			require.Equal(t, "bytes_changed", code(t, err))
			require.Zero(t, w.calls("signatures/signHash"))
			d, err = w.Document(ctx, w.ada, d.ID)
			require.NoError(t, err)
			require.Equal(t, signing.DocumentQuarantined, d.State)
			got, g := w.state(c)
			require.Equal(t, signing.CeremonyFailed, got.State)
			require.Equal(t, signing.SignatureFailed, g.State)
			_, _, _, err = w.Open(ctx, w.ada, d.ID)
			require.Equal(t, "quarantined", code(t, err))
		})
	}
}

// The person has typed a code and waits: what was read at the beginning is read again only
// when something has touched it.
func TestWhatNothingTouchedIsNotReadTwiceWhileSomebodyWaits(t *testing.T) {
	const size = 3_000_000
	var read *countingBlobs
	w := newWorld(t, "cp-basic", func(o *signing.Options) {
		read = &countingBlobs{Blobs: o.Blobs}
		o.Blobs = read
	})
	for i, touched := range []bool{false, true} { // the second is the bigger one
		c := w.begun(w.submittedBy(w.ada, page("Read", size+i)))
		if touched {
			now := time.Now()
			require.NoError(t, os.Chtimes(w.biggestFile(), now, now))
		}
		read.bytes.Store(0)
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err)
		_, g := w.state(c)
		require.Equal(t, signing.SignatureReleased, g.State)
		once := size + size/10 // the check of the finished file, and what it looks up
		if touched {
			require.Greater(t, read.bytes.Load(), int64(2*size))
		} else {
			require.Less(t, read.bytes.Load(), int64(once))
		}
		w.clock.pass(31 * time.Second)
	}
}

type countingBlobs struct {
	signing.Blobs
	bytes atomic.Int64
}

func (b *countingBlobs) Open(ctx context.Context, d signing.DocumentID, key []byte, id string) (signing.BlobReader, error) {
	r, err := b.Blobs.Open(ctx, d, key, id)
	return countingReader{r, b}, err
}

type countingReader struct {
	signing.BlobReader
	of *countingBlobs
}

func (r countingReader) ReadAt(p []byte, at int64) (int, error) {
	r.of.bytes.Add(int64(len(p)))
	return r.BlobReader.ReadAt(p, at)
}

// O10: another credential means another ceremony, and the code of the first is worthless.
func TestAnotherCredentialVoidsTheCode(t *testing.T) {
	w := newWorld(t, "cp-basic")
	second, err := w.sim.AddSigner("Ada", "Example", "cp-basic-single", "ada-2")
	require.NoError(t, err)
	w.options.Credentials.(credentials).known["other"] = owned{w.person.ID, second.Credential}
	d := w.submitted("Swap")
	c := w.begun(d)
	f := w.factors()
	swapped, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{d.ID}, "other")
	require.NoError(t, err)
	require.NotEqual(t, c.ID, swapped.ID)
	_, err = w.Authorize(ctx, w.ada, c.ID, f)
	require.Equal(t, "cancelled", code(t, err))
	_, err = w.Authorize(ctx, w.ada, swapped.ID, f)
	require.Equal(t, "code_not_sent", code(t, err))
	require.Zero(t, w.calls("credentials/authorize"))
	require.Equal(t, 2, w.files(), "the old preparation is gone")

	_, _, err = w.Begin(ctx, w.another("Bea", "cp-basic", "bea"), []signing.DocumentID{d.ID}, "ada")
	require.Equal(t, "not_found", code(t, err))
	_, _, err = w.Begin(ctx, w.ada, []signing.DocumentID{w.submitted("Foreign").ID}, "bea")
	require.Equal(t, "credential_missing", code(t, err))
}

// O13.
func TestUnusableCredentialDoesNotSign(t *testing.T) {
	for name, spoil := range map[string]func(*dtmtest.Sim, string) error{
		"revoked": (*dtmtest.Sim).Revoke, "suspended": (*dtmtest.Sim).Suspend,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic")
			c := w.begun(w.submitted("Before"))
			f := w.factors()
			require.NoError(t, spoil(w.sim, w.signer.Credential))
			_, err := w.Authorize(ctx, w.ada, c.ID, f)
			require.Error(t, err)
			require.Zero(t, w.calls("signatures/signHash"))
			got, g := w.state(c)
			require.Equal(t, signing.CeremonyFailed, got.State)
			require.Equal(t, signing.SignatureFailed, g.State)

			_, checks, err := w.Begin(ctx, w.ada, []signing.DocumentID{w.submitted("After").ID}, "ada")
			require.Equal(t, "credential_unusable", code(t, err))
			require.Equal(t, []signing.Preflight{{Name: "credential", Text: "Your credential is active.", State: signing.CheckFailed}}, checks)
		})
	}
}

// spoilAt calls spoil right before signHash would be asked for: when the credential is
// looked at for the last time.
type spoilAt struct {
	signing.Credentials
	n     int
	at    int
	spoil func()
}

func (s *spoilAt) Fresh(c context.Context, id string) (signing.Credential, error) {
	if s.n++; s.n == s.at {
		s.spoil()
	}
	return s.Credentials.Fresh(c, id)
}

func TestCredentialRevokedAfterApprovalDoesNotSign(t *testing.T) {
	w := newWorld(t, "cp-basic")
	s := &spoilAt{Credentials: w.options.Credentials, at: 2, spoil: func() { require.NoError(t, w.sim.Revoke(w.signer.Credential)) }}
	w.Service = w.again(func(o *signing.Options) { o.Credentials = s })
	c := w.begun(w.submitted("Revoked between"))
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.Equal(t, "credential_unusable", code(t, err))
	require.Equal(t, 2, s.n)
	require.Zero(t, w.calls("signatures/signHash"))
}

// O12: ours, by the clock, and the service's own word.
func TestExpiredApprovalIsNotUsedAndNotRepeated(t *testing.T) {
	w := newWorld(t, "cp-basic")
	w.Service = w.again(func(o *signing.Options) {
		o.Credentials = &spoilAt{Credentials: w.options.Credentials, at: 2, spoil: func() { w.clock.pass(5 * time.Minute) }}
	})
	c := w.begun(w.submitted("Slow"))
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.Equal(t, "sad_expired", code(t, err))
	require.Zero(t, w.calls("signatures/signHash"))

	w = newWorld(t, "cp-basic")
	c = w.begun(w.submitted("Expired there"))
	w.sim.Trouble(dtmsim.Fault{Path: "signatures/signHash", Status: 400, Body: `{"error":"invalid_request","error_description":"SAD expired"}`})
	_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.Equal(t, "sad_expired", code(t, err))
	require.Equal(t, 1, w.calls("signatures/signHash"))
	_, g := w.state(c)
	require.Equal(t, signing.SignatureFailed, g.State)
	w.clock.pass(31 * time.Second)
	d, err := w.Document(ctx, w.ada, g.Document)
	require.NoError(t, err)
	_, err = w.Authorize(ctx, w.ada, w.begun(d).ID, w.factors())
	require.NoError(t, err, "a new ceremony signs")
}

// O11, O14, O16 and what else the service may answer: state, code, whether upstream may have signed.
func TestEveryAnswerOfTheServiceHasItsOutcome(t *testing.T) {
	csc := func(text string) dtmsim.Fault {
		return dtmsim.Fault{Status: 400, Body: `{"error":"invalid_request","error_description":"` + text + `"}`}
	}
	values := func(v ...string) dtmsim.Fault {
		return dtmsim.Fault{Status: 200, Body: `{"signatures":["` + strings.Join(v, `","`) + `"]}`}
	}
	const nonsense = "AAECAwQFBgcICQ=="
	for name, c := range map[string]struct {
		path     string
		fault    dtmsim.Fault
		code     string
		ceremony signing.CeremonyState
		state    signing.SignatureState
	}{
		"OTP locked":                 {"credentials/authorize", csc("OTP locked"), "otp_locked", "failed", "failed"},
		"PIN locked":                 {"credentials/authorize", csc("PIN locked"), "pin_locked", "failed", "failed"},
		"key disabled":               {"credentials/authorize", csc("The credential identified by credentialID is disabled"), "remote_refused", "failed", "failed"},
		"authorize not answered":     {"credentials/authorize", dtmsim.Fault{Drop: true, After: true}, "authorize_unknown", "prepared", "prepared"},
		"authorize 500":              {"credentials/authorize", dtmsim.Fault{Status: 500}, "authorize_unknown", "prepared", "prepared"},
		"authorize garbage":          {"credentials/authorize", dtmsim.Fault{Garbage: true}, "authorize_unknown", "prepared", "prepared"},
		"authorize 504":              {"credentials/authorize", dtmsim.Fault{Status: 504}, "not_approved", "code_sent", "prepared"},
		"authorize 429":              {"credentials/authorize", dtmsim.Fault{Status: 429}, "remote_busy", "code_sent", "prepared"},
		"hash not authorized":        {"signatures/signHash", csc("Hash is not authorized by the SAD."), "sign_refused", "failed", "failed"},
		"sign: certificate expired":  {"signatures/signHash", csc("Signing certificate is expired."), "sign_refused", "failed", "failed"},
		"sign not answered":          {"signatures/signHash", dtmsim.Fault{Drop: true, After: true}, "outcome_unknown", "failed", "outcome_unknown"},
		"sign not reached":           {"signatures/signHash", dtmsim.Fault{Drop: true}, "outcome_unknown", "failed", "outcome_unknown"},
		"sign 500":                   {"signatures/signHash", dtmsim.Fault{Status: 500}, "outcome_unknown", "failed", "outcome_unknown"},
		"sign 502 after signing":     {"signatures/signHash", dtmsim.Fault{Status: 502, After: true}, "outcome_unknown", "failed", "outcome_unknown"},
		"sign 503":                   {"signatures/signHash", dtmsim.Fault{Status: 503}, "remote_busy", "failed", "failed"},
		"sign cut off":               {"signatures/signHash", dtmsim.Fault{Truncate: true, After: true}, "outcome_unknown", "failed", "outcome_unknown"},
		"sign garbage":               {"signatures/signHash", dtmsim.Fault{Garbage: true}, "value_count", "failed", "failed"},
		"no signature":               {"signatures/signHash", dtmsim.Fault{Status: 200, Body: `{"signatures":[]}`}, "value_count", "failed", "failed"},
		"two for one":                {"signatures/signHash", values(nonsense, nonsense), "value_count", "failed", "failed"},
		"bad base64":                 {"signatures/signHash", values("§"), "value_count", "failed", "failed"},
		"a value of nothing we know": {"signatures/signHash", values(nonsense), "value_wrong", "failed", "failed"},
		"a truncated value":          {"signatures/signHash", values("AA=="), "value_wrong", "failed", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic")
			d := w.submitted("Answers")
			before := w.bytes(w.ada, d.ID)
			ceremony := w.begun(d)
			f := w.factors()
			c.fault.Path = c.path
			w.sim.Trouble(c.fault)
			_, err := w.Authorize(ctx, w.ada, ceremony.ID, f)
			require.Equal(t, c.code, code(t, err))
			got, g := w.state(ceremony)
			require.Equal(t, c.ceremony, got.State)
			require.Equal(t, c.state, g.State)
			require.Equal(t, c.code, got.Reason)
			require.Nil(t, g.Value)
			require.LessOrEqual(t, w.calls("credentials/authorize"), 1)
			require.LessOrEqual(t, w.calls("signatures/signHash"), 1)
			require.Equal(t, before, w.bytes(w.ada, d.ID), "nothing was delivered")
			w.clock.pass(time.Hour)
			_, err = w.LookAgain(ctx)
			require.NoError(t, err)
			require.LessOrEqual(t, w.calls("signatures/signHash"), 1, "no second automatic call")
			got, _ = w.state(ceremony)
			require.True(t, got.State.Final())
			if c.state == signing.SignatureOutcomeUnknown {
				require.Contains(t, w.actions("signature"), "signature.unknown")
			}
		})
	}
}

func TestUnreachableServiceDoesNotUseUpTheCode(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.begun(w.submitted("Down"))
	f := w.factors()
	w.Service = w.again(func(o *signing.Options) { o.Remote = unreachable{o.Remote} })
	for range 12 { // more than a ceremony or an hour allows
		_, err := w.Authorize(ctx, w.ada, c.ID, f)
		require.Equal(t, "unreachable", code(t, err))
	}
	w.Service = w.again()
	_, err := w.Authorize(ctx, w.ada, c.ID, f)
	require.NoError(t, err)
}

// O14: values of other hashes, of another key, in another order; O18: one of several is wrong.
func TestValuesAreHeldAgainstTheCertificateBeforeTheyAreStored(t *testing.T) {
	for name, c := range map[string]struct {
		mangle func(values [][]byte)
		want   []signing.SignatureState
	}{
		"swapped":       {func(v [][]byte) { v[0], v[1] = v[1], v[0] }, []signing.SignatureState{"failed", "failed", "released"}},
		"one for three": {func(v [][]byte) { v[1], v[2] = v[0], v[0] }, []signing.SignatureState{"released", "failed", "failed"}},
		"one bit":       {func(v [][]byte) { v[2][7] ^= 1 }, []signing.SignatureState{"released", "released", "failed"}},
		"cut":           {func(v [][]byte) { v[0] = v[0][:len(v[0])-1] }, []signing.SignatureState{"failed", "released", "released"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-advanced", func(o *signing.Options) { o.Remote = mangled{o.Remote, c.mangle} })
			ceremony := w.begun(w.submitted("One"), w.submitted("Two"), w.submitted("Three"))
			_, err := w.Authorize(ctx, w.ada, ceremony.ID, w.factors())
			require.NoError(t, err)
			_, all, err := w.Ceremony(ctx, w.ada, ceremony.ID)
			require.NoError(t, err)
			for i, g := range all {
				require.Equal(t, c.want[i], g.State)
				if g.State == signing.SignatureFailed {
					require.Equal(t, "value_wrong", g.Reason)
					require.Nil(t, g.Value)
				}
			}
		})
	}
}

func TestPushThatNobodyApprovesSignsNothing(t *testing.T) {
	w := newWorld(t, "cp-advanced-push")
	c := w.begun(w.submitted("Push"))
	_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{})
	require.Equal(t, "not_approved", code(t, err))
	got, g := w.state(c)
	require.Equal(t, signing.CeremonyPrepared, got.State)
	require.Equal(t, signing.SignaturePrepared, g.State)
	w.sim.Phone(w.signer.UserID, true)
	_, err = w.Authorize(ctx, w.ada, c.ID, signing.Factors{})
	require.NoError(t, err)
}

// A visitor who closes the window does not stop what was approved.
func TestApprovalOutlivesTheConnection(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.begun(w.submitted("Closed window"))
	gone, cancel := context.WithCancel(ctx)
	w.Service = w.again(func(o *signing.Options) { o.Remote = cancels{o.Remote, cancel} })
	_, err := w.Authorize(gone, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	require.Error(t, gone.Err())
	_, g := w.state(c)
	require.Equal(t, signing.SignatureReleased, g.State)
}

func TestRolesThatDoNotSignAreRefusedAndWrittenDown(t *testing.T) {
	w := newWorld(t, "cp-basic")
	auditor := people.Actor{Person: w.person.ID, Roles: []people.Role{people.Auditor}}
	d := w.submitted("Forbidden")
	_, _, err := w.Begin(ctx, auditor, []signing.DocumentID{d.ID}, "ada")
	require.Equal(t, "forbidden", code(t, err))
	_, err = w.Submit(ctx, auditor, "x.pdf", -1, strings.NewReader("%PDF-"))
	require.Equal(t, "forbidden", code(t, err))
	var refused int
	require.NoError(t, w.db.Read.Get(&refused, "SELECT COUNT(*) FROM audit WHERE outcome = 'refused' AND reason = 'forbidden'"))
	require.Equal(t, 2, refused)
}

// No code, PIN or activation data is left in the database, whatever happened.
func TestSecretsAreNowhereInTheDatabase(t *testing.T) {
	w := newWorld(t, "cp-advanced")
	c := w.begun(w.submitted("Canary"))
	f := w.factors()
	_, err := w.Authorize(ctx, w.ada, c.ID, signing.Factors{OTP: f.OTP, PIN: "8675309123"})
	require.Equal(t, "pin_wrong", code(t, err))
	_, err = w.Authorize(ctx, w.ada, c.ID, f)
	require.NoError(t, err)
	for _, table := range []string{"documents", "revisions", "ceremonies", "signatures", "attempts", "audit", "outbox", "river_job"} {
		rows, err := w.db.Read.Queryx("SELECT * FROM " + table)
		require.NoError(t, err)
		for rows.Next() {
			values, err := rows.SliceScan()
			require.NoError(t, err)
			for _, v := range values {
				text := fmt.Sprintf("%s", v)
				for _, secret := range []string{"8675309123", string(f.PIN)} {
					require.NotContains(t, text, secret, table)
				}
				require.NotEqual(t, string(f.OTP), text, table)
			}
		}
		require.NoError(t, rows.Close())
	}
}
