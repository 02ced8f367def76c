package db_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/people"
	"countersign/signing"
)

type (
	documentMoves  = []signing.Moved[signing.DocumentState, signing.Document]
	ceremonyMoves  = []signing.Moved[signing.CeremonyState, signing.Ceremony]
	signatureMoves = []signing.Moved[signing.SignatureState, signing.Signature]
)

func TestALimitHoldsForManyAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		results := atOnce(20, func(int) error {
			err := d.Signing().Apply(t.Context(), signing.Change{
				Limits:   []signing.Limit{{Action: "otp.try", Subject: "c", Since: noon, Max: 5}, {Action: "otp.try", Subject: "x", Since: noon, Max: 5}},
				Attempts: []signing.Attempt{{Action: "otp.try", Subject: "c", At: noon}},
			})
			if errors.Is(err, signing.ErrLimited) {
				return signing.ErrLimited
			}
			return err
		})
		require.Equal(t, map[string]int{"": 5, signing.ErrLimited.Error(): 15}, results)
	})
}

func TestALimitForgetsWhatIsOldAndWhatTurnedOutRight(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Signing()
		try := func(at time.Time, except string) error {
			return s.Apply(ctx, signing.Change{
				Limits:   []signing.Limit{{Action: "otp.try", Subject: "c", Except: except, Since: at.Add(-time.Hour), Max: 1}},
				Attempts: []signing.Attempt{{Action: "otp.try", Subject: "c", At: at}},
			})
		}
		require.NoError(t, try(noon, ""))
		require.ErrorIs(t, try(noon.Add(time.Hour), ""), signing.ErrLimited, "an hour is inclusive")
		require.NoError(t, try(noon.Add(time.Hour+time.Millisecond), ""))
		require.NoError(t, s.Apply(ctx, signing.Change{Attempts: []signing.Attempt{{Action: "otp.back", Subject: "c", At: noon.Add(time.Hour + time.Millisecond)}}}))
		require.NoError(t, try(noon.Add(time.Hour+2*time.Millisecond), "otp.back"))
	})
}

func TestTwoUploadsCannotBothTakeTheLastPlace(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{})
		results := atOnce(8, func(i int) error {
			doc := aDocument(p.ID, fmt.Sprint("d", i))
			doc.State, doc.Size = signing.DocumentReceiving, 100
			err := d.Signing().Apply(t.Context(), signing.Change{Documents: documentMoves{{To: doc}},
				Quota: &signing.QuotaCheck{Owner: p.ID, Bytes: 399, Files: 100}})
			if errors.Is(err, signing.ErrQuota) {
				return signing.ErrQuota
			}
			return err
		})
		require.Equal(t, map[string]int{"": 3, signing.ErrQuota.Error(): 5}, results)
		bytes, files, err := d.Signing().Usage(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, []int64{300, 3}, []int64{bytes, int64(files)})
	})
}

func TestADocumentHasOneOpenPreparation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Signing()
		p := dbtest.Person(t, d, people.Person{})
		doc := aDocument(p.ID, "d1")
		require.NoError(t, s.Apply(ctx, signing.Change{Documents: documentMoves{{To: doc}}}))
		begin := func(i int) error {
			cer := aCeremony(p.ID, fmt.Sprint("y", i))
			return s.Apply(ctx, signing.Change{Ceremonies: ceremonyMoves{{To: cer}},
				Signatures: signatureMoves{{To: aSignature(p.ID, cer.ID, doc.ID, fmt.Sprint("s", i))}}})
		}
		results := atOnce(6, begin)
		require.Equal(t, 1, results[""], "%v", results)

		open, err := s.OpenCeremony(ctx, doc.ID)
		require.NoError(t, err)
		sigs, err := s.Signatures(ctx, open.ID)
		require.NoError(t, err)
		require.Len(t, sigs, 1)
		for _, step := range []signing.SignatureState{signing.SignatureIntended, signing.SignatureOutcomeUnknown} {
			if step == signing.SignatureOutcomeUnknown {
				require.ErrorIs(t, begin(7), signing.ErrConflict)
			}
			from := sigs[0].State
			sigs[0].State = step
			require.NoError(t, s.Apply(ctx, signing.Change{Signatures: signatureMoves{{From: from, To: sigs[0]}}}))
			sigs[0].Version++
		}
		require.NoError(t, begin(8), "an unknown outcome does not block for ever")
		// One change may replace the open preparation, whatever the order it is told in.
		cer := aCeremony(p.ID, "y9")
		old, err := s.Signature(ctx, "s8")
		require.NoError(t, err)
		old.State = signing.SignatureCancelled
		require.NoError(t, s.Apply(ctx, signing.Change{Ceremonies: ceremonyMoves{{To: cer}}, Signatures: signatureMoves{
			{To: aSignature(p.ID, cer.ID, doc.ID, "s9")}, {From: signing.SignaturePrepared, To: old}}}))
	})
}

