package pades

import (
	"crypto/sha1" //nolint:gosec // the name of an entry (EN 319 142-1, 5.4.2.3), no proof
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"

	"countersign/pades/pdf"
	"countersign/pades/trust"
)

// storeWriter adds to the document security store (EN 319 142-1, 5.4.2).
type storeWriter struct {
	f                  *pdf.File
	dss                *pdf.DSS // nil: none yet
	have               map[[32]byte]bool
	certs, ocsps, crls int // added
}

func newStoreWriter(f *pdf.File, dss *pdf.DSS) *storeWriter {
	w := &storeWriter{f: f, dss: dss, have: map[[32]byte]bool{}}
	if dss == nil {
		return w
	}
	for _, list := range [][]pdf.Blob{dss.Certs, dss.OCSPs, dss.CRLs} {
		for _, b := range list {
			w.have[sha256.Sum256(b.DER)] = true
		}
	}
	return w
}

// maxKnown is how many certificates of a store help to build chains.
const maxKnown = 1000

// certificates are those the store has.
func (w *storeWriter) certificates() (out []*x509.Certificate) {
	if w.dss == nil {
		return nil
	}
	for _, b := range w.dss.Certs[:min(len(w.dss.Certs), maxKnown)] {
		if c, err := x509.ParseCertificate(b.DER); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// write gives the update, nil when the store has everything.
func (w *storeWriter) write(m trust.Material, sigs []pdf.Signature, o ExtendOptions, size int64) ([]byte, error) {
	u, err := w.f.NewUpdate()
	if err != nil {
		return nil, err
	}
	var certs [][]byte
	for _, c := range m.Certs {
		certs = append(certs, c.Raw)
	}
	added := map[pdf.Name]pdf.Array{"Certs": w.add(u, certs, &w.certs), "OCSPs": w.add(u, m.OCSPs, &w.ocsps), "CRLs": w.add(u, m.CRLs, &w.crls)}
	if w.certs+w.ocsps+w.crls == 0 {
		return nil, nil
	}
	at, err := w.place(u)
	if err != nil {
		return nil, err
	}
	for _, k := range []pdf.Name{"Certs", "OCSPs", "CRLs"} {
		if len(added[k]) > 0 {
			if err := u.Extend(at, k, added[k]...); err != nil {
				return nil, err
			}
		}
	}
	if o.VRI {
		if err := w.vri(u, at, added, sigs, o); err != nil {
			return nil, err
		}
	}
	if err := w.extensions(u); err != nil {
		return nil, err
	}
	out, err := u.Append(fmt.Appendf(nil, "%d %d", size, o.Now.UnixNano()), o.Rand)
	if err != nil {
		return nil, err
	}
	return out.Bytes, nil
}

// add makes streams of what the store does not have.
func (w *storeWriter) add(u *pdf.Update, blobs [][]byte, n *int) (refs pdf.Array) {
	for _, b := range blobs {
		sum := sha256.Sum256(b)
		if w.have[sum] {
			continue
		}
		w.have[sum] = true
		refs = append(refs, u.Add(&pdf.Stream{Dict: pdf.NewDict(), Body: b}))
		*n++
	}
	return refs
}

// place is the store's dictionary, made if there is none.
func (w *storeWriter) place(u *pdf.Update) (pdf.Place, error) {
	if w.dss != nil {
		return w.dss.Place, nil
	}
	ref := u.Add(pdf.NewDict(pdf.Name("Type"), pdf.Name("DSS")))
	c, err := u.Edit(pdf.Place{Ref: w.f.Root()})
	if err != nil {
		return pdf.Place{}, err
	}
	c.(*pdf.Dict).Set("DSS", ref)
	return pdf.Place{Ref: ref}, nil
}

// vri lists what was added under each signature that has no entry yet. The key is the digest
// of the whole string of Contents, its padding included, as readers compute it.
func (w *storeWriter) vri(u *pdf.Update, at pdf.Place, added map[pdf.Name]pdf.Array, sigs []pdf.Signature, o ExtendOptions) error {
	dss, err := u.Edit(at)
	if err != nil {
		return err
	}
	d := dss.(*pdf.Dict)
	if !d.Has("VRI") {
		d.Set("VRI", u.Add(pdf.NewDict()))
	}
	place, err := u.Find(at, "VRI")
	if err != nil {
		return err
	}
	held, err := u.Edit(place)
	if err != nil {
		return err
	}
	all, ok := held.(*pdf.Dict)
	if !ok {
		return fmt.Errorf("%w: the store's VRI is no dictionary", pdf.ErrDamaged)
	}
	for i := range sigs {
		key := pdf.Name(strings.ToUpper(fmt.Sprintf("%x", sha1.Sum(sigs[i].Contents)))) //nolint:gosec // see the import
		if all.Has(key) {
			continue
		}
		entry := pdf.NewDict(pdf.Name("TU"), pdf.Text(pdfDate(o.Now)))
		for k, from := range map[pdf.Name]pdf.Name{"Cert": "Certs", "OCSP": "OCSPs", "CRL": "CRLs"} {
			if len(added[from]) > 0 {
				entry.Set(k, added[from])
			}
		}
		all.Set(key, u.Add(entry))
	}
	return nil
}

// extensions says that the file goes beyond PDF 1.7 (ISO 32000-2, 7.12; EN 319 142-1, 5.6).
func (w *storeWriter) extensions(u *pdf.Update) error {
	c, err := w.f.Catalog()
	if err != nil {
		return err
	}
	version := w.f.Version
	if v, _ := w.f.Resolve(c.Get("Version")); v != nil {
		if n, ok := v.(pdf.Name); ok {
			version = max(version, string(n))
		}
	}
	if version >= "2" || c.Has("Extensions") {
		return nil
	}
	o, err := u.Edit(pdf.Place{Ref: w.f.Root()})
	if err != nil {
		return err
	}
	o.(*pdf.Dict).Set("Extensions", pdf.NewDict(pdf.Name("ESIC"),
		pdf.NewDict(pdf.Name("BaseVersion"), pdf.Name("1.7"), pdf.Name("ExtensionLevel"), pdf.Integer(1))))
	return nil
}
