package pdf

// Place is where a value lies: an indirect object and the keys (Name) and indices (int)
// that lead to it from there. A direct value has to be changed where it is held.
type Place struct {
	Ref  Ref
	Path []any
}

// Direct tells whether the value is part of another object.
func (p Place) Direct() bool { return len(p.Path) > 0 }

// follow resolves a value and says where it lies; at is where the value, or the
// reference to it, was found.
func (f *File) follow(at Place, o Object) (Place, Object, error) {
	for range maxDepth {
		r, ok := o.(Ref)
		if !ok {
			break
		}
		at = Place{Ref: r}
		var err error
		if o, err = f.load(r); err != nil {
			return at, nil, err
		}
	}
	return at, o, nil
}

// Child is the value under a key of a dictionary, or an index of an array, found at a place.
func (f *File) Child(at Place, parent Object, key any) (Place, Object, error) {
	var o Object
	switch p := parent.(type) {
	case *Dict:
		k, _ := key.(Name)
		o = p.Get(k)
	case Array:
		if i, ok := key.(int); ok && i < len(p) {
			o = p[i]
		}
	}
	if _, ok := o.(Ref); ok { // where the reference stands does not matter
		if err := f.spend(costStep); err != nil {
			return at, nil, err
		}
		return f.follow(at, o)
	}
	if err := f.spend(costStep + int64(len(at.Path)+1)*costPlace); err != nil {
		return at, nil, err
	}
	path := make([]any, 0, len(at.Path)+1)
	return Place{at.Ref, append(append(path, at.Path...), key)}, o, nil
}

// Value is what lies at a place.
func (f *File) Value(p Place) (Object, error) {
	o, err := f.load(p.Ref)
	for _, k := range p.Path {
		switch v := o.(type) {
		case *Dict:
			n, _ := k.(Name)
			o = v.Get(n)
		case Array:
			if i, _ := k.(int); i < len(v) {
				o = v[i]
			}
		}
	}
	return o, err
}
