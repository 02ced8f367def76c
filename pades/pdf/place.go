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
	path := make([]any, 0, len(at.Path)+1)
	return f.follow(Place{at.Ref, append(append(path, at.Path...), key)}, o)
}
