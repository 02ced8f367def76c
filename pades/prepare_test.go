package pades_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

var when = time.Date(2026, 11, 24, 14, 33, 34, 0, time.FixedZone("", 3600))

// signed runs both phases with a key at hand, storing the preparation in between.
func signed(t testing.TB, b []byte, s signer, o pades.Options) []byte {
	t.Helper()
	o.Chain, o.Time = s.chain, when
	p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), o)
	require.NoError(t, err)
	delta := complete(t, p, s)
	return append(bytes.Clone(b), delta...)
}

func complete(t testing.TB, p *pades.Prepared, s signer) []byte {
	t.Helper()
	stored, err := json.Marshal(p)
	require.NoError(t, err)
	var again pades.Prepared
	require.NoError(t, json.Unmarshal(stored, &again))
	value, err := cms.SignLocal(p.Unsigned, s.key)
	require.NoError(t, err)
	require.NoError(t, again.CheckValue(value))
	delta, err := again.Complete(value, nil)
	require.NoError(t, err)
	require.Len(t, delta, len(p.Delta))
	return delta
}

func refusedAs(t *testing.T, code string, b []byte, o pades.Options) {
	t.Helper()
	o.Chain = ecSigner().chain
	_, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), o)
	var r *pades.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, code, r.Code, err)
	require.Error(t, r.Cause, "a cause is named")
}

func read(t testing.TB, b []byte) (*pdf.File, []pdf.Signature) {
	t.Helper()
	f, err := pdf.OpenStrict(bytes.NewReader(b), int64(len(b)), pdf.Options{})
	require.NoError(t, err)
	sigs, err := f.Signatures()
	require.NoError(t, err)
	return f, sigs
}

func TestTheSignatureDictionaryIsPAdESBaseline(t *testing.T) {
	base := pdftest.Plain(2)
	out := signed(t, base, ecSigner(), pades.Options{Name: "Ada", Reason: "Größe (ok)", Location: "Köln"})
	require.Equal(t, base, out[:len(base)])
	f, sigs := read(t, out)
	require.Len(t, sigs, 1)
	s := sigs[0]
	require.Equal(t, "Signature1", s.Field.Name)
	require.Equal(t, pdf.Name("ETSI.CAdES.detached"), s.SubFilter)
	require.Equal(t, pdf.Name("Adobe.PPKLite"), s.Filter)
	require.Equal(t, "D:20261124133334+00'00'", s.M)
	require.Equal(t, []string{"Ada", "Größe (ok)", "Köln"}, []string{s.Name, s.Reason, s.Location})
	require.Equal(t, []int64{0, s.ContentsAt, s.ContentsEnd, int64(len(out)) - s.ContentsEnd}, s.ByteRange)
	require.EqualValues(t, 16384+2, s.ContentsEnd-s.ContentsAt)
	p, err := f.FirstPage()
	require.NoError(t, err)
	require.Equal(t, pdf.Array{s.Field.Ref}, p.Dict.Get("Annots"))
	own, err := f.FieldDict(s.Field)
	require.NoError(t, err)
	require.Equal(t, p.Ref, own.Get("P"))
	require.Equal(t, pdf.Number("132"), own.Get("F"))
	form, err := f.Form()
	require.NoError(t, err)
	require.Equal(t, pdf.Number("3"), form.Dict.Get("SigFlags"))
}

func TestPreparationIsFinalAndCompletionRepeats(t *testing.T) {
	b, s := pdftest.Plain(1), ecSigner()
	p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when})
	require.NoError(t, err)
	again, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when})
	require.NoError(t, err)
	require.Equal(t, p, again)
	value, err := cms.SignLocal(p.Unsigned, s.key)
	require.NoError(t, err)
	one, err := p.Complete(value, nil)
	require.NoError(t, err)
	two, err := p.Complete(value, nil)
	require.NoError(t, err)
	require.Equal(t, one, two)
}

func TestAForeignValueIsNotCompleted(t *testing.T) {
	b := pdftest.Plain(1)
	for _, s := range []signer{rsaSigner(), ecSigner()} {
		p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when})
		require.NoError(t, err)
		other, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when.Add(time.Second)})
		require.NoError(t, err)
		value, err := cms.SignLocal(other.Unsigned, s.key)
		require.NoError(t, err)
		require.Error(t, p.CheckValue(value))
		_, err = p.Complete(value, nil)
		require.Error(t, err)
	}
}

