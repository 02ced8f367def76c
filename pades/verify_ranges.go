package pades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding"
	"fmt"
	"hash"
	"io"
	"slices"

	"countersign/pades/cms"
	"countersign/pades/pdf"
	"countersign/pades/tsp"
)

// item is one signature on its way through a run.
type item struct {
	name   string
	sig    pdf.Signature
	broken string // why the structure is not acceptable: FORMAT_FAILURE

	hole, resume, end int64 // the byte range [0 hole resume end-resume]
	number            int   // of the revision it covers
	begins            int64 // where that revision's update begins
	stamp             bool  // a document timestamp
	mixed             bool  // the hex digits of /Contents mix upper and lower case

	data    *cms.SignedData
	signer  *cms.Signer
	cert    *x509.Certificate // beside the value, in an old kind of signature
	token   *tsp.Token
	hash    crypto.Hash
	readErr error // the value could not be read, or names a weak algorithm
	digest  []byte

	changes finding
	out     SignatureResult
}

// inspect checks everything about a signature that needs no digest: the byte range is
// [0 a b c], the gap is exactly the hex string of /Contents, the end is the end of a
// complete revision that already holds this signature, and the value is CMS.
func (v *verification) inspect(it *item) {
	it.stamp = it.sig.Type == "DocTimeStamp" || it.sig.SubFilter == "ETSI.RFC3161"
	br := it.sig.ByteRange
	switch {
	case len(br) != 4:
		it.broken = fmt.Sprintf("The byte range has %d numbers instead of 4.", len(br))
	case br[0] != 0 || br[1] <= 0 || br[2] <= br[1] || br[3] <= 0 || br[2] > v.f.Size || br[3] > v.f.Size-br[2]:
		it.broken = "The byte range does not describe this file."
	}
	if it.broken != "" {
		return
	}
	it.hole, it.resume, it.end = br[1], br[2], br[2]+br[3]
	if it.sig.ContentsAt != it.hole || it.sig.ContentsEnd != it.resume {
		it.broken = "The byte range leaves out more than the signature's own value."
		return
	}
	if it.broken = v.checkGap(it); it.broken != "" {
		return
	}
	if it.broken = v.checkRevision(it); it.broken != "" {
		return
	}
	if !v.parseOld(it) {
		it.parse()
	}
}

// checkGap re-reads the gap: "<", hex digits, ">".
func (v *verification) checkGap(it *item) string {
	const bad = "The byte range leaves out something other than the signature's value."
	if it.resume-it.hole > 2*(cms.MaxSize+2) {
		return "The signature's value is too large."
	}
	b := make([]byte, it.resume-it.hole)
	if _, err := v.r.ReadAt(b, it.hole); err != nil && err != io.EOF {
		return bad
	}
	if len(b) < 4 || len(b)%2 != 0 || b[0] != '<' || b[len(b)-1] != '>' {
		return bad
	}
	var upper, lower bool
	for _, c := range b[1 : len(b)-1] {
		switch {
		case c >= '0' && c <= '9':
		case c >= 'A' && c <= 'F':
			upper = true
		case c >= 'a' && c <= 'f':
			lower = true
		default:
			return bad
		}
	}
	it.mixed = upper && lower
	return ""
}

// checkRevision opens the signed bytes as a file of their own.
func (v *verification) checkRevision(it *item) string {
	const bad = "The signed bytes do not end where a version of the file ends."
	rev, err := v.f.At(it.end)
	if err != nil {
		return bad
	}
	if ok, err := rev.Ends(); err != nil || !ok {
		return bad
	}
	if !holds(rev, it) {
		return "The signature is not part of the version it claims to cover."
	}
	revs, err := rev.Revisions()
	if err != nil {
		return bad
	}
	it.number = len(revs)
	it.begins, _ = rev.FirstByte() // zero: cannot be told
	return ""
}

func holds(rev *pdf.File, it *item) bool {
	form, err := rev.Form()
	if err != nil {
		return false
	}
	for _, fd := range form.Fields {
		if fd.Type != "Sig" || fd.Value == nil || fd.Name != it.name {
			continue
		}
		sigs, err := rev.SignaturesOf(&pdf.Form{Fields: []pdf.Field{fd}})
		if err == nil && len(sigs) == 1 && sigs[0].ContentsAt == it.hole && sigs[0].ContentsEnd == it.resume {
			return true
		}
	}
	return false
}

