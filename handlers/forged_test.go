package handlers_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers"
	"countersign/handlers/handlerstest"
	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/pdf/pdftest"
)

const green = "The signature is valid"

// authority issues certificates of its own, which the site does not know.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T, edit func(*x509.Certificate)) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.issue("Foreign Root", func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		edit(c)
	})
	return a
}

func (a *authority) issue(name string, edit func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	a.n++
	c := &x509.Certificate{SerialNumber: big.NewInt(a.n), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageContentCommitment}
	edit(c)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	require.NoError(a.t, err)
	c, err = x509.ParseCertificate(raw)
	require.NoError(a.t, err)
	return c, key
}

// signFile signs a file with a key at hand, without the portal.
func signFile(t *testing.T, file []byte, key crypto.Signer, o pades.Options) []byte {
	t.Helper()
	o.Time = time.Now()
	p, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), o)
	require.NoError(t, err)
	value, err := cms.SignLocal(p.Unsigned, key)
	require.NoError(t, err)
	delta, err := p.Complete(value, nil)
	require.NoError(t, err)
	return append(bytes.Clone(file), delta...)
}

var (
	rangeText = regexp.MustCompile(`/ByteRange \[(\d+) (\d+) (\d+) (\d+) *\]`)
	valueText = regexp.MustCompile(`/Contents <[0-9A-Fa-f]+>`)
)

// forgeries of a file that the portal signed, by what was done to it (P1, P2, P3).
func forgeries(t *testing.T, file []byte) map[string][]byte {
	t.Helper()
	ranges := rangeText.FindAllSubmatchIndex(file, -1)
	at := ranges[len(ranges)-1]
	var n [4]int
	for i := range n {
		_, err := fmt.Sscan(string(file[at[2+2*i]:at[3+2*i]]), &n[i])
		require.NoError(t, err)
	}
	out := map[string][]byte{}
	inPlace := func(from, to int, text string) []byte {
		require.LessOrEqual(t, len(text), to-from)
		b := bytes.Clone(file)
		copy(b[from:to], text+strings.Repeat(" ", to-from-len(text)))
		return b
	}
	for name, text := range map[string]string{"null": "null", "two numbers": "[0 9]", "six numbers": "[0 1 2 3 4 5]", "zeros": "[0 0 0 0]", "negative": "[0 -1 2 3]",
		"huge": "[0 99999999999999 1 1]", "all but the end": fmt.Sprintf("[0 %d %d %d]", n[1], n[2], n[3]-5), "a wide gap": fmt.Sprintf("[0 %d %d %d]", n[1]-9, n[2], n[3])} {
		out["P1 range: "+name] = inPlace(at[0]+len("/ByteRange "), at[1], text)
	}
	values := valueText.FindAllIndex(file, -1)
	from, to := values[len(values)-1][0]+len("/Contents "), values[len(values)-1][1]
	for name, text := range map[string]string{"null": "null", "nothing": "<>", "zeros": "<" + strings.Repeat("00", 32) + ">", "text": "(x)"} {
		out["P1 value: "+name] = inPlace(from, to, text)
	}
	out["P1 no range"] = bytes.Replace(file, []byte("/ByteRange"), []byte("/ByteRanga"), 1)
	out["P1 no value"] = bytes.Replace(file, []byte("/Contents <"), []byte("/Contexts <"), 1)

	page := "3 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 90 0 R>>\nendobj\n90 0 obj\n<</Length 9>>\nstream\n0 0 m 9 9\nendstream\nendobj\n"
	added := append(bytes.Clone(file), page...)
	out["P2 objects at the end"] = added
	out["P2 objects and an end"] = append(bytes.Clone(added), "%%EOF\n"...)
	out["P2 a trailer alone"] = append(bytes.Clone(added), "trailer\n<</Root 1 0 R /Size 99>>\n%%EOF\n"...)
	start := regexp.MustCompile(`startxref\s+(\d+)`).FindAllSubmatch(file, -1)
	table := fmt.Sprintf("xref\n3 1\n%010d 00000 n \n90 1\n%010d 00000 n \ntrailer\n<</Root 1 0 R /Size 99 /Prev %s>>\nstartxref\n%d\n%%%%EOF\n",
		len(file), len(file)+strings.Index(page, "90 0 obj"), start[len(start)-1][1], len(added))
	out["P2 a whole update"] = append(bytes.Clone(added), table...)
	out["P2 the value once more"] = append(bytes.Clone(file), file[from-len("/Contents "):]...)

	evil := "\n4 0 obj\n<</Length 1>>\nstream\nx\nendstream\nendobj\n"
	moved := bytes.Join([][]byte{file[:n[2]], []byte(evil), file[n[2]:]}, nil)
	out["P3 bytes between"] = moved
	follows := bytes.Clone(moved)
	text := fmt.Sprintf("/ByteRange [0 %d %d %d", n[1], n[2]+len(evil), n[3])
	copy(follows[at[0]:at[1]], text+strings.Repeat(" ", at[1]-at[0]-len(text)-1)+"]")
	out["P3 and the range follows"] = follows
	copied := append(bytes.Clone(file), file[n[2]:]...)
	text = fmt.Sprintf("/ByteRange [0 %d %d %d", n[1], len(file), n[3])
	copy(copied[at[0]:at[1]], text+strings.Repeat(" ", at[1]-at[0]-len(text)-1)+"]")
	out["P3 a second end"] = copied
	return out
}