func TestPlainECDSAValuesBecomeDER(t *testing.T) {
	b, s := pdftest.Plain(1), ecSigner()
	p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when})
	require.NoError(t, err)
	der, err := cms.SignLocal(p.Unsigned, s.key)
	require.NoError(t, err)
	var rs struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &rs)
	require.NoError(t, err)
	plain := append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	over, err := p.StampDigest(plain)
	require.NoError(t, err)
	require.Equal(t, der, over)
	one, err := p.Complete(der, nil)
	require.NoError(t, err)
	two, err := p.Complete(plain, nil)
	require.NoError(t, err)
	require.Equal(t, one, two)
}

func TestAGigabyteIsSignedFromItsHashState(t *testing.T) {
	big := pdftest.NewLarge(1 << 30)
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for at := int64(0); at < big.Size(); at += int64(len(buf)) {
		n, _ := big.ReadAt(buf, at)
		h.Write(buf[:n])
	}
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	require.NoError(t, err)
	big.Read = 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := pades.Prepare(big, big.Size(), pades.Options{Chain: ecSigner().chain, Time: when, State: state})
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.Less(t, big.Read, int64(256<<10), "bytes read")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "bytes allocated")

	delta := complete(t, p, ecSigner())
	state, sum, err := p.StateAfter(delta)
	require.NoError(t, err)
	h.Write(delta)
	require.Equal(t, h.Sum(nil), sum)
	want, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, want, state)
}

func TestAHashStateOfAnotherLengthIsNotUsed(t *testing.T) {
	b := pdftest.Plain(1)
	h := sha256.New()
	h.Write(b[:len(b)-1])
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	require.NoError(t, err)
	_, err = pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: ecSigner().chain, State: state})
	require.Error(t, err)
}

func TestRoomGrowsWithTheChainAndForATimestamp(t *testing.T) {
	b, s := pdftest.Plain(1), ecSigner()
	o := pades.Options{Chain: s.chain, Time: when, Timestamped: true}
	p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), o)
	require.NoError(t, err)
	require.Equal(t, 32768+2, p.HoleLength)
	for range 40 {
		o.Chain = append(o.Chain, s.chain[1])
	}
	p, err = pades.Prepare(bytes.NewReader(b), int64(len(b)), o)
	require.NoError(t, err)
	require.Greater(t, p.HoleLength, 32768+2)
}

func TestFieldNamesAreUnique(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [4 0 R 5 0 R]>>")
	b.Object(4, "<</T (Signature1) /Kids [6 0 R]>>")
	b.Object(5, "<</T (Signature2) /FT /Tx>>")
	b.Object(6, "<</T (inner) /Parent 4 0 R /FT /Sig>>")
	b.Table("/Root 1 0 R")
	out := signed(t, b.Bytes(), ecSigner(), pades.Options{})
	_, sigs := read(t, out)
	require.Equal(t, "Signature3", sigs[0].Field.Name)

	out = signed(t, out, ecSigner(), pades.Options{Field: "Signature1.inner"})
	_, sigs = read(t, out)
	require.Len(t, sigs, 2)
	refusedAs(t, pades.RefusedFieldLocked, out, pades.Options{Field: "Signature1.inner"})
	refusedAs(t, pades.RefusedUnsupported, out, pades.Options{Field: "Signature2"})
	refusedAs(t, pades.RefusedUnsupported, out, pades.Options{Field: "Signature1"})
	refusedAs(t, pades.RefusedUnsupported, out, pades.Options{Field: "a.b"})
}

func TestFewObjectsAreRewritten(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R /AcroForm 4 0 R>>")
	b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	b.Object(3, "<</Type /Page /Parent 2 0 R /Annots 6 0 R>>")
	b.Object(4, "<</Fields 5 0 R /SigFlags 3>>")
	b.Object(5, "[]")
	b.Object(6, "[]")
	b.Table("/Root 1 0 R")
	f, _ := read(t, signed(t, b.Bytes(), ecSigner(), pades.Options{}))
	revs, err := f.Revisions()
	require.NoError(t, err)
	changed, err := f.Changed(revs[1])
	require.NoError(t, err)
	var old []int
	for _, c := range changed {
		if c.Num < 7 {
			old = append(old, c.Num)
		}
	}
	require.Equal(t, []int{5, 6}, old, "only the arrays that hold Fields and Annots")
}

