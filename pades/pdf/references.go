package pdf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// EachReference visits every reference in every object that is in use in one of several
// versions of a file, each given by At, oldest first. An object that many versions have in
// common is read once: visit is told the first and the last version that have it. Some
// objects may be visited twice; packed ones come last, pack by pack. Damaged objects are left
// out: a reader cannot follow what they hold either. What is only too much for us is an error,
// since others may read on.
func EachReference(versions []*File, visit func(first, last int, from, to Ref) error) error {
	if len(versions) == 0 {
		return nil
	}
	e := &eachReference{versions: versions, newest: versions[len(versions)-1], visit: visit}
	for _, v := range versions {
		k := len(e.newest.sections) - len(v.sections)
		if k < 0 || v.base != e.newest.base || v.found != nil || e.newest.sections[k].at != v.sections[0].at {
			return fmt.Errorf("%w: versions that do not follow each other", ErrDamaged)
		}
		e.begin = append(e.begin, k)
	}
	for i, s := range e.newest.sections {
		for _, x := range []*section{s, s.hybrid} {
			if x == nil {
				continue
			}
			for _, r := range x.runs {
				for num := r.first; num < r.first+r.count; num++ {
					if err := e.entry(i, num); err != nil {
						return err
					}
				}
			}
		}
	}
	return e.packed()
}

type eachReference struct {
	versions []*File
	newest   *File
	begin    []int // by version, which of newest's sections is its first
	visit    func(first, last int, from, to Ref) error
	later    []packedObject
}

// packedObject is in an object stream, in the versions from first to last.
type packedObject struct {
	pack, num   int32
	first, last int16
}

// entry reads an object that a section speaks of, if that section has the say in a version.
func (e *eachReference) entry(i int, num int64) error {
	newer := i - 1
	for ; newer >= 0; newer-- {
		x, err := e.newest.says(e.newest.sections[newer], num)
		if err != nil {
			return err
		}
		if x.kind != missing {
			break
		}
	}
	first, last := len(e.versions), -1
	for v, k := range e.begin {
		if k > newer && k <= i {
			first, last = min(first, v), v
		}
	}
	if last < 0 {
		return nil
	}
	x, err := e.newest.says(e.newest.sections[i], num)
	if err != nil {
		return err
	}
	switch x.kind {
	case inFile:
		ref, o, _, err := e.versions[last].objectAt(x.offset + e.newest.base)
		if errors.Is(err, ErrDamaged) || err == nil && ref != (Ref{int(num), x.gen}) {
			return nil
		}
		if err != nil {
			return err
		}
		return references(o, func(to Ref) error { return e.visit(first, last, ref, to) })
	case inStream:
		if len(e.later) == maxLoaded {
			return fmt.Errorf("%w: objects", ErrTooComplex)
		}
		e.later = append(e.later, packedObject{int32(min(x.offset, maxObject)), int32(num), int16(first), int16(last)})
	}
	return nil
}

func (e *eachReference) packed() error {
	slices.SortFunc(e.later, func(a, b packedObject) int {
		return cmp.Or(cmp.Compare(a.pack, b.pack), cmp.Compare(a.last, b.last), cmp.Compare(a.first, b.first))
	})
	for _, p := range e.later {
		// A pack that an update replaced holds other objects, though nothing says so of them.
		for first := p.first; first <= p.last; {
			last := first
			for last < p.last {
				same, err := e.versions[first].samePack(e.versions[last+1], int(p.pack))
				if err != nil {
					return err
				}
				if !same {
					break
				}
				last++
			}
			ref := Ref{int(p.num), 0}
			o, err := e.versions[last].load(ref)
			if err == nil {
				err = references(o, func(to Ref) error { return e.visit(int(first), int(last), ref, to) })
			}
			if err != nil && !errors.Is(err, ErrDamaged) {
				return err
			}
			first = last + 1
		}
	}
	return nil
}

// samePack tells whether an object stream is the same in two versions, and read with the
// same key.
func (f *File) samePack(g *File, num int) (bool, error) {
	a, err := f.entry(num)
	if err != nil {
		return false, err
	}
	b, err := g.entry(num)
	return a == b && f.crypt.same(g.crypt), err
}

// References visits the references inside one value.
func References(o Object, visit func(Ref) error) error { return references(o, visit) }

func references(o Object, visit func(Ref) error) error {
	switch v := o.(type) {
	case Ref:
		return visit(v)
	case Array:
		for _, x := range v {
			if err := references(x, visit); err != nil {
				return err
			}
		}
	case *Dict:
		if v == nil {
			return nil
		}
		for _, x := range v.vals {
			if err := references(x, visit); err != nil {
				return err
			}
		}
	case *Stream:
		return references(v.Dict, visit)
	}
	return nil
}
