package pades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
	"countersign/pades/pdf/pdftest"
	"countersign/pades/trust"
	"countersign/pades/tsp"
)

func pki(t testing.TB) *padestest.PKI {
	t.Helper()
	p := padestest.New()
	t.Cleanup(p.Close)
	return p
}

// timestamped signs at B-T.
func timestamped(t testing.TB, p *padestest.PKI, file []byte, by *padestest.Party, o pades.Options) []byte {
	t.Helper()
	if o.Chain == nil {
		o.Chain = by.Chain()
	}
	o.Time, o.Timestamped = p.Now(), true
	prep, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), o)
	require.NoError(t, err)
	value, err := cms.SignLocal(prep.Unsigned, by.Key)
	require.NoError(t, err)
	over, err := prep.StampDigest(value)
	require.NoError(t, err)
	delta, err := prep.Complete(value, stampOf(t, p, over))
	require.NoError(t, err)
	return append(bytes.Clone(file), delta...)
}

func stampOf(t testing.TB, p *padestest.PKI, over []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(over)
	token, err := p.Stamp(context.Background(), sum[:], crypto.SHA256)
	require.NoError(t, err)
	return token.Raw
}

func extension(p *padestest.PKI, level string) pades.ExtendOptions {
	return pades.ExtendOptions{Level: level, Fetch: padestest.Fetch, Stamp: p.Stamp, Roots: p.Roots(), Now: p.Now()}
}

func extend(t testing.TB, file []byte, o pades.ExtendOptions) ([]byte, *pades.Extension) {
	t.Helper()
	x, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), o)
	require.NoError(t, err)
	return append(bytes.Clone(file), x.Delta...), x
}

// passes asserts that everything passes at a time and gives the level of the first signature.
func passes(t testing.TB, p *padestest.PKI, file []byte, at time.Time) string {
	t.Helper()
	r := checkWith(t, file, pades.VerifyOptions{Roots: p.Roots(), Now: at})
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	return r.Signatures[0].Level
}

func TestAFileReachesEachLevel(t *testing.T) {
	p := pki(t)
	ada := p.Issue("Ada Example", padestest.Key(), nil)
	for _, base := range []string{"table", "stream"} {
		file := paper()
		if base == "stream" {
			file = pdftest.Packed()
		}
		bt := timestamped(t, p, file, ada, pades.Options{})
		require.Equal(t, "B-T", passes(t, p, bt, p.Now()))
		lt, x := extend(t, bt, extension(p, "B-LT"))
		require.Equal(t, "B-LT", passes(t, p, lt, p.Now()))
		// Signer, people's authority, clock, clocks' authority, root, responder.
		require.Equal(t, []int{6, 1, 2}, []int{x.Certificates, x.Answers, x.Lists})
		require.Empty(t, x.Lacking)
		require.Nil(t, x.Stamp)
		lta, x := extend(t, bt, extension(p, "B-LTA"))
		require.Equal(t, "B-LTA", passes(t, p, lta, p.Now()))
		require.NotNil(t, x.Stamp)
		require.True(t, bytes.HasPrefix(lta, bt))
		again, _ := extend(t, lt, extension(p, "B-LTA"))
		require.Equal(t, "B-LTA", passes(t, p, again, p.Now()))

		path := filepath.Join(t.TempDir(), "lta.pdf")
		require.NoError(t, os.WriteFile(path, lta, 0o600))
		require.Zero(t, qpdfRank(t, path))
		said, _ := tool(t, "pdfsig", "-nocert", path)
		require.Equal(t, 1, strings.Count(said, valid), said)

		same, x := extend(t, lt, extension(p, "B-LT"))
		require.Equal(t, lt, same, "nothing was missing")
		require.Empty(t, x.Delta)
	}
}

