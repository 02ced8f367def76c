package pades

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"countersign/pades/cms"
	"countersign/pades/pdf"
)

// Prepared is a signature between the two phases: everything that Complete needs, in
// fields that survive JSON. It holds no secret, but it is the document's: store it as such.
type Prepared struct {
	Delta      []byte   // the update, to be appended; the hole is zeros
	HoleOffset int      // of the token <…> within Delta
	HoleLength int      // of the token, delimiters included
	BaseSize   int64    // bytes of the file that is signed
	ByteRange  [4]int64 // as in the file: offset, length, offset, length
	BaseState  []byte   // SHA-256 state after the base (encoding.BinaryMarshaler)
	Field      string   // full name of the signature field
	Stamped    bool     // there is room for a timestamp token
	Unsigned   *cms.Unsigned
}

// Prepare builds the incremental update with a hole for the signature and the digest that
// the remote key signs. r is read only where needed when o.State is given and the hash is
// SHA-256; otherwise the file is read once. A *Refusal says that the file cannot be signed.
func Prepare(r io.ReaderAt, size int64, o Options) (*Prepared, error) {
	if len(o.Chain) == 0 {
		return nil, errors.New("pades: prepare: no certificate")
	}
	alg, err := cms.AlgorithmFor(o.SignAlgo, o.SignParams, o.Chain[0].PublicKey, o.Hash)
	if err != nil {
		return nil, fmt.Errorf("pades: choose algorithm: %w", err)
	}
	o.Hash = alg.Hash
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	p, err := plan(r, size, o)
	if err != nil {
		return nil, refusal(err)
	}
	state, base, err := hashBase(r, size, o)
	if err != nil {
		return nil, fmt.Errorf("pades: hash file: %w", err)
	}
	out, err := p.update.Append(seed(state, o.Time), o.Rand)
	if err != nil {
		return nil, refusal(err)
	}
	cut, err := openHole(out, size)
	if err != nil {
		return nil, err
	}
	prep := &Prepared{Delta: out.Bytes, HoleOffset: cut.Offset, HoleLength: cut.Length, BaseSize: size,
		BaseState: state, Field: p.field, Stamped: o.Timestamped, ByteRange: cut.byteRange}
	cut.hash(base, out.Bytes)
	if prep.Unsigned, err = cms.NewUnsigned(o.Chain, alg, base.Sum(nil)); err != nil {
		return nil, fmt.Errorf("pades: signed attributes: %w", err)
	}
	return prep, nil
}

// hole is where a value goes into an update: the token <…>, delimiters included.
type hole struct {
	pdf.Span
	byteRange [4]int64
}

// openHole fills in the byte range of an update that follows size bytes.
func openHole(out *pdf.Appended, size int64) (hole, error) {
	h := hole{Span: out.Holes["Contents"]}
	span, ok := out.Holes["ByteRange"]
	if !ok || h.Length < 2 {
		return h, errors.New("pades: the signature dictionary was not written")
	}
	before, after := size+int64(h.Offset), size+int64(h.Offset+h.Length)
	h.byteRange = [4]int64{0, before, after, size + int64(len(out.Bytes)) - after}
	copy(out.Bytes[span.Offset:], byteRangeText(h.byteRange))
	return h, nil
}

// hash adds all of the update but the hole to a hash that has seen what precedes it.
func (h hole) hash(sum hash.Hash, delta []byte) {
	sum.Write(delta[:h.Offset])
	sum.Write(delta[h.Offset+h.Length:])
}

// fill writes a value into the hole; what it does not need stays zeros.
func (h hole) fill(delta, der []byte) error {
	if room := (h.Length - 2) / 2; len(der) > room {
		return fmt.Errorf("the signature takes %d bytes, %d were kept", len(der), room)
	}
	hex.Encode(delta[h.Offset+1:], der)
	return nil
}

// byteRangeText is the array padded to one width, whatever the numbers.
func byteRangeText(b [4]int64) string {
	const width = len("[0 ]") + 3*13
	s := fmt.Sprintf("[%d %d %d %d", b[0], b[1], b[2], b[3])
	return s + strings.Repeat(" ", width-1-len(s)) + "]"
}

// contentsDigits is the room for the signature: generous, since what was reserved cannot
// grow once the digest is out (certificates, 2 KiB of the rest, 10 KiB for a token).
func contentsDigits(o Options) int {
	digits, need := 16384, 4096
	if o.Timestamped {
		digits, need = 32768, need+10<<10
	}
	for _, c := range o.Chain {
		need += len(c.Raw)
	}
	for digits < 2*need {
		digits *= 2
	}
	return digits
}

func seed(state []byte, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(nil), state...), uint64(at.UnixNano()))
}

// hashBase gives the SHA-256 state after the file and a hash in the wished algorithm that
// has seen the file.
func hashBase(r io.ReaderAt, size int64, o Options) (state []byte, h hash.Hash, err error) {
	sum := sha256.New()
	var writers []io.Writer
	if o.State != nil {
		if err := restore(sum, o.State, size); err != nil {
			return nil, nil, err
		}
	} else {
		writers = append(writers, sum)
	}
	h = sum
	if o.Hash != crypto.SHA256 {
		h = o.Hash.New()
		writers = append(writers, h)
	}
	if len(writers) > 0 {
		buf := make([]byte, 256<<10)
		n, err := io.CopyBuffer(io.MultiWriter(writers...), onlyReader{io.NewSectionReader(r, 0, size)}, buf)
		if err != nil {
			return nil, nil, err
		}
		if n != size {
			return nil, nil, io.ErrUnexpectedEOF
		}
	}
	state, err = sum.(encoding.BinaryMarshaler).MarshalBinary()
	return state, h, err
}