func TestSignaturesKeepTheOrderOfTheCeremony(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{})
		cer := aCeremony(p.ID, "y1")
		c := signing.Change{Ceremonies: ceremonyMoves{{To: cer}}}
		for i, id := range []string{"z", "b", "k", "a"} {
			doc := aDocument(p.ID, fmt.Sprint("d", i))
			c.Documents = append(c.Documents, signing.Moved[signing.DocumentState, signing.Document]{To: doc})
			c.Signatures = append(c.Signatures, signing.Moved[signing.SignatureState, signing.Signature]{To: aSignature(p.ID, cer.ID, doc.ID, id)})
		}
		require.NoError(t, d.Signing().Apply(t.Context(), c))
		sigs, err := d.Signing().Signatures(t.Context(), cer.ID)
		require.NoError(t, err)
		var order string
		for _, s := range sigs {
			order += string(s.ID)
		}
		require.Equal(t, "zbka", order)
		// A later step of one of them does not move it.
		sigs[0].State = signing.SignatureIntended
		require.NoError(t, d.Signing().Apply(t.Context(), signing.Change{Signatures: signatureMoves{{From: signing.SignaturePrepared, To: sigs[0]}}}))
		sigs, err = d.Signing().Signatures(t.Context(), cer.ID)
		require.NoError(t, err)
		require.Equal(t, signing.SignatureID("z"), sigs[0].ID)
	})
}

func TestOnlyTheOneWhoMadeARevisionWithdrawsIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Signing()
		p := dbtest.Person(t, d, people.Person{})
		doc := aDocument(p.ID, "d1")
		rev := signing.Revision{Document: doc.ID, Number: 2, Blob: "b2", Signature: "s1", CreatedAt: noon}
		require.NoError(t, s.Apply(ctx, signing.Change{Documents: documentMoves{{To: doc}}, Revisions: []signing.Revision{rev}}))
		require.ErrorIs(t, s.Apply(ctx, signing.Change{Revisions: []signing.Revision{rev}}), signing.ErrConflict)
		other := rev
		other.Signature = "s2"
		require.ErrorIs(t, s.Apply(ctx, signing.Change{Withdrawn: []signing.Revision{other}}), signing.ErrConflict)
		require.NoError(t, s.Apply(ctx, signing.Change{Withdrawn: []signing.Revision{rev}}))
		revs, err := s.Revisions(ctx, doc.ID)
		require.NoError(t, err)
		require.Empty(t, revs)
	})
}

func TestOnlyWhatWasNeverReceivedIsForgotten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Signing()
		p := dbtest.Person(t, d, people.Person{})
		ready, receiving := aDocument(p.ID, "d1"), aDocument(p.ID, "d2")
		receiving.State = signing.DocumentReceiving
		require.NoError(t, s.Apply(ctx, signing.Change{Documents: documentMoves{{To: ready}, {To: receiving}}}))
		require.ErrorIs(t, s.Apply(ctx, signing.Change{Forget: []signing.DocumentID{"d1"}}), signing.ErrConflict)
		require.NoError(t, s.Apply(ctx, signing.Change{Forget: []signing.DocumentID{"d2"}}))
		_, err := s.Document(ctx, p.ID, "d2")
		require.ErrorIs(t, err, signing.ErrNotFound)
	})
}

