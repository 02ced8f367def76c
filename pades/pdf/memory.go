package pdf

import (
	"fmt"
	"maps"
	"slices"
)

// work is what a file and its earlier versions have in common: what may still be spent, and
// what is remembered, so that many versions together hold no more than one.
type work struct {
	left              int64 // nanoseconds
	files             int   // that were opened
	objects           map[key]Object
	weight            int64           // bytes that their values take, about
	streams           []*objectStream // newest first
	runs              int             // subsections of all cross-references
	trailers, indexes int64           // bytes that all trailers take, and the data of all cross-reference streams
	scratch           []byte          // what within reads into
	named             numbers         // every number a reference was seen to
}

type key struct {
	file int
	Ref
}

// remember keeps an object that took so many bytes.
func (w *work) remember(k key, o Object, taken int64) {
	if len(w.objects) >= maxRemembered || w.weight > maxCached {
		clear(w.objects)
		w.weight = taken
	}
	w.objects[k] = o
}

// forget drops what was read of a file.
func (w *work) forget(file int) {
	maps.DeleteFunc(w.objects, func(k key, _ Object) bool { return k.file == file })
	w.streams = slices.DeleteFunc(w.streams, func(s *objectStream) bool { return s.file == file })
}

// room makes room for another object stream. What is large goes before the next one comes,
// so that two are never held.
func (w *work) room(most int64) {
	sum := int64(0)
	for i, s := range w.streams {
		if sum += s.weight(); sum > most || i == maxStreams-1 {
			clear(w.streams[i:])
			w.streams = w.streams[:i]
			return
		}
	}
}

// weigh is about how many bytes of memory a value takes, and how many values it is.
func weigh(o Object) (bytes, values int64) {
	bytes, values = sizeValue, 1
	add := func(o Object) {
		b, n := weigh(o)
		bytes, values = bytes+b, values+n
	}
	switch v := o.(type) {
	case String:
		bytes += sizeString + int64(len(v.Value)+len(v.raw))
	case Number:
		bytes += int64(len(v))
	case Name:
		bytes += int64(len(v))
	case Array:
		for _, x := range v {
			add(x)
		}
	case *Dict:
		if v == nil {
			break
		}
		bytes += sizeDict
		for i, x := range v.vals {
			bytes += sizeValue + int64(len(v.keys[i]))
			add(x)
		}
	case *Stream:
		bytes += int64(len(v.Body))
		add(v.Dict)
	}
	return bytes, values
}

// weigh is paid for.
func (f *File) weigh(o Object) (int64, error) {
	bytes, values := weigh(o)
	return bytes, f.spend(values * costStep)
}

// held is what a walk holds, against a limit.
type held struct {
	f     *File
	bytes int64
	most  int64
	what  string
}

// add counts a value that is held from now on, and gives its weight.
func (h *held) add(o Object) (int64, error) {
	n, err := h.f.weigh(o)
	if err == nil {
		err = h.take(n)
	}
	return n, err
}

func (h *held) take(n int64) error {
	if h.bytes += n; h.bytes > h.most {
		return fmt.Errorf("%w: %s of more than %d MB", ErrTooComplex, h.what, h.most>>20)
	}
	return nil
}
