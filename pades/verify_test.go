package pades_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

func TestASignedFilePasses(t *testing.T) {
	base := paper()
	file := signFile(t, base, signing{})
	r := check(t, file)
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	s := r.Signatures[0]
	require.Equal(t, "B-B", s.Level)
	require.Equal(t, "Ada Example", s.SignerName)
	require.Equal(t, "Test Issuer", s.Issuer)
	require.Len(t, s.Chain, 3)
	require.True(t, s.CoversAll)
	require.Equal(t, 2, s.Revision)
	require.Equal(t, s.Digest, s.Computed)
	require.Equal(t, theAuthority().now, s.ClaimedTime)
	require.Equal(t, 1, r.Pages)
	whole, original := sha256.Sum256(file), sha256.Sum256(base)
	require.Equal(t, whole[:], r.SHA256)
	require.Equal(t, original[:], r.Original)
}

func TestTheOriginalIsFoundWithoutItsLastEndOfLine(t *testing.T) {
	base := bytes.TrimRight(paper(), "\n")
	r := check(t, signFile(t, base, signing{}))
	original := sha256.Sum256(base)
	require.Equal(t, original[:], r.OriginalBare)
}

func TestATimestampFixesTheTime(t *testing.T) {
	r := check(t, signFile(t, paper(), signing{stamp: true}))
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	s := r.Signatures[0]
	require.Equal(t, "B-T", s.Level)
	require.Equal(t, "Test Clock", s.StampIssuer)
	require.WithinDuration(t, time.Now(), s.StampTime, time.Minute)
}

func TestATimestampProvesThatAnEndedCertificateWasGood(t *testing.T) {
	a := theAuthority()
	key := newKey()
	short := certificate("Short Lived", a.issuer, key, a.issuerKey, endsSoon)
	s := signing{chain: append(a.chain()[:0:0], short, a.issuer, a.root), key: key}
	later := pades.VerifyOptions{Roots: a.roots, Now: short.NotAfter.Add(time.Hour)}

	r := checkWith(t, signFile(t, paper(), s), later)
	require.Equal(t, pades.Indeterminate, r.Indication)
	require.Equal(t, "OUT_OF_BOUNDS_NO_POE", r.Signatures[0].SubIndication)

	s.stamp = true
	r = checkWith(t, signFile(t, paper(), s), later)
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
}

func TestWithoutRootsNothingPasses(t *testing.T) {
	r := checkWith(t, signFile(t, paper(), signing{stamp: true}), pades.VerifyOptions{})
	require.Equal(t, pades.Indeterminate, r.Indication)
	require.Equal(t, "NO_CERTIFICATE_CHAIN_FOUND", r.Signatures[0].SubIndication)
}

func TestAFileWithoutSignatureSaysSo(t *testing.T) {
	r := check(t, paper())
	require.Equal(t, pades.NoSignature, r.Indication)
	require.Equal(t, 3, r.ExitCode())
}

func TestSeveralSignaturesPassTogether(t *testing.T) {
	file := signFile(t, paper(), signing{})
	file = signFile(t, file, signing{stamp: true})
	file = signFile(t, file, signing{opts: pades.Options{Field: "Approval"}})
	r := check(t, file)
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	require.Len(t, r.Signatures, 3)
	require.False(t, r.Signatures[0].CoversAll)
	require.True(t, r.Signatures[2].CoversAll)
	require.Equal(t, 4, r.Signatures[0].Revisions)
	require.Contains(t, report(r), "Added: 2 signatures.")
}

func TestTheWorstSignatureIsTheHeadline(t *testing.T) {
	key := newKey()
	self := certificate("Nobody", nil, key, key, leaf)
	file := signFile(t, paper(), signing{})
	file = signFile(t, file, signing{chain: append(theAuthority().chain()[:0:0], self), key: key})
	r := check(t, file)
	require.Equal(t, pades.Indeterminate, r.Indication)
	require.Equal(t, pades.TotalPassed, r.Signatures[0].Indication, report(r))
}

func TestACertifiedFileMayBeSignedAsItsAuthorPermits(t *testing.T) {
	file := signFile(t, paper(), signing{opts: pades.Options{Certify: 2}})
	file = signFile(t, file, signing{})
	r := check(t, file)
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	require.Equal(t, "Approval", r.Signatures[1].Field)
}

func TestTheReportHasStableNames(t *testing.T) {
	r := check(t, signFile(t, paper(), signing{stamp: true}))
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(raw, &got))
	require.Equal(t, "TOTAL-PASSED", got["indication"])
	s := got["signatures"].([]any)[0].(map[string]any)
	for _, k := range []string{"field", "type", "indication", "level", "algorithm", "signer", "issuer", "serial", "chain", "claimedTime", "timestampTime",
		"timestampIssuer", "signedDigest", "computedDigest", "revision", "revisions", "coversWholeFile", "coveredBytes", "checks"} {
		require.Contains(t, s, k)
	}
	var names []string
	for _, c := range s["checks"].([]any) {
		names = append(names, c.(map[string]any)["name"].(string))
	}
	require.Equal(t, []string{"integrity", "coverage", "changes", "signer", "trust", "revocation", "time", "algorithm", "format"}, names)
}

func TestAFieldNameCannotSteerTheTerminal(t *testing.T) {
	r := pades.Result{Indication: pades.Indeterminate, Signatures: []pades.SignatureResult{{Field: "\x1b[2J\u202eevil", Type: "signature"}}}
	require.NotContains(t, report(r), "\x1b")
	require.NotContains(t, report(r), "\u202e")
}

func TestVerifyStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	file := signFile(t, paper(), signing{})
	_, err := pades.Verify(ctx, bytes.NewReader(file), int64(len(file)), pades.VerifyOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestLimitsHold(t *testing.T) {
	file := signFile(t, signFile(t, paper(), signing{}), signing{})
	for _, l := range []pades.Limits{{Signatures: 1}, {Size: 100}} {
		_, err := pades.Verify(context.Background(), bytes.NewReader(file), int64(len(file)), pades.VerifyOptions{Limits: l})
		require.ErrorIs(t, err, pades.ErrLimit)
	}
}

func TestChecksSpeakPlainly(t *testing.T) {
	text := report(check(t, signFile(t, paper(), signing{stamp: true})))
	for _, bad := range []string{"please", "successfully", "!", "oops"} {
		require.NotContains(t, strings.ToLower(text), bad)
	}
	require.Contains(t, text, "not checked")
}