func TestTheStateAfterExtendingIsThatOfTheFile(t *testing.T) {
	p := pki(t)
	bt := timestamped(t, p, paper(), p.Issue("Ada Example", padestest.Key(), nil), pades.Options{})
	h := sha256.New()
	h.Write(bt)
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	require.NoError(t, err)
	for _, level := range []string{"B-LT", "B-LTA"} {
		o := extension(p, level)
		o.State = state
		out, x := extend(t, bt, o)
		want := sha256.New()
		want.Write(out)
		sum, err := want.(encoding.BinaryMarshaler).MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, sum, x.State)
		require.Equal(t, level, passes(t, p, out, p.Now()))
	}
}

// Ten years on, the signer, the first clock service and the responder have all ended.
func TestRenewedTimestampsCarryASignatureThroughDecades(t *testing.T) {
	p := pki(t)
	begin := p.Now()
	years := func(n int) time.Time { return begin.AddDate(n, 0, 0) }
	bt := timestamped(t, p, paper(), p.Issue("Ada Example", padestest.Key(), nil), pades.Options{})
	lt, _ := extend(t, bt, extension(p, "B-LT"))
	lta, _ := extend(t, bt, extension(p, "B-LTA"))
	for name, file := range map[string][]byte{"B-LT": lt, "B-LTA": lta} {
		require.Equal(t, name, passes(t, p, file, years(8)), "the signer's certificate has ended, the clock's has not")
		r := checkWith(t, file, pades.VerifyOptions{Roots: p.Roots(), Now: years(12)})
		require.Equal(t, pades.Indeterminate, r.Indication, "nobody renewed %s in time", name)
	}
	// What is in a store that no timestamp covers proves nothing once its signer has ended.
	r := checkWith(t, lt, pades.VerifyOptions{Roots: p.Roots(), Now: years(12)})
	require.Equal(t, trust.OutOfBoundsNoPOE, r.Signatures[0].SubIndication, report(r))

	p.SetTime(years(9))
	p.Clock = p.IssueClock("Second Clock", padestest.Key())
	renewed, x := extend(t, lta, extension(p, "B-LTA"))
	require.Positive(t, x.Lists, "data about the first clock")
	require.Equal(t, "B-LTA", passes(t, p, renewed, years(12)))
	p.SetTime(years(18))
	p.Clock = p.IssueClock("Third Clock", padestest.Key())
	again, _ := extend(t, renewed, extension(p, "B-LTA"))
	require.Equal(t, "B-LTA", passes(t, p, again, years(18)))

	// Whoever changes a store's bytes breaks the proof.
	spoilt := bytes.Clone(again)
	spoilt[bytes.Index(spoilt, p.People.Cert.Raw)+100] ^= 1
	r = checkWith(t, spoilt, pades.VerifyOptions{Roots: p.Roots(), Now: years(12)})
	require.NotEqual(t, pades.TotalPassed, r.Indication)
}

func TestARevokedSignerIsNotExtended(t *testing.T) {
	p := pki(t)
	ada, bea := p.Issue("Ada Example", padestest.Key(), nil), p.Issue("Bea Example", padestest.Key(), nil)
	p.Revoke(ada.Cert, p.Now().Add(-time.Hour), 1)
	file := timestamped(t, p, paper(), ada, pades.Options{})
	_, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), extension(p, "B-LT"))
	var withdrawn *trust.WithdrawnError
	require.ErrorAs(t, err, &withdrawn)
	require.Equal(t, ada.Cert.Raw, withdrawn.Certificate.Raw)

	// Revoked after the timestamp: the proof that it was good when it signed.
	file = timestamped(t, p, paper(), bea, pades.Options{})
	p.Revoke(bea.Cert, p.Now().Add(2*time.Second), 1)
	p.SetTime(p.Now().Add(time.Minute))
	lt, _ := extend(t, file, extension(p, "B-LT"))
	require.Equal(t, "B-LT", passes(t, p, lt, p.Now()))
}

