package signing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/pades"
	"countersign/signing"
)

var ctx = context.Background()

func TestEveryKindOfCredentialSigns(t *testing.T) {
	for _, profile := range []string{"cp-basic", "cp-advanced", "cp-advanced-p256", "cp-advanced-totp", "cp-advanced-push", "cp-basic-single", "cp-oauth2code",
		"cp-totp", "cp-otp-optional", "cp-pin-optional", "cp-either"} {
		t.Run(profile, func(t *testing.T) {
			w := newWorld(t, profile)
			original := page("A contract", 0)
			d := w.submittedBy(w.ada, original)
			c := w.begun(d)
			if c.Factor.Mode == "implicit" {
				w.sim.Phone(w.signer.UserID, true)
			}
			if c.Factor.Consent() {
				address, err := w.AskConsent(ctx, w.ada, c.ID, sessionA)
				require.NoError(t, err)
				require.NoError(t, w.taken(w.clicked(address, true)))
			} else {
				_, err := w.Authorize(ctx, w.ada, c.ID, w.asked(c.Factor))
				require.NoError(t, err)
			}
			c, _ = w.state(c)
			require.Equal(t, signing.CeremonyUsed, c.State)

			_, g := w.state(c)
			require.Equal(t, signing.SignatureReleased, g.State, g.Reason)
			require.Equal(t, "B-T", g.Level)
			require.Equal(t, "Ada Example", g.SignerName)
			require.False(t, g.StampedAt.IsZero())

			signed := w.bytes(w.ada, d.ID)
			require.True(t, bytes.HasPrefix(signed, original), "the original bytes are untouched")
			result, err := w.Check(ctx, w.ada, d.ID)
			require.NoError(t, err)
			require.Equal(t, pades.TotalPassed, result.Indication)
			require.Len(t, result.Signatures, 1)

			d, err = w.Document(ctx, w.ada, d.ID)
			require.NoError(t, err)
			require.True(t, d.Signed)
			require.Equal(t, 2, d.Revisions)
			require.EqualValues(t, len(signed), d.Size)
			require.Equal(t, map[string]int{string(c.ID): 1}, w.signHashes())

			mails := dbtest.Mails(t, w.db)
			require.Len(t, mails, 1)
			require.Equal(t, "Signed: contract.pdf", mails[0].Subject)
		})
	}
}

func TestSecondSignerKeepsTheFirstSignatureValid(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d := w.submitted("Two hands")
	c := w.begun(d)
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)

	// Bea gets the file Ada signed, uploads and signs it; then signs once more.
	bea := w.another("Bea", "cp-advanced-p256", "bea")
	signer := w.options.Credentials.(credentials).known["bea"].name
	e := w.submittedBy(bea, w.bytes(w.ada, d.ID))
	require.Equal(t, 1, e.Earlier)
	for n := 2; n <= 3; n++ {
		c, _, err = w.Begin(ctx, bea, []signing.DocumentID{e.ID}, "bea")
		require.NoError(t, err)
		c, err = w.Authorize(ctx, bea, c.ID, signing.Factors{PIN: signing.Secret(w.sim.PIN(userOf(w, signer)))})
		require.NoError(t, err)
		result, err := w.Check(ctx, bea, e.ID)
		require.NoError(t, err)
		require.Equal(t, pades.TotalPassed, result.Indication)
		require.Len(t, result.Signatures, n)
		require.Equal(t, "Ada Example", result.Signatures[0].SignerName)
		require.Equal(t, "Bea Example", result.Signatures[n-1].SignerName)
	}
}

func userOf(w *world, credential string) string {
	c, err := w.client.Credential(ctx, credential)
	require.NoError(w.t, err)
	return c.UserID
}

func TestOneApprovalSignsSeveralDocuments(t *testing.T) {
	w := newWorld(t, "cp-advanced")
	docs := []signing.Document{w.submitted("One"), w.submitted("Two"), w.submitted("Three")}
	c := w.begun(docs...)
	c, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	_, signatures, err := w.Ceremony(ctx, w.ada, c.ID)
	require.NoError(t, err)
	require.Len(t, signatures, 3)
	for i, g := range signatures {
		require.Equal(t, docs[i].ID, g.Document)
		require.Equal(t, signing.SignatureReleased, g.State)
	}
	require.Equal(t, 1, w.calls("credentials/authorize"))
	require.Equal(t, 1, w.calls("signatures/signHash"))
	for _, e := range w.sim.Ledger() {
		if e.Kind == dtmsim.LedgerSADIssued {
			require.Equal(t, 3, e.Signatures)
			require.Len(t, e.Hashes, 3)
		}
	}
}

func TestJobCarriesNothingButTheId(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.begun(w.submitted("Backstop"))
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	_, g := w.state(c)
	jobs := dbtest.Jobs(t, w.db)
	require.Len(t, jobs, 1)
	require.Equal(t, "finish-signature", jobs[0].Kind)
	var args map[string]string
	require.NoError(t, json.Unmarshal([]byte(jobs[0].Args), &args))
	require.Equal(t, map[string]string{"signature": string(g.ID)}, args)
	require.NoError(t, w.Finish(ctx, g.ID), "the job finds it done")
}