func TestCertifiedFilesAreRespected(t *testing.T) {
	b := pdftest.Plain(1)
	for p := 1; p <= 3; p++ {
		out := signed(t, b, ecSigner(), pades.Options{Certify: p})
		rep, err := pades.Inspect(bytes.NewReader(out), int64(len(out)))
		require.Equal(t, p, rep.Certified)
		refusedAs(t, map[bool]string{true: pades.RefusedCertified, false: pades.RefusedUnsupported}[p == 1], out, pades.Options{Certify: p})
		if p == 1 {
			refusedAs(t, pades.RefusedCertified, out, pades.Options{})
			var r *pades.Refusal
			require.ErrorAs(t, err, &r)
			require.Equal(t, pades.RefusedCertified, r.Code)
			continue
		}
		require.NoError(t, err)
		_, sigs := read(t, signed(t, out, ecSigner(), pades.Options{}))
		require.Len(t, sigs, 2)
	}
}

func TestACertifiedFileGetsItsOwnEmptyFieldFilled(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [4 0 R]>>")
	b.Object(4, "<</T (sign here) /FT /Sig /Subtype /Widget /Rect [0 0 9 9]>>")
	b.Table("/Root 1 0 R")
	out := signed(t, b.Bytes(), ecSigner(), pades.Options{Certify: 2, Field: "author"})
	_, sigs := read(t, signed(t, out, ecSigner(), pades.Options{}))
	require.Equal(t, "sign here", sigs[0].Field.Name)
}

func fieldFile(extra string) []byte {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [4 0 R 5 0 R]>>")
	b.Object(4, "<</T (a) /FT /Sig "+extra+">>")
	b.Object(5, "<</T (b) /FT /Sig>>")
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

func TestLocksAreKept(t *testing.T) {
	out := signed(t, fieldFile("/Lock <</Type /SigFieldLock /Action /Include /Fields [(b)]>>"), ecSigner(), pades.Options{Field: "a"})
	_, sigs := read(t, out)
	require.Equal(t, []pdf.FieldMDP{{Action: "Include", Fields: []string{"b"}}}, sigs[0].FieldLocks)
	refusedAs(t, pades.RefusedFieldLocked, out, pades.Options{Field: "b"})
	_, sigs = read(t, signed(t, out, ecSigner(), pades.Options{}))
	require.Len(t, sigs, 2)
	refusedAs(t, pades.RefusedUnsupported, fieldFile("/Lock <</Action /All /P 4>>"), pades.Options{Field: "a"})
}

// A field may ask that the document be closed once it is signed (ISO 32000-2, table 236).
func TestALockMayCloseTheDocument(t *testing.T) {
	out := signed(t, fieldFile("/Lock <</Type /SigFieldLock /Action /Include /Fields [(a)] /P 1>>"), ecSigner(), pades.Options{Field: "a"})
	_, sigs := read(t, out)
	require.Equal(t, 1, sigs[0].DocMDP)
	refusedAs(t, pades.RefusedCertified, out, pades.Options{Field: "b"})
}

func TestANewFieldGoesOnThePageThatIsAsked(t *testing.T) {
	out := signed(t, pdftest.Plain(3), ecSigner(), pades.Options{Page: 3})
	f, sigs := read(t, out)
	third, err := f.Page(3)
	require.NoError(t, err)
	own, err := f.FieldDict(sigs[0].Field)
	require.NoError(t, err)
	require.Equal(t, third.Ref, own.Get("P"))
	require.Equal(t, pdf.Array{sigs[0].Field.Ref}, third.Dict.Get("Annots"))
	first, err := f.Page(1)
	require.NoError(t, err)
	require.False(t, first.Dict.Has("Annots"))
	refusedAs(t, pades.RefusedNoPage, pdftest.Plain(3), pades.Options{Page: 4})
}

func TestDemandsOfAFieldAreMetOrRefused(t *testing.T) {
	for sv, ok := range map[string]bool{
		"/Ff 2 /SubFilter [/ETSI.CAdES.detached /adbe.pkcs7.detached]": true,
		"/Ff 2 /SubFilter [/adbe.pkcs7.detached]":                      false,
		"/SubFilter [/adbe.pkcs7.detached]":                            true,
		"/Ff 64 /DigestMethod [(SHA256) (SHA512)]":                     true,
		"/Ff 64 /DigestMethod [(SHA512)]":                              false,
		"/Ff 8 /Reasons [(Approved)]":                                  true,
		"/Ff 8 /Reasons [(Other)]":                                     false,
		"/Ff 32 /AddRevInfo true":                                      false,
		"/MDP <</P 0>>":                                                true,
		"/MDP <</P 2>>":                                                false,
		"/TimeStamp <</Ff 1 /URL (http://x)>>":                         false,
		"/Cert <</Ff 1>>":                                              false,
	} {
		b := fieldFile("/SV <<" + sv + ">>")
		_, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: ecSigner().chain, Field: "a", Reason: "Approved"})
		if ok {
			require.NoError(t, err, sv)
			continue
		}
		var r *pades.Refusal
		require.ErrorAs(t, err, &r, sv)
		require.Equal(t, pades.RefusedUnsupported, r.Code)
	}
}