func TestDataFromBeforeTheSignatureIsTold(t *testing.T) {
	p := pki(t)
	file := timestamped(t, p, paper(), p.Issue("Ada Example", padestest.Key(), nil), pades.Options{})
	p.Lag(time.Hour)
	o := extension(p, "B-LT")
	o.Fresh = true
	_, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), o)
	require.ErrorIs(t, err, trust.ErrNotFresh)
	var unproven *trust.Unproven
	require.ErrorAs(t, err, &unproven)
	require.Equal(t, "Ada Example", unproven.Certificate.Subject.CommonName)

	o.Fresh = false
	_, x := extend(t, file, o)
	require.Contains(t, x.Stale, "Ada Example")
}

func TestExtendingNeedsATimestampAndASignature(t *testing.T) {
	p := pki(t)
	ada := p.Issue("Ada Example", padestest.Key(), nil)
	file := signed(t, paper(), signer{ada.Key, ada.Chain()}, pades.Options{})
	_, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), extension(p, "B-LT"))
	require.ErrorIs(t, err, pades.ErrNoTimestamp)
	_, err = pades.Extend(context.Background(), bytes.NewReader(paper()), int64(len(paper())), extension(p, "B-LT"))
	var r *pades.Refusal
	require.ErrorAs(t, err, &r)
}

func TestAStrangersSignatureDoesNotHinderOurs(t *testing.T) {
	p := pki(t)
	stranger := timestamped(t, p, paper(), p.Issue("Zoe Example", padestest.Key(), func(c *x509.Certificate) {
		c.OCSPServer, c.CRLDistributionPoints = nil, nil
	}), pades.Options{Field: "Theirs"})
	both := timestamped(t, p, stranger, p.Issue("Ada Example", padestest.Key(), nil), pades.Options{Field: "Ours"})
	_, err := pades.Extend(context.Background(), bytes.NewReader(both), int64(len(both)), extension(p, "B-LT"))
	var unproven *trust.Unproven
	require.ErrorAs(t, err, &unproven)
	o := extension(p, "B-LT")
	o.Field = "Ours"
	out, x := extend(t, both, o)
	require.ErrorAs(t, x.Lacking["Theirs"], &unproven)
	r := checkWith(t, out, pades.VerifyOptions{Roots: p.Roots(), Now: p.Now()})
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	require.Equal(t, []string{"B-T", "B-LT"}, []string{r.Signatures[0].Level, r.Signatures[1].Level})
}

func TestIssuersThatAreNotAtHandAreFetched(t *testing.T) {
	p := pki(t)
	ada := p.Issue("Ada Example", padestest.Key(), nil)
	bt := timestamped(t, p, paper(), ada, pades.Options{Chain: ada.Chain()[:1]})
	lt, _ := extend(t, bt, extension(p, "B-LT"))
	require.Positive(t, p.Calls("/people.cer"))
	require.Equal(t, "B-LT", passes(t, p, lt, p.Now()))
}

