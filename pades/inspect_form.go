package pades

import (
	"bytes"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"

	"countersign/pades/cms"
	"countersign/pades/pdf"
	"countersign/pades/tsp"
)

const (
	signersRead   = 256     // signatures whose value is read for a name
	entriesRead   = 200_000 // cross-reference entries read to tell what revisions added
	metadataBytes = 1 << 20
	wordsTold     = 400_000 // names and values of the locks and demands of empty fields
)

// signatures reads the form: what is signed, what is not, and what that permits.
func (in *inspection) signatures() error {
	form, err := in.f.Form()
	if err != nil {
		return err
	}
	in.form = form
	sigs, err := in.f.SignaturesOf(form)
	if err != nil {
		return err
	}
	in.sigs = sigs
	for i := range sigs {
		in.rep.Signatures = append(in.rep.Signatures, in.signature(&sigs[i], i < signersRead))
	}
	for _, fd := range form.Fields {
		if v, err := in.f.Resolve(fd.Value); fd.Type == "Sig" && err == nil && v == nil {
			field := in.emptyField(fd)
			if in.words += field.words(); in.words > wordsTold {
				return fmt.Errorf("%w: locks and demands of fields", pdf.ErrTooComplex)
			}
			in.rep.EmptyFields = append(in.rep.EmptyFields, field)
		}
	}
	p, err := certification(in.f, sigs)
	in.rep.Certified = p
	if err == nil {
		in.rep.Allowed = allowed(p, sigs)
	}
	return err
}

func allowed(certified int, sigs []pdf.Signature) *Allowed {
	a := &Allowed{Anything: len(sigs) == 0 && certified == 0, Sign: certified != 1, Fill: certified != 1, Annotate: certified == 0 || certified == 3}
	for _, s := range sigs {
		for _, l := range s.FieldLocks {
			a.Locked = append(a.Locked, Lock{Action: l.Action, Fields: l.Fields})
		}
	}
	return a
}

func (in *inspection) signature(s *pdf.Signature, read bool) SignatureReport {
	out := SignatureReport{Field: s.Field.Name, Type: "signature", SubFilter: string(s.SubFilter), ClaimedTime: moment(pdfTime(s.M)), Certifies: s.DocMDP}
	for _, l := range s.FieldLocks {
		out.Locks = append(out.Locks, Lock{Action: l.Action, Fields: l.Fields})
	}
	if b := s.ByteRange; len(b) == 4 {
		out.CoversAll = b[0] == 0 && b[1] == s.ContentsAt && b[2] == s.ContentsEnd && b[3] == in.f.Size-b[2]
	}
	stamp := s.Type == "DocTimeStamp" || s.SubFilter == "ETSI.RFC3161"
	if stamp {
		out.Type = "timestamp"
	}
	if !read {
		return out
	}
	der, _ := cms.Trim(s.Contents)
	if stamp {
		if t, err := tsp.ParseToken(der); err == nil {
			out.StampTime = moment(t.Time)
			if t.Certificate != nil {
				out.Signer = t.Certificate.Subject.CommonName
			}
		}
		return out
	}
	if c := in.signerOf(s, der); c != nil {
		out.Signer = c.Subject.CommonName
	}
	return out
}

// signerOf is the certificate the value names, or that of adbe.x509.rsa_sha1, which stands
// beside it (ISO 32000-1, 12.8.3.2).
func (in *inspection) signerOf(s *pdf.Signature, der []byte) *x509.Certificate {
	if s.SubFilter == oldX509 {
		return certificateBeside(in.f, s)
	}
	sd, err := cms.Parse(der)
	if err != nil {
		return nil
	}
	signer, err := sd.One()
	if err != nil {
		return nil
	}
	c, _ := sd.Certificate(signer)
	return c
}

func (r *FieldReport) words() (n int) {
	if r.Lock != nil {
		n += len(r.Lock.Fields)
	}
	for _, d := range r.Demands {
		n += 1 + len(d.Values)
	}
	return n
}

func (in *inspection) emptyField(fd pdf.Field) FieldReport {
	out := FieldReport{Field: fd.Name}
	if lock, d, err := in.f.Lock(fd); err == nil && lock != nil {
		out.Lock = &Lock{Action: lock.Action, Fields: lock.Fields, Permission: int(integer(in.f, d.Get("P")))}
	}
	own, err := in.f.FieldDict(fd)
	if err != nil {
		return out
	}
	sv, err := in.f.Dict(own.Get("SV"))
	if err != nil || sv == nil {
		return out
	}
	flags := integer(in.f, sv.Get("Ff"))
	bits := map[pdf.Name]int64{"Filter": 1, "SubFilter": 2, "V": 4, "Reasons": 8, "LegalAttestation": 16, "AddRevInfo": 32, "DigestMethod": 64,
		"LockDocument": 128, "AppearanceFilter": 256}
	for _, k := range sv.Keys() {
		d := Demand{Key: string(k), Required: flags&bits[k] != 0}
		switch k {
		case "Type", "Ff":
			continue
		case "Cert", "TimeStamp":
			inner, _ := in.f.Dict(sv.Get(k))
			d.Required = integer(in.f, inner.Get("Ff")) != 0
		case "MDP":
			d.Required = true
		}
		d.Values, _ = texts(in.f, sv.Get(k))
		out.Demands = append(out.Demands, d)
		if out.words() > wordsTold {
			break // too much for whoever adds them up, too
		}
	}
	return out
}