// parse reads the value, so that the digest to compute is known.
func (it *item) parse() {
	der, clean := cms.Trim(it.sig.Contents)
	if !clean && it.readErr == nil {
		if _, err := cms.Parse(der); err != nil {
			it.readErr = err
			return
		}
		it.broken = "Something other than padding follows the signature's value."
		return
	}
	if it.stamp {
		if it.token, it.readErr = tsp.ParseToken(der); it.readErr == nil {
			it.hash = it.token.Hash
		}
		return
	}
	if it.data, it.readErr = cms.Parse(der); it.readErr != nil {
		return
	}
	if it.signer, it.readErr = it.data.One(); it.readErr != nil {
		return
	}
	if !it.data.ContentType.Equal(cms.OIDData) || it.data.Content != nil {
		it.broken = "The signature's value is about something other than this file."
		return
	}
	it.hash, it.readErr = it.signer.Hash()
}

// prefix is a running hash over all bytes from the first, of which states are cloned.
type prefix struct{ hash.Hash }

func (p prefix) clone(h crypto.Hash) (hash.Hash, error) {
	m, ok := p.Hash.(encoding.BinaryMarshaler)
	if !ok {
		return nil, fmt.Errorf("hash %s cannot be cloned", h)
	}
	state, err := m.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("clone hash: %w", err)
	}
	c := h.New()
	return c, c.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
}

// digest reads the file once. Each signature's digest starts as a copy of the running hash
// at its hole, so the bytes before are hashed once for all of them.
func (v *verification) digest() error {
	running := map[crypto.Hash]prefix{crypto.SHA256: {crypto.SHA256.New()}}
	taps := map[*item]hash.Hash{}
	edges := []int64{0, v.size}
	for _, it := range v.items {
		if it.broken == "" && it.hash != 0 {
			if _, ok := running[it.hash]; !ok {
				running[it.hash] = prefix{it.hash.New()}
			}
			edges = append(edges, it.hole, it.resume, it.end)
		}
	}
	originals := v.originals()
	edges = append(edges, originals...)
	slices.Sort(edges)
	edges = slices.Compact(edges)
	for i, from := range edges {
		for _, it := range v.items {
			if it.broken != "" || it.hash == 0 {
				continue
			}
			var err error
			if it.hole == from {
				if taps[it], err = running[it.hash].clone(it.hash); err != nil {
					return err
				}
			}
			if it.end == from {
				it.digest = taps[it].Sum(nil)
			}
		}
		for j, at := range originals {
			if at == from {
				v.setOriginal(j, running[crypto.SHA256].Sum(nil))
			}
		}
		if i+1 == len(edges) {
			break
		}
		to := edges[i+1]
		var sinks []io.Writer
		for _, p := range running {
			sinks = append(sinks, p)
		}
		for it, h := range taps {
			if it.resume <= from && it.end >= to {
				sinks = append(sinks, h)
			}
		}
		if err := Feed(v.ctx, v.r, from, to, sinks...); err != nil {
			return err
		}
	}
	v.res.SHA256 = running[crypto.SHA256].Sum(nil)
	return nil
}

// originals are where the first signature's update begins, and the same without the end of
// line before it, which the update's writer may have added. Empty when the file was signed
// as it was first written.
func (v *verification) originals() []int64 {
	var first *item
	for _, it := range v.items {
		if it.number > 0 && (first == nil || it.end < first.end) {
			first = it
		}
	}
	if first == nil || first.number < 2 {
		return nil
	}
	at := first.begins
	if at < 16 {
		return nil
	}
	tail := make([]byte, 2)
	if _, err := v.r.ReadAt(tail, at-2); err != nil {
		return nil
	}
	bare := at
	switch {
	case bytes.Equal(tail, []byte("\r\n")):
		bare = at - 2
	case tail[1] == '\n' || tail[1] == '\r':
		bare = at - 1
	}
	return []int64{at, bare}
}

func (v *verification) setOriginal(i int, sum []byte) {
	if i == 0 {
		v.res.Original = sum
	} else {
		v.res.OriginalBare = sum
	}
}