func TestStoresByCertifiedEncryptedAndManySigners(t *testing.T) {
	p := pki(t)
	ada, bea := p.Issue("Ada Example", padestest.Key(), nil), p.Issue("Bea Example", padestest.Key(), nil)
	for name, base := range map[string]func() []byte{
		"certified against changes": func() []byte { return timestamped(t, p, paper(), ada, pades.Options{Certify: 1}) },
		"two signers": func() []byte {
			return timestamped(t, p, timestamped(t, p, paper(), ada, pades.Options{}), bea, pades.Options{})
		},
		"extended, then signed once more": func() []byte {
			lta, _ := extend(t, timestamped(t, p, paper(), ada, pades.Options{}), extension(p, "B-LTA"))
			return timestamped(t, p, lta, bea, pades.Options{})
		},
		"encrypted": func() []byte {
			path, out := writeFile(t, t.TempDir(), "in.pdf", pdftest.Plain(1)), filepath.Join(t.TempDir(), "out.pdf")
			_, code := tool(t, "qpdf", "--encrypt", "", "owner", "256", "--", path, out)
			require.Zero(t, code)
			b, err := os.ReadFile(out)
			require.NoError(t, err)
			return timestamped(t, p, b, ada, pades.Options{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := base()
			o := extension(p, "B-LTA")
			o.VRI = true
			lta, _ := extend(t, file, o)
			require.Equal(t, "B-LTA", passes(t, p, lta, p.Now()))
			renewed, _ := extend(t, lta, o)
			require.Equal(t, "B-LTA", passes(t, p, renewed, p.Now()))
		})
	}
}

func TestHostileServicesAreNotBelieved(t *testing.T) {
	p, evil := pki(t), pki(t)
	file := timestamped(t, p, paper(), p.Issue("Ada Example", padestest.Key(), nil), pades.Options{})
	carry := func(change func(url string, answer []byte) ([]byte, error)) trust.Fetcher {
		return func(ctx context.Context, url, kind string, body []byte) ([]byte, error) {
			b, err := padestest.Fetch(ctx, url, kind, body)
			if err != nil {
				return nil, err
			}
			return change(url, b)
		}
	}
	for name, f := range map[string]trust.Fetcher{
		"nothing answers": func(context.Context, string, string, []byte) ([]byte, error) { return nil, errors.New("no") },
		"nonsense":        carry(func(string, []byte) ([]byte, error) { return []byte("<html>"), nil }),
		"nothing":         carry(func(string, []byte) ([]byte, error) { return nil, nil }),
		"too much":        carry(func(string, []byte) ([]byte, error) { return make([]byte, 64<<20), nil }),
		"of another authority": func(ctx context.Context, url, kind string, body []byte) ([]byte, error) {
			return padestest.Fetch(ctx, strings.Replace(url, p.URL, evil.URL, 1), kind, body)
		},
		"a flipped bit": carry(func(url string, b []byte) ([]byte, error) { b[len(b)/2] ^= 1; return b, nil }),
	} {
		t.Run(name, func(t *testing.T) {
			o := extension(p, "B-LT")
			o.Fetch = f
			_, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), o)
			var unproven *trust.Unproven
			require.ErrorAs(t, err, &unproven)
		})
	}
	t.Run("another token", func(t *testing.T) {
		o := extension(p, "B-LTA")
		o.Stamp = nil
		_, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), o)
		require.Error(t, err)
		token, err := p.Stamp(context.Background(), make([]byte, 32), crypto.SHA256)
		require.NoError(t, err)
		o.Stamp = func(context.Context, []byte, crypto.Hash) (*tsp.Token, error) { return token, nil }
		_, err = pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), o)
		require.ErrorContains(t, err, "something else")
	})
	t.Run("whoever stops waiting is answered", func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		o := extension(p, "B-LT")
		o.Fetch = func(ctx context.Context, _, _ string, _ []byte) ([]byte, error) {
			stop()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		_, err := pades.Extend(ctx, bytes.NewReader(file), int64(len(file)), o)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A certificate that names an issuer which names an issuer … is followed a few steps.
func TestChainsWithoutEndEnd(t *testing.T) {
	p := pki(t)
	endless := p.Issue("Endless", padestest.Key(), func(c *x509.Certificate) {
		c.IssuingCertificateURL = []string{p.URL + "/a.cer", p.URL + "/b.cer", p.URL + "/c.cer", p.URL + "/d.cer"}
	})
	calls := 0
	c := &trust.Collector{Roots: x509.NewCertPool(), Now: p.Now(), Fetch: func(context.Context, string, string, []byte) ([]byte, error) {
		calls++
		next := p.Issue("Endless", padestest.Key(), func(c *x509.Certificate) {
			c.SerialNumber = big.NewInt(int64(calls))
			c.IssuingCertificateURL = []string{p.URL + "/" + strings.Repeat("x", calls) + ".cer"}
		})
		return next.Cert.Raw, nil
	}}
	var unproven *trust.Unproven
	require.ErrorAs(t, c.Add(context.Background(), endless.Cert, p.Now(), p.Now()), &unproven)
	require.LessOrEqual(t, calls, 8)
}