func TestAForgedFileIsNeverGreenOnThePublicPage(t *testing.T) {
	w := newTown(t, handlerstest.Options{Handlers: behindProxies})
	file := []byte(w.ada.Get("/documents/" + string(w.signed) + "/download").Body)
	nobody, n := w.Browser(), 0
	verify := func(file []byte) *handlerstest.Answer {
		n++
		return verifyFrom(t, nobody, fmt.Sprintf("198.51.%d.%d", n/250, n%250), file)
	}
	require.Contains(t, verify(file).Body, green, "as it is")

	forged := forgeries(t, file)
	require.Greater(t, len(forged), 20)
	foreign := newAuthority(t, func(*x509.Certificate) {})
	leaf, key := foreign.issue("Ada Example", func(*x509.Certificate) {})
	forged["P6 an issuer nobody knows"] = signFile(t, handlerstest.PDF(), key, pades.Options{Chain: []*x509.Certificate{leaf, foreign.cert}})
	forged["P6 self-signed"] = signFile(t, handlerstest.PDF(), foreign.key, pades.Options{Chain: []*x509.Certificate{foreign.cert}})
	ended, key := foreign.issue("Ada Example", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	forged["P6 ended"] = signFile(t, handlerstest.PDF(), key, pades.Options{Chain: []*x509.Certificate{ended, foreign.cert}})
	other := handlerstest.New(t, handlerstest.Options{}) // another simulator's: everything is right but the root
	cleo, ben := other.SignIn("cleo"), other.SignIn("ben")
	document := ben.Upload("other.pdf", handlerstest.PDF())
	ben.Signed(document, ben.Credential(cleo, "cp-advanced").ID)
	forged["P6 of another authority"] = []byte(ben.Get("/documents/" + string(document) + "/download").Body)

	headlines := map[string]int{}
	grown := heapGrown(func() {
		for name, b := range forged {
			a := verify(b)
			require.Contains(t, []int{http.StatusOK, http.StatusUnprocessableEntity}, a.StatusCode, "%s: %s", name, a.Body)
			require.NotContains(t, a.Body, green, name)
			for _, line := range []string{"The signature is not valid", "We cannot confirm the signature", "This file carries no signature"} {
				if strings.Contains(a.Body, line) {
					headlines[line]++
				}
			}
			if strings.HasPrefix(name, "P6") {
				require.Contains(t, a.Body, "We cannot confirm the signature", name)
			}
		}
	})
	t.Log(headlines)
	require.Greater(t, headlines["The signature is not valid"], 15)
	require.Less(t, grown, int64(64<<20))

	// P8: a thousand bytes of what the portal gave out, each changed: the engine sees all of
	// them, and the page some.
	values := valueText.FindAllIndex(file, -1)
	last := values[len(values)-1]
	padding := last[0] + len(bytes.TrimRight(file[last[0]:last[1]-1], "0"))
	random := mathrand.New(mathrand.NewPCG(3, 4))
	for i := range 1000 {
		at := random.IntN(len(file))
		if at >= padding && at < last[1]-1 {
			continue // zeros behind the value, which nothing covers
		}
		b := bytes.Clone(file)
		b[at] ^= byte(1 + random.IntN(255))
		r, err := pades.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), pades.VerifyOptions{Roots: w.Sim.Roots})
		if err == nil && r.Indication == pades.TotalPassed {
			t.Errorf("byte %d: %q became %q and passes", at, file[at], b[at])
		}
		if i%50 == 0 {
			require.NotContains(t, verify(b).Body, green)
		}
	}
}

