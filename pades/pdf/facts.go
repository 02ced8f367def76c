package pdf

import (
	"bytes"
	"io"
	"time"
)

// Facts are what the ends of a file and its encryption say, before anything else is read.
type Facts struct {
	Version    string // of the header
	Header     int64  // where %PDF- begins
	XRef       string // of the newest section: "table", "stream", "hybrid"; empty when it cannot be read
	Sections   int    // cross-reference sections
	Objects    int    // object numbers the sections speak of, freed ones included
	Linearised bool   // begins as a linearised file (ISO 32000-2, annex F)
	Stale      bool   // linearised, but updated since: its length is not the one it was made with
	ID         bool   // the trailer has an ID
	Trailing   int64  // bytes after the end-of-file marker, when they are not white space
	Encryption *Encryption
}

// Encryption is how a file says it is encrypted; nothing of it is authenticated without
// the key (ISO 32000-2, 7.6).
type Encryption struct {
	Handler     string // "Standard", or another maker's
	V, R        int
	Bits        int    // of the key
	Permissions uint32 // P (table 22); meaningless for other handlers
}

// Permission bits (ISO 32000-2, table 22), as values.
const (
	MayModify   = 1 << 3
	MayAnnotate = 1 << 5 // and fill in; with MayModify also make fields
	MayFill     = 1 << 8 // fill and sign fields that are there
)

// MaySign tells whether the permissions allow signing a field that is there, and making a
// new one. They bind whoever opened the file with the user's password.
func (e *Encryption) MaySign() (existing, added bool) {
	added = e.Permissions&MayModify != 0 && e.Permissions&MayAnnotate != 0
	return added || e.Permissions&MayAnnotate != 0 || e.R >= 3 && e.Permissions&MayFill != 0, added
}

// Glance gives the facts of a file that does not open, as far as they can be had.
func Glance(r io.ReaderAt, size int64) Facts {
	f, err := bare(r, size, Options{Limits: Limits{Work: time.Second / 4}})
	if err != nil {
		return Facts{}
	}
	if start, err := f.startxref(); err != nil || f.readSections(start) != nil || len(f.sections) == 0 {
		f.sections = nil
	} else {
		f.Trailer = f.sections[0].trailer
	}
	return f.Facts()
}

// Facts of an open file.
func (f *File) Facts() Facts {
	out := Facts{Version: f.Version, Header: f.Header, Sections: len(f.sections), Objects: f.numbered(), ID: f.Trailer.Has("ID"),
		Encryption: f.encryption(), Trailing: f.trailing()}
	if len(f.sections) > 0 {
		switch s := f.sections[0]; {
		case s.hybrid != nil:
			out.XRef = "hybrid"
		case s.table:
			out.XRef = "table"
		default:
			out.XRef = "stream"
		}
	}
	out.Linearised, out.Stale = f.linearised()
	return out
}

func (f *File) encryption() *Encryption {
	if !f.Trailer.Has("Encrypt") {
		return nil
	}
	d, err := f.Dict(f.Trailer.Get("Encrypt"))
	if err != nil || d == nil {
		return &Encryption{}
	}
	num := func(k Name) int64 { n, _ := f.int(d.Get(k)); return n }
	e := &Encryption{Handler: f.text(d.Get("Filter")), V: int(num("V")), R: int(num("R")), Bits: 40, Permissions: uint32(num("P"))}
	switch {
	case e.V == 4:
		e.Bits = 128
	case e.V >= 5:
		e.Bits = 256
	case e.V > 1 && num("Length") > 0:
		e.Bits = int(num("Length"))
	}
	return e
}

// numbered counts the numbers of all sections, without reading an entry.
func (f *File) numbered() int {
	if f.found != nil {
		return len(f.found)
	}
	var seen []uint64
	n := 0
	eachRun(f.sections, func(r *run) {
		last := min(r.first+r.count-1, maxObject)
		if f.spend(2*r.count) != nil {
			return // whoever asks is told when he asks for more
		}
		if want := int(last/64) + 1; want > len(seen) {
			seen = append(seen, make([]uint64, want-len(seen))...)
		}
		for num := max(r.first, 1); num <= last; num++ {
			if seen[num/64]&(1<<(num%64)) == 0 {
				seen[num/64] |= 1 << (num % 64)
				n++
			}
		}
	})
	return n
}

func eachRun(sections []*section, visit func(*run)) {
	for _, s := range sections {
		for _, x := range []*section{s, s.hybrid} {
			if x == nil {
				continue
			}
			for i := range x.runs {
				visit(&x.runs[i])
			}
		}
	}
}

// linearised looks at the first object: it has to stand in the first KiB.
func (f *File) linearised() (yes, stale bool) {
	b, err := f.bytes(f.Header, int(min(1024, f.Size-f.Header)))
	if err != nil {
		return false, false
	}
	at := objectHeader.FindIndex(b)
	if at == nil {
		return false, false
	}
	for at[0] > 0 && isDigit(b[at[0]-1]) {
		at[0]--
	}
	_, o, _, err := f.objectAt(f.Header + int64(at[0]))
	d, ok := o.(*Dict)
	if err != nil || !ok || !d.Has("Linearized") {
		return false, false
	}
	n, _ := f.int(d.Get("L"))
	return true, n != f.Size-f.Header && n != f.Size
}

func (f *File) trailing() int64 {
	if f.eof == 0 || f.Size-f.eof > 64<<10 {
		return 0
	}
	b, err := f.bytes(f.eof, int(f.Size-f.eof))
	if err != nil || len(bytes.Trim(b, white)) == 0 {
		return 0
	}
	return f.Size - f.eof
}

// Entries is how many cross-reference entries a revision has; its Changed reads them all.
func (r Revision) Entries() (n int64) {
	eachRun(r.sections, func(x *run) { n += x.count })
	return n
}
