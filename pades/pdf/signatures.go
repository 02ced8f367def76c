package pdf

import (
	"fmt"
	"hash/maphash"
)

// Signature is a signature field that is signed. ByteRange and Contents are as the file
// says: whether they cover what they should is the verifier's to find out.
type Signature struct {
	Field Field
	Place // of the signature dictionary
	Dict  *Dict

	Type      Name // "Sig", "DocTimeStamp", or empty
	Filter    Name
	SubFilter Name
	ByteRange []int64
	Contents  []byte
	// ContentsAt and ContentsEnd are where the token <…> lies in the file; 0 when it
	// lies in an object stream, where it must not be.
	ContentsAt, ContentsEnd int64

	M, Name, Reason, Location, ContactInfo string

	DocMDP     int        // permissions of a certifying signature, 1 to 3; 0: not certifying
	FieldLocks []FieldMDP // fields that may not change afterwards
}

// FieldMDP says which fields a signature locks (ISO 32000-2, 12.8.2.4).
type FieldMDP struct {
	Action string // "All", "Include", "Exclude"
	Fields []string

	seed    maphash.Seed
	digests map[uint64]struct{} // of the names, when there are many
}

func (m FieldMDP) weight() (n int) {
	for _, name := range m.Fields {
		n += len(name) + 64
	}
	return n + 64
}

// Locks tells whether a field's name is locked; a name locks the fields below it too.
func (m FieldMDP) Locks(name string) bool {
	in := m.names(name)
	switch m.Action {
	case "Include":
		return in
	case "Exclude":
		return !in
	}
	return true
}

// names tells whether a name or one above it is listed. Both the list and what is asked of
// it may be long and hostile, so names are found by a digest that is made as they are read.
func (m FieldMDP) names(name string) bool {
	if m.digests == nil {
		for _, n := range m.Fields {
			if n == name || len(name) > len(n) && name[:len(n)] == n && name[len(n)] == '.' {
				return true
			}
		}
		return false
	}
	var h maphash.Hash
	h.SetSeed(m.seed)
	for i := range len(name) {
		if _, listed := m.digests[h.Sum64()]; listed && name[i] == '.' {
			return true
		}
		_ = h.WriteByte(name[i]) // never fails
	}
	_, listed := m.digests[h.Sum64()]
	return listed
}

// Signatures are the signed fields in the order of the form.
func (f *File) Signatures() ([]Signature, error) {
	form, err := f.Form()
	if err != nil {
		return nil, err
	}
	return f.SignaturesOf(form)
}

// SignaturesOf is Signatures of a form that was read before.
func (f *File) SignaturesOf(form *Form) ([]Signature, error) {
	var out []Signature
	all := held{f: f, most: maxSigned, what: "signatures"}
	for _, fd := range form.Fields {
		if fd.Type != "Sig" || fd.Value == nil {
			continue
		}
		if len(out) == maxSignatures {
			return nil, fmt.Errorf("%w: more than %d signatures", ErrTooComplex, maxSignatures)
		}
		at := fd.Place
		at.Path = append(append([]any{}, at.Path...), Name("V"))
		at, o, err := f.follow(at, fd.Value)
		if err != nil {
			return nil, fmt.Errorf("signature %q: %w", fd.Name, err)
		}
		d, ok := o.(*Dict)
		if !ok {
			continue
		}
		s, err := f.signature(at, d)
		if err != nil {
			return nil, fmt.Errorf("signature %q: %w", fd.Name, err)
		}
		s.Field = fd
		if _, err := all.add(d); err != nil {
			return nil, err
		}
		if err := all.take(s.weight()); err != nil {
			return nil, err
		}
		out = append(out, *s)
	}
	return out, nil
}

// weight is what a signature takes besides its dictionary.
func (s *Signature) weight() int64 {
	n := 512 + 8*len(s.ByteRange) + len(s.Contents) + len(s.M) + len(s.Name) + len(s.Reason) + len(s.Location) + len(s.ContactInfo)
	for _, l := range s.FieldLocks {
		n += l.weight()
	}
	return int64(n)
}

func (f *File) signature(at Place, d *Dict) (*Signature, error) {
	s := &Signature{Place: at, Dict: d, M: f.text(d.Get("M")), Name: f.text(d.Get("Name")), Reason: f.text(d.Get("Reason")),
		Location: f.text(d.Get("Location")), ContactInfo: f.text(d.Get("ContactInfo")),
		Type: Name(f.text(d.Get("Type"))), Filter: Name(f.text(d.Get("Filter"))), SubFilter: Name(f.text(d.Get("SubFilter")))}
	br, err := f.Array(d.Get("ByteRange"))
	if err != nil {
		return nil, err
	}
	for _, o := range br {
		n, ok := f.int(o)
		if !ok || len(s.ByteRange) > 1024 {
			return nil, fmt.Errorf("%w: bad ByteRange", ErrDamaged)
		}
		s.ByteRange = append(s.ByteRange, n)
	}
	c, err := f.Resolve(d.Get("Contents"))
	if err != nil {
		return nil, err
	}
	if str, ok := c.(String); ok {
		s.Contents, s.ContentsAt, s.ContentsEnd = str.Value, str.At, str.End
	}
	return s, f.references(s, d)
}