// saying is a verifier that says what a test wants.
type saying struct{ pades.Result }

func (s *saying) Verify(context.Context, io.ReaderAt, int64) (pades.Result, error) {
	return s.Result, nil
}

// Whatever the engine may find, only what passed altogether is called valid.
func TestOnlyWhatPassedIsCalledValid(t *testing.T) {
	said := &saying{}
	s := handlerstest.New(t, handlerstest.Options{Handlers: func(c *handlers.Config) {
		behindProxies(c)
		c.Verify = said
	}})
	b, n := s.Browser(), 0
	subs := strings.Fields("FORMAT_FAILURE HASH_FAILURE SIG_CRYPTO_FAILURE REVOKED EXPIRED NOT_YET_VALID REVOKED_CA_NO_POE REVOKED_NO_POE OUT_OF_BOUNDS_NO_POE " +
		"TRY_LATER NO_CERTIFICATE_CHAIN_FOUND NO_SIGNING_CERTIFICATE_FOUND CERTIFICATE_CHAIN_GENERAL_FAILURE CHAIN_CONSTRAINTS_FAILURE " +
		"CRYPTO_CONSTRAINTS_FAILURE SIG_CONSTRAINTS_FAILURE TIMESTAMP_ORDER_FAILURE SOMETHING_NEW")
	for _, whole := range []pades.Indication{pades.TotalPassed, pades.TotalFailed, pades.Indeterminate, pades.NoSignature, "SOMETHING-NEW", ""} {
		for _, sub := range subs {
			n++
			one := pades.SignatureResult{Field: "Signature1", Type: "signature", Indication: whole, SubIndication: sub, Explanation: "Because.", SignerName: "Ada"}
			said.Result = pades.Result{Indication: whole, SHA256: make([]byte, 32), Signatures: []pades.SignatureResult{one}}
			a := verifyFrom(t, b, fmt.Sprintf("198.51.%d.%d", n/250, n%250), handlerstest.PDF())
			require.Equal(t, http.StatusOK, a.StatusCode)
			require.Equal(t, whole == pades.TotalPassed, strings.Contains(a.Body, green), "%s %s", whole, sub)
		}
	}
}

// beacon counts who comes.
func beacon(t *testing.T) (address string, came func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	visits := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
			visits <- struct{}{}
		}
	}()
	return "http://" + l.Addr().String(), func() int { return len(visits) }
}