func TestFormsThatMakeTheirPagesAreRefused(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/NeedsRendering true /AcroForm <</Fields [] /XFA 4 0 R>>")
	b.Stream(4, "", "<xdp/>")
	b.Table("/Root 1 0 R")
	refusedAs(t, pades.RefusedDynamicForm, b.Bytes(), pades.Options{})

	b = pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [] /XFA [(config) 4 0 R]>>")
	b.Stream(4, "", "<config><acrobat><acrobat7><dynamicRender>required</dynamicRender></acrobat7></acrobat></config>")
	b.Table("/Root 1 0 R")
	refusedAs(t, pades.RefusedDynamicForm, b.Bytes(), pades.Options{})
}

func TestRefusalsNameTheirReason(t *testing.T) {
	refusedAs(t, pades.RefusedEmpty, nil, pades.Options{})
	refusedAs(t, pades.RefusedNotPDF, []byte("hello"), pades.Options{})
	b := pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
	b.Object(2, "<</Type /Pages /Kids [] /Count 0>>")
	b.Table("/Root 1 0 R")
	refusedAs(t, pades.RefusedNoPage, b.Bytes(), pades.Options{})
	refusedAs(t, pades.RefusedTruncated, []byte("%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages"), pades.Options{})
	whole := pdftest.Plain(3)
	between := bytes.LastIndex(whole[:bytes.LastIndex(whole, []byte("endobj"))], []byte("endobj")) + len("endobj\n")
	refusedAs(t, pades.RefusedTruncated, whole[:between], pades.Options{})
	deep := pdftest.New("%PDF-1.7\n")
	deep.Pages(1, "/X "+strings.Repeat("[", 200)+strings.Repeat("]", 200))
	deep.Table("/Root 1 0 R")
	refusedAs(t, pades.RefusedTooComplex, deep.Bytes(), pades.Options{})
}

func TestWeakKeysAndHashesAreRefused(t *testing.T) {
	b := pdftest.Plain(1)
	_, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: rsaSigner().chain, Hash: crypto.SHA1})
	require.Error(t, err)
	_, err = pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: rsaSigner().chain, SignAlgo: "1.2.840.113549.1.1.5"})
	require.Error(t, err)
}

func TestEarlierHolesAreNotFilled(t *testing.T) {
	// An earlier signature, padded with zeros, must not be taken for the new one's hole.
	b := pdftest.Plain(1)
	for i := range 4 {
		next := signed(t, b, ecSigner(), pades.Options{})
		require.Equal(t, b, next[:len(b)])
		_, sigs := read(t, next)
		require.Len(t, sigs, i+1)
		for _, s := range sigs {
			require.NotZero(t, s.Contents[0], fmt.Sprint(s.Field.Name))
		}
		b = next
	}
}