// revisions tells what each update brought, as far as the newest version shows: whether
// that was permitted is for Verify to say.
func (in *inspection) revisions() {
	revs, err := in.f.Revisions()
	if err != nil {
		return
	}
	store, filled := in.storeNumbers(), map[int]bool{}
	for _, fd := range in.form.Fields {
		if fd.Type != "Sig" && fd.Value != nil {
			filled[fd.Ref.Num] = true
		}
	}
	left, from := int64(entriesRead), int64(0)
	for i, rev := range revs {
		out := RevisionReport{Number: rev.Number, End: rev.End, Bytes: rev.End - from}
		if i == 0 {
			out.Adds = []string{"original"}
		}
		for j, s := range in.sigs {
			if s.ContentsAt >= from && s.ContentsEnd <= rev.EOF && s.ContentsEnd > 0 {
				in.rep.Signatures[j].Revision = rev.Number
				out.Adds = append(out.Adds, in.rep.Signatures[j].Type)
			}
		}
		if n := rev.Entries(); i > 0 && n <= left {
			left -= n
			changes, _ := in.f.Changed(rev)
			if slices.ContainsFunc(changes, func(c pdf.Change) bool { return store[c.Num] }) {
				out.Adds = append(out.Adds, "validation data")
			}
			if slices.ContainsFunc(changes, func(c pdf.Change) bool { return filled[c.Num] }) {
				out.Adds = append(out.Adds, "form filling")
			}
		}
		if out.Adds == nil {
			out.Adds = []string{"other"}
		}
		slices.Sort(out.Adds)
		out.Adds = slices.Compact(out.Adds)
		in.rep.Revisions = append(in.rep.Revisions, out)
		from = rev.End
	}
}

// storeNumbers are the objects of the security store that hold what was added.
func (in *inspection) storeNumbers() map[int]bool {
	out := map[int]bool{}
	o := in.catalog.Get("DSS")
	note := func(o pdf.Object) {
		_ = pdf.References(o, func(r pdf.Ref) error { out[r.Num] = true; return nil })
	}
	note(o)
	d, _ := in.f.Dict(o)
	note(d)
	for _, k := range d.Keys() {
		list, _ := in.f.Array(d.Get(k))
		note(list)
	}
	return out
}

// metadata reads what the file claims to be (XMP: ISO 19005-1, 6.7.11; ISO 14289-1, 5).
func (in *inspection) metadata() {
	o, err := in.f.Resolve(in.catalog.Get("Metadata"))
	st, ok := o.(*pdf.Stream)
	if err == nil && !ok {
		return
	}
	var b []byte
	if err == nil {
		b, err = in.f.Data(st, metadataBytes)
	}
	if err == nil {
		in.rep.Claims, err = claims(b)
	}
	in.note(err != nil, "metadata_unreadable", "the metadata")
}

func claims(xmp []byte) ([]string, error) {
	const pdfa, pdfua = "http://www.aiim.org/pdfa/ns/id/", "http://www.aiim.org/pdfua/ns/id/"
	got := map[xml.Name]string{}
	dec := xml.NewDecoder(bytes.NewReader(xmp))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var inside xml.Name
	var failed error
	for {
		t, err := dec.Token()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				failed = err
			}
			break
		}
		switch t := t.(type) {
		case xml.StartElement:
			inside = t.Name
			for _, a := range t.Attr {
				keep(got, a.Name, a.Value)
			}
		case xml.CharData:
			keep(got, inside, string(bytes.TrimSpace(t)))
		case xml.EndElement:
			inside = xml.Name{}
		}
	}
	var out []string
	if part := got[xml.Name{Space: pdfa, Local: "part"}]; part != "" {
		out = append(out, "PDF/A-"+part+lower(got[xml.Name{Space: pdfa, Local: "conformance"}]))
	}
	if part := got[xml.Name{Space: pdfua, Local: "part"}]; part != "" {
		out = append(out, "PDF/UA-"+part)
	}
	return out, failed
}

// keep takes short values in the two namespaces of claims.
func keep(got map[xml.Name]string, n xml.Name, v string) {
	if (n.Local == "part" || n.Local == "conformance") && v != "" && len(v) <= 8 {
		got[n] = printable(v)
	}
}

func lower(s string) string { return string(bytes.ToLower([]byte(s))) }