// references reads the transforms: DocMDP and FieldMDP.
func (f *File) references(s *Signature, d *Dict) error {
	refs, err := f.Array(d.Get("Reference"))
	if err != nil {
		return err
	}
	locks := held{f: f, most: maxSigned, what: "locks of a signature"}
	for _, o := range refs {
		r, err := f.Dict(o)
		if err != nil {
			return err
		}
		p, err := f.Dict(r.Get("TransformParams"))
		if err != nil {
			return err
		}
		switch f.text(r.Get("TransformMethod")) {
		case "DocMDP":
			s.DocMDP = 2
			if n, ok := f.int(p.Get("P")); ok && n >= 1 && n <= 3 {
				s.DocMDP = int(n)
			}
		case "FieldMDP":
			m, err := f.fieldMDP(p)
			if err != nil {
				return err
			}
			if err := locks.take(int64(m.weight())); err != nil {
				return err
			}
			s.FieldLocks = append(s.FieldLocks, m)
		}
	}
	return nil
}

func (f *File) fieldMDP(p *Dict) (m FieldMDP, err error) {
	m.Action = f.text(p.Get("Action"))
	list, err := f.Array(p.Get("Fields"))
	for _, o := range list {
		m.Fields = append(m.Fields, f.text(o))
	}
	if len(m.Fields) > fewKeys {
		m.seed, m.digests = maphash.MakeSeed(), make(map[uint64]struct{}, len(m.Fields))
		for _, n := range m.Fields {
			m.digests[maphash.String(m.seed, n)] = struct{}{}
		}
	}
	return m, err
}

// Lock reads the Lock dictionary of a signature field, nil when it has none.
func (f *File) Lock(fd Field) (*FieldMDP, *Dict, error) {
	own, err := f.FieldDict(fd)
	if err != nil {
		return nil, nil, err
	}
	d, err := f.Dict(own.Get("Lock"))
	if err != nil || d == nil {
		return nil, nil, err
	}
	m, err := f.fieldMDP(d)
	return &m, d, err
}

// Perms are what the catalog's Perms says: the permission of a certifying signature, 1
// to 3, 0 when there is none, and whether there are usage rights.
func (f *File) Perms() (docMDP int, usageRights bool, err error) {
	c, err := f.Catalog()
	if err != nil {
		return 0, false, err
	}
	p, err := f.Dict(c.Get("Perms"))
	if err != nil {
		return 0, false, err
	}
	if p.Has("DocMDP") {
		d, err := f.Dict(p.Get("DocMDP"))
		if err != nil {
			return 0, false, err
		}
		docMDP = 2
		s := &Signature{}
		if err := f.references(s, d); err != nil {
			return 0, false, err
		}
		if s.DocMDP > 0 {
			docMDP = s.DocMDP
		}
	}
	return docMDP, p.Has("UR3") || p.Has("UR"), nil
}

// DSS is the document security store (ETSI EN 319 142-1, 5.4.2.2).
type DSS struct {
	Place
	Dict               *Dict
	Certs, OCSPs, CRLs []Blob
	VRI                map[string]*Dict
}

// Blob is one certificate, answer or list of the security store.
type Blob struct {
	DER []byte
	At  int64 // where its bytes lie in the file
}

// DSS reads the security store, nil when the file has none. limit bounds its total size.
func (f *File) DSS(limit int64) (*DSS, error) {
	c, err := f.Catalog()
	if err != nil {
		return nil, err
	}
	at, o, err := f.Child(Place{Ref: f.Root()}, c, Name("DSS"))
	if err != nil {
		return nil, err
	}
	d, ok := o.(*Dict)
	if !ok {
		return nil, nil
	}
	s := &DSS{Place: at, Dict: d, VRI: map[string]*Dict{}}
	for k, dst := range map[Name]*[]Blob{"Certs": &s.Certs, "OCSPs": &s.OCSPs, "CRLs": &s.CRLs} {
		if *dst, err = f.blobs(d.Get(k), &limit); err != nil {
			return nil, fmt.Errorf("DSS %s: %w", k, err)
		}
	}
	vri, err := f.Dict(d.Get("VRI"))
	if err != nil {
		return nil, err
	}
	entries := held{f: f, most: maxSigned, what: "validation data by signature"}
	for _, k := range vri.Keys() {
		v, err := f.Dict(vri.Get(k))
		if err != nil {
			return nil, err
		}
		if _, err := entries.add(v); err != nil {
			return nil, err
		}
		if v != nil {
			s.VRI[string(k)] = v
		}
	}
	return s, nil
}

// blobs reads an array of streams within what is left of a limit.
func (f *File) blobs(o Object, left *int64) (out []Blob, err error) {
	list, err := f.Array(o)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		o, err := f.Resolve(o)
		if err != nil {
			return nil, err
		}
		st, ok := o.(*Stream)
		if !ok {
			continue
		}
		b, err := f.Data(st, *left)
		if err != nil {
			return nil, err
		}
		*left -= int64(len(b))
		out = append(out, Blob{b, st.At})
	}
	return out, nil
}