// onlyReader hides WriterTo, so that the buffer's size holds.
type onlyReader struct{ io.Reader }

// restore loads a SHA-256 state, which ends with the count of bytes it has seen.
func restore(h hash.Hash, state []byte, size int64) error {
	if len(state) < 8 || binary.BigEndian.Uint64(state[len(state)-8:]) != uint64(size) {
		return fmt.Errorf("the hash state is not of a file of %d bytes", size)
	}
	return h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
}

// MessageDigest is that of the bytes that will be signed, for somebody else to make signed
// attributes of.
func (p *Prepared) MessageDigest() ([]byte, error) {
	if p.Unsigned == nil {
		return nil, errors.New("pades: the stored preparation cannot be read")
	}
	return p.Unsigned.MessageDigest()
}

// Adopt takes signed attributes that somebody else made over MessageDigest in place of ours, if
// they are for this document and certificate and say nothing more (see cms.UnsignedFrom). Nothing
// else of the preparation changes.
func (p *Prepared) Adopt(attributes []byte) error {
	if p.Unsigned == nil {
		return errors.New("pades: the stored preparation cannot be read")
	}
	u, err := p.Unsigned.Adopt(attributes)
	if err != nil {
		return fmt.Errorf("pades: adopt attributes: %w", err)
	}
	p.Unsigned = u
	return nil
}

// Digest is what the key signs: the digest of the signed attributes.
func (p *Prepared) Digest() []byte { return p.Unsigned.Digest() }

// planned is an update that awaits its bytes.
type planned struct {
	update *pdf.Update
	field  string
}

// plan opens the file and decides what to write. A file that turns out damaged on the way
// is repaired once, if it is not signed.
func plan(r io.ReaderAt, size int64, o Options) (*planned, error) {
	opening := pdf.Options{Password: o.Password}.Shared()
	r = newBlocks(r, size, opening)
	f, err := pdf.Open(r, size, opening)
	if err != nil {
		return nil, err
	}
	p, err := planIn(f, o)
	if err == nil {
		err = f.Spent()
	}
	if err != nil && errors.Is(err, pdf.ErrDamaged) && !f.Repaired {
		fixed, err2 := pdf.OpenRepaired(r, size, opening)
		if err2 != nil {
			return nil, fmt.Errorf("%w (repair: %v)", err, err2)
		}
		if p, err = planIn(fixed, o); err == nil {
			err = fixed.Spent()
		}
	}
	return p, err
}

func planIn(f *pdf.File, o Options) (*planned, error) {
	t, err := chooseField(f, o)
	if err != nil {
		return nil, err
	}
	u, err := f.NewUpdate()
	if err != nil {
		return nil, err
	}
	sig := u.Add(signatureDict(f, t, o))
	if o.Certify != 0 {
		c, err := u.Edit(pdf.Place{Ref: f.Root()})
		if err != nil {
			return nil, err
		}
		c.(*pdf.Dict).Set("Perms", pdf.NewDict(pdf.Name("DocMDP"), sig))
	}
	if t.existing != nil {
		err = fillField(u, t, sig)
	} else {
		err = addField(f, u, t, sig)
	}
	return &planned{update: u, field: t.name}, err
}

// signatureDict is the signature dictionary (EN 319 142-1, 6.3; ISO 32000-2, table 255).
func signatureDict(f *pdf.File, t *target, o Options) *pdf.Dict {
	d := signatureHoles("Sig", "ETSI.CAdES.detached", contentsDigits(o))
	if !o.Time.IsZero() {
		d.Set("M", pdf.Text(pdfDate(o.Time)))
	}
	for k, v := range map[pdf.Name]string{"Name": o.Name, "Reason": o.Reason, "Location": o.Location, "ContactInfo": o.Contact} {
		if v != "" {
			d.Set(k, pdf.Text(v))
		}
	}
	var refs pdf.Array
	if p := stricter(o.Certify, t.docMDP); p != 0 {
		refs = append(refs, pdf.NewDict(pdf.Name("Type"), pdf.Name("SigRef"), pdf.Name("TransformMethod"), pdf.Name("DocMDP"),
			pdf.Name("TransformParams"), pdf.NewDict(pdf.Name("Type"), pdf.Name("TransformParams"),
				pdf.Name("P"), pdf.Integer(int64(p)), pdf.Name("V"), pdf.Name("1.2"))))
	}
	if t.lock != nil {
		refs = append(refs, fieldMDP(f, t.lock))
	}
	if refs != nil {
		d.Set("Reference", refs)
	}
	return d
}

// stricter is the smaller of two permissions, where zero is none.
func stricter(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// signatureHoles is a signature dictionary with room for a value of so many digits.
func signatureHoles(kind, format pdf.Name, digits int) *pdf.Dict {
	return pdf.NewDict(
		pdf.Name("Type"), kind, pdf.Name("Filter"), pdf.Name("Adobe.PPKLite"), pdf.Name("SubFilter"), format,
		pdf.Name("ByteRange"), pdf.Hole{Label: "ByteRange", Text: byteRangeText([4]int64{})},
		pdf.Name("Contents"), pdf.Hole{Label: "Contents", Text: "<" + strings.Repeat("0", digits) + ">"},
	)
}

// pdfDate is a date (ISO 32000-2, 7.9.4) in the form that every reader takes.
func pdfDate(t time.Time) string { return t.UTC().Format("D:20060102150405") + "+00'00'" }