func TestOverdueFindsWhatWaitsPastItsDeadlineAndNothingElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Signing()
		p := dbtest.Person(t, d, people.Person{})
		late, done := aDocument(p.ID, "late"), aDocument(p.ID, "done")
		late.State = signing.DocumentChecking
		cer, used := aCeremony(p.ID, "y1"), aCeremony(p.ID, "y2")
		used.State = signing.CeremonyUsed
		noDeadline := aCeremony(p.ID, "y3")
		noDeadline.Deadline = time.Time{}
		sig, unknown := aSignature(p.ID, "y1", "done", "s1"), aSignature(p.ID, "y1", "late", "s2")
		unknown.State = signing.SignatureOutcomeUnknown
		require.NoError(t, s.Apply(ctx, signing.Change{Documents: documentMoves{{To: late}, {To: done}},
			Ceremonies: ceremonyMoves{{To: cer}, {To: used}, {To: noDeadline}}, Signatures: signatureMoves{{To: sig}, {To: unknown}}}))
		o, err := s.Overdue(ctx, noon.Add(time.Hour-time.Millisecond), 10)
		require.NoError(t, err)
		require.Empty(t, append(append([]any{}, anys(o.Documents)...), append(anys(o.Ceremonies), anys(o.Signatures)...)...))
		o, err = s.Overdue(ctx, noon.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Equal(t, []signing.Document{late}, o.Documents)
		require.Equal(t, []signing.Ceremony{cer}, o.Ceremonies)
		require.Equal(t, []signing.Signature{sig}, o.Signatures)
	})
}

func anys[T any](in []T) (out []any) {
	for _, v := range in {
		out = append(out, v)
	}
	return out
}

func TestALimitIsCountedFromTheLastRightOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.UnixMilli(1_700_000_000_000)
		s := d.Signing()
		count := func(action string, at time.Duration) {
			t.Helper()
			require.NoError(t, s.Apply(t.Context(), signing.Change{Attempts: []signing.Attempt{{Action: action, Subject: "c", At: now.Add(at)}}}))
		}
		reached := func(most int) bool {
			t.Helper()
			err := s.Apply(t.Context(), signing.Change{Limits: []signing.Limit{{Action: "otp.try", Except: "otp.back", After: "otp.right", Subject: "c", Since: now, Max: most}}})
			if err != nil {
				require.ErrorIs(t, err, signing.ErrLimited)
			}
			return err != nil
		}
		for i := range 3 {
			count("otp.try", time.Duration(i)*time.Minute)
		}
		require.True(t, reached(3))
		require.False(t, reached(4))
		count("otp.try", 4*time.Minute) // the right one: taken off, and what was before is forgotten
		count("otp.back", 5*time.Minute)
		count("otp.right", 5*time.Minute)
		require.False(t, reached(1))
		count("otp.try", 6*time.Minute)
		require.True(t, reached(1))
		require.False(t, reached(2))
	})
}

func TestWhatIsOldIsForgottenOldestFirstAndNothingElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.UnixMilli(1_700_000_000_000)
		s := d.Signing()
		var all []signing.Attempt
		for i := range 5200 {
			all = append(all, signing.Attempt{Action: "otp.try", Subject: "c", At: now.Add(-time.Duration(i+1) * time.Second)})
		}
		all = append(all, signing.Attempt{Action: "otp.try", Subject: "c", At: now}, signing.Attempt{Action: "otp.send", Subject: "c", At: now.Add(time.Hour)})
		require.NoError(t, s.Apply(t.Context(), signing.Change{Attempts: all}))
		left := func() (n int) {
			require.NoError(t, d.Read.Get(&n, "SELECT count(*) FROM attempts"))
			return n
		}
		n, err := s.ForgetOld(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, 5001, n)
		var oldest int64
		require.NoError(t, d.Read.Get(&oldest, "SELECT min(at) FROM attempts"))
		require.Equal(t, now.Add(-199*time.Second).UnixMilli(), oldest)
		n, err = s.ForgetOld(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, 199, n)
		require.Equal(t, 2, left())
		n, err = s.ForgetOld(t.Context(), now)
		require.NoError(t, err)
		require.Zero(t, n)

		c := signing.CeremonyID("y1")
		require.NoError(t, s.Apply(t.Context(), signing.Change{Ceremonies: ceremonyMoves{{To: aCeremony(dbtest.Person(t, d, people.Person{}).ID, "y1")}}, Checks: []signing.Check{
			{Ceremony: c, Name: "clock", State: signing.CheckOK, At: now.Add(-time.Second)}, {Ceremony: c, Name: "key", State: signing.CheckOK, At: now}}}))
		n, err = s.ForgetOld(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		checks, err := s.Checks(t.Context(), c)
		require.NoError(t, err)
		require.Len(t, checks, 1)
		require.Equal(t, "key", checks[0].Name)
	})
}
