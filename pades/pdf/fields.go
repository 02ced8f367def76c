package pdf

import (
	"fmt"
	"strings"
)

// Field is a terminal form field: one that has a value or could have one. A form may have
// many: what else its dictionary holds is read when it is asked for, see File.FieldDict.
type Field struct {
	Place            // of its dictionary
	Name      string // full name, parts joined by dots
	Type      Name   // FT, inherited
	Value     Object // V, inherited, as written
	Flags     int64  // Ff, inherited
	HasWidget bool
}

// Form is the AcroForm dictionary and what hangs on it.
type Form struct {
	At     Place // of the dictionary; meaningless when Dict is nil
	Dict   *Dict
	Fields []Field
	Groups map[string]bool // full names that are taken by fields with fields below
}

// Form reads the interactive form; Dict is nil when the file has none.
func (f *File) Form() (*Form, error) {
	c, err := f.Catalog()
	if err != nil {
		return nil, err
	}
	form := &Form{Groups: map[string]bool{}}
	at, o, err := f.Child(Place{Ref: f.Root()}, c, Name("AcroForm"))
	if err != nil {
		return nil, err
	}
	d, ok := o.(*Dict)
	if !ok {
		return form, nil
	}
	form.At, form.Dict = at, d
	at, o, err = f.Child(at, d, Name("Fields"))
	if err != nil {
		return nil, err
	}
	list, _ := o.(Array)
	w := &fieldWalk{f: f, form: form, seen: map[Ref]bool{}, held: held{f: f, most: maxForm, what: "a form"}}
	return form, w.kids(at, list, parentField{}, 0)
}

// Fields are the terminal fields of the form.
func (f *File) Fields() ([]Field, error) {
	form, err := f.Form()
	if err != nil {
		return nil, err
	}
	return form.Fields, nil
}

type parentField struct {
	name  string
	ft, v Object
	ff    int64
}

type fieldWalk struct {
	f    *File
	form *Form
	seen map[Ref]bool
	n    int

	names int  // bytes of all full names
	held  held // the fields, and the lists on the way to one
}

// FieldDict is the dictionary of a field.
func (f *File) FieldDict(fd Field) (*Dict, error) {
	o, err := f.Value(fd.Place)
	d, _ := o.(*Dict)
	return d, err
}

// Limits on full names of fields, in bytes: a long name is said again by each field below it.
const (
	maxName  = 32 << 10
	maxNames = 8 << 20
)

// sizeField is what a field takes in memory, about, with what notes that it was seen.
const sizeField = 180

func (w *fieldWalk) kids(at Place, list Array, up parentField, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: field tree", ErrTooComplex)
	}
	n, err := w.held.add(list)
	if err != nil {
		return err
	}
	defer func() { w.held.bytes -= n }()
	for i := range list {
		kidAt, kid, err := w.f.Child(at, list, i)
		if err != nil {
			return err
		}
		d, ok := kid.(*Dict)
		if !ok {
			continue
		}
		if err := w.f.spend(costStep); err != nil {
			return err
		}
		if !kidAt.Direct() {
			if w.seen[kidAt.Ref] {
				continue
			}
			w.seen[kidAt.Ref] = true
		}
		if w.n++; w.n > w.f.limits.Fields {
			return fmt.Errorf("%w: fields", ErrTooComplex)
		}
		if err := w.field(kidAt, d, up, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *fieldWalk) field(at Place, d *Dict, up parentField, depth int) error {
	me := up
	if t, err := w.f.Resolve(d.Get("T")); err != nil {
		return err
	} else if s, ok := t.(String); ok {
		if err := w.f.spend(int64(len(s.Value)) * costByte); err != nil {
			return err
		}
		me.name = strings.TrimPrefix(up.name+"."+s.Text(), ".")
		if w.names += len(me.name); len(me.name) > maxName || w.names > maxNames {
			return fmt.Errorf("%w: names of fields", ErrTooComplex)
		}
	}
	if d.Has("FT") {
		me.ft = d.Get("FT")
	}
	if d.Has("V") {
		me.v = d.Get("V")
		if _, err := w.held.add(me.v); err != nil {
			return err
		}
	}
	if n, ok := w.f.int(d.Get("Ff")); ok {
		me.ff = n
	}
	listAt, o, err := w.f.Child(at, d, Name("Kids"))
	if err != nil {
		return err
	}
	list, _ := o.(Array)
	below, err := w.named(list)
	if err != nil {
		return err
	}
	if below {
		w.form.Groups[me.name] = true
		return w.kids(listAt, list, me, depth+1)
	}
	ft, err := w.f.Resolve(me.ft)
	if err != nil {
		return err
	}
	name, _ := ft.(Name)
	sub, _ := w.f.Resolve(d.Get("Subtype"))
	w.form.Fields = append(w.form.Fields, Field{Place: at, Name: me.name, Type: name, Value: me.v,
		Flags: me.ff, HasWidget: sub == Name("Widget") || len(list) > 0})
	return w.held.take(sizeField + int64(len(me.name)+sizeValue*len(at.Path)))
}

// named tells whether kids are fields of their own (they have a T or kids) rather than widgets.
func (w *fieldWalk) named(list Array) (bool, error) {
	for _, o := range list {
		d, err := w.f.Dict(o)
		if err != nil {
			return false, err
		}
		if d.Has("T") || d.Has("Kids") {
			return true, nil
		}
	}
	return false, nil
}
