package pades

import (
	"countersign/pades/pdf"
)

// securityStore: the DSS may appear and grow (EN 319 142-1, 5.4). Its containers may be
// replaced under their numbers, the data in it may only be added.
func (c *comparison) securityStore(o pdf.Object) error {
	d, err := c.container(o)
	if err != nil || d == nil {
		return err
	}
	for _, k := range d.Keys() {
		switch k {
		case "Type":
		case "Certs", "OCSPs", "CRLs":
			if err := c.storeList(d.Get(k)); err != nil {
				return err
			}
		case "VRI":
			if err := c.storeVRI(d.Get(k)); err != nil {
				return err
			}
		default:
			return refuseChange("its validation data holds something else.")
		}
	}
	return nil
}

func (c *comparison) storeVRI(o pdf.Object) error {
	d, err := c.container(o)
	if err != nil {
		return err
	}
	for _, k := range d.Keys() {
		entry, err := c.container(d.Get(k))
		if err != nil {
			return err
		}
		for _, k := range entry.Keys() {
			switch k {
			case "Type", "TU":
			case "Cert", "OCSP", "CRL":
				err = c.storeList(entry.Get(k))
			case "TS":
				err = c.storeStream(entry.Get(k))
			default:
				err = refuseChange("its validation data holds something else.")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// replaced notes a container of the store that was there before. It might also be, say, a
// list of a page's content: that is ruled out in references.
func (c *comparison) replaced(ref pdf.Ref, fits func(pdf.Object) bool) error {
	if _, was, err := c.old.Current(ref.Num); err != nil || !was {
		return err
	}
	old, err := c.old.Resolve(ref)
	if err != nil {
		return err
	}
	if !fits(old) {
		return refuseChange("its validation data took the place of something else.")
	}
	c.shared[ref.Num] = true
	return nil
}

// container is a dictionary of the store.
func (c *comparison) container(o pdf.Object) (*pdf.Dict, error) {
	ref, isRef := o.(pdf.Ref)
	o, err := c.new.Resolve(o)
	if err != nil || o == nil {
		return nil, err
	}
	d, ok := o.(*pdf.Dict)
	if !ok {
		return nil, refuseChange("its validation data cannot be read.")
	}
	if isRef && c.changed.has(ref.Num) {
		c.claimed.add(ref.Num)
		c.store = true
		if err := c.replaced(ref, func(old pdf.Object) bool { x, ok := old.(*pdf.Dict); return ok && onlyStoreKeys(c, x, d) }); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// onlyStoreKeys tells whether a replaced container differs only in keys of the store. Keys of
// the VRI are 40 hex digits.
func onlyStoreKeys(c *comparison, a, b *pdf.Dict) bool {
	for _, k := range differing(a, b) {
		same, err := c.old.Same(a.Get(k), c.new, b.Get(k))
		if err != nil {
			return false
		}
		switch k {
		case "Type":
			if !same && a.Has(k) {
				return false
			}
		case "Certs", "OCSPs", "CRLs", "VRI", "Cert", "OCSP", "CRL", "TU", "TS":
		default:
			if !same && len(k) != 40 {
				return false
			}
		}
	}
	return true
}

func (c *comparison) storeList(o pdf.Object) error {
	ref, isRef := o.(pdf.Ref)
	list, err := c.new.Array(o)
	if err != nil {
		return err
	}
	if isRef && c.changed.has(ref.Num) {
		c.claimed.add(ref.Num)
		c.store = true
		if err := c.replaced(ref, func(old pdf.Object) bool { _, ok := old.(pdf.Array); return ok }); err != nil {
			return err
		}
	}
	for _, o := range list {
		if err := c.storeStream(o); err != nil {
			return err
		}
	}
	return nil
}

// storeStream claims one certificate, CRL, OCSP answer or token if it is new.
func (c *comparison) storeStream(o pdf.Object) error {
	ref, ok := o.(pdf.Ref)
	if !ok || !c.changed.has(ref.Num) {
		return nil
	}
	if _, was, err := c.old.Current(ref.Num); err != nil || was {
		return err
	}
	x, err := c.new.Resolve(ref)
	if err != nil {
		return err
	}
	s, ok := x.(*pdf.Stream)
	if !ok {
		return refuseChange("its validation data cannot be read.")
	}
	c.claimed.add(ref.Num)
	c.store = true
	return c.claim(s.Dict)
}

// holders are the numbers of the old file's objects that may refer to containers: the
// catalog, the store, its VRI and the entries of that.
func (c *comparison) holders() (map[int]bool, error) {
	in := map[int]bool{c.old.Root().Num: true}
	root, err := c.old.Catalog()
	if err != nil {
		return nil, err
	}
	note := func(o pdf.Object) (*pdf.Dict, error) {
		if ref, ok := o.(pdf.Ref); ok {
			in[ref.Num] = true
		}
		return c.old.Dict(o)
	}
	d, err := note(root.Get("DSS"))
	if err != nil {
		return nil, err
	}
	vri, err := note(d.Get("VRI"))
	if err != nil {
		return nil, err
	}
	for _, k := range vri.Keys() {
		if _, err := note(vri.Get(k)); err != nil {
			return nil, err
		}
	}
	return in, nil
}