func TestNoAddressInAFileIsAsked(t *testing.T) {
	address, came := beacon(t)
	probe, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	require.NoError(t, err)
	probe.Close()
	require.Eventually(t, func() bool { return came() == 1 }, 5*time.Second, time.Millisecond, "the beacon counts")

	everywhere := func(c *x509.Certificate) {
		c.OCSPServer, c.IssuingCertificateURL, c.CRLDistributionPoints = []string{address + "/ocsp"}, []string{address + "/aia.cer"}, []string{address + "/crl"}
	}
	known := newAuthority(t, everywhere)
	unknown := newAuthority(t, everywhere)
	b := pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R /OpenAction <</S /URI /URI ("+address+"/uri)>> /URI <</Base ("+address+"/)>> /AcroForm <</Fields [] /XFA 6 0 R>>"+
		" /Names <</EmbeddedFiles <</Names [(a) <</FS /URL /F ("+address+"/embedded)>>]>>>>>>")
	b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	b.Object(3, "<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources <</XObject <</X 5 0 R>>>> /AA <</O <</S /SubmitForm /F ("+address+"/form)>>>>>>")
	b.Object(4, "<</F <</FS /URL /F ("+address+"/contents)>> /Length 0>>\nstream\n\nendstream")
	b.Object(5, "<</Subtype /Form /Ref <</F ("+address+"/page) /Page 0>> /BBox [0 0 9 9] /Length 0>>\nstream\n\nendstream")
	b.Stream(6, "", `<!DOCTYPE x [<!ENTITY e SYSTEM "`+address+`/entity">]><xdp>&e;</xdp>`)
	b.Table("/Root 1 0 R")
	roots := x509.NewCertPool()
	roots.AddCert(known.cert)

	w := newTown(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Verify = verifierOf{roots} }})
	for name, a := range map[string]*authority{"a known issuer": known, "an unknown issuer": unknown} {
		leaf, key := a.issue("Ada Example", everywhere)
		for _, chain := range [][]*x509.Certificate{{leaf, a.cert}, {leaf}} { // without the issuer: an invitation to get it
			file := signFile(t, b.Bytes(), key, pades.Options{Chain: chain})
			body, kind := handlerstest.Form("file.pdf", file)
			answer := w.Browser().Do("POST", "/verify", body, "Content-Type", kind)
			require.Equal(t, http.StatusOK, answer.StatusCode, name)
			require.Equal(t, name == "a known issuer", strings.Contains(answer.Body, green), name)
			document := string(w.ada.Upload("file.pdf", file))
			page := w.ada.Get("/documents/" + document)
			require.Contains(t, page.Body, "kept elsewhere")
			require.NotContains(t, page.Body, address, "nor is the reader's browser sent there")
			require.Equal(t, http.StatusOK, w.ada.Get("/documents/"+document+"/sign").StatusCode)
		}
	}
	require.Equal(t, 1, came(), "somebody asked an address of a file")
}

type verifierOf struct{ roots *x509.CertPool }

func (v verifierOf) Verify(ctx context.Context, r io.ReaderAt, size int64) (pades.Result, error) {
	return pades.Verify(ctx, r, size, pades.VerifyOptions{Roots: v.roots})
}

// What a certificate and a signature say of themselves is shown as text.
func TestWordsOfASignatureAreShownAsText(t *testing.T) {
	foreign := newAuthority(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: script("issuer"), Organization: []string{script("issuing")}}
	})
	leaf, key := foreign.issue(script("signer"), func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: script("signer"), Organization: []string{script("organisation")}}
	})
	titled := pdftest.New("%PDF-1.7\n")
	titled.Pages(1, "")
	titled.Object(9, "<</Title (</title>"+regexp.QuoteMeta(script("title"))+") /Author (<script>alert\\(1\\)</script>)>>")
	titled.Table("/Root 1 0 R /Info 9 0 R")
	file := signFile(t, titled.Bytes(), key, pades.Options{Chain: []*x509.Certificate{leaf, foreign.cert}, Name: script("name"), Reason: script("reason"), Location: script("location")})
	w := newTown(t, handlerstest.Options{})
	body, kind := handlerstest.Form("file.pdf", file)
	a := w.Browser().Do("POST", "/verify", body, "Content-Type", kind)
	require.Contains(t, a.Body, "alert(&#39;signer&#39;)")
	document := string(w.ada.Upload("evil.pdf", file))
	page := w.ada.Get("/documents/" + document)
	require.Contains(t, page.Body, "alert(&#39;signer&#39;)")

	// The part that is swapped in by itself says the same, escaped once.
	named := string(w.ada.Upload(imageName("swap"), handlerstest.PDF()))
	for _, path := range []string{"/documents/" + document + "/live", "/documents/" + named + "/live", "/live"} {
		event := listen(t, w.ada, path).next().data
		for _, word := range []string{"signer", "swap"} {
			if strings.Contains(event, "alert(") && strings.Contains(event, word) {
				require.Contains(t, event, "alert(&#39;"+word+"&#39;)", path)
			}
		}
		require.Empty(t, handlerstest.Inline("<html><body>"+event+"</body></html>"), path)
		require.NotContains(t, event, "<script>alert", path)
	}
}
