package pdf

import (
	"fmt"
	"time"
)

// Options say how a file is opened. The zero value is what most want.
type Options struct {
	// Password is tried as the user's and as the owner's, after it the empty one. It is
	// never part of an error.
	Password string
	Limits   Limits

	work *work
}

// Limits bound what a file may make us do; zero values mean the defaults. What is reached
// is an error that wraps ErrTooComplex.
type Limits struct {
	Work     time.Duration // see Shared, default 2 s
	Object   int64         // bytes of one object's text, default 8 MiB
	Inflated int64         // bytes of one inflated stream, default 32 MiB; an object stream, and all cross-reference streams together: half
	Sections int           // cross-reference sections, default 4096
	Fields   int           // form fields, default 100,000
}

func (l Limits) filled() Limits {
	return Limits{
		Work:     or(l.Work, 2*time.Second),
		Object:   or(l.Object, 8<<20),
		Inflated: or(l.Inflated, 32<<20),
		Sections: or(l.Sections, 4096),
		Fields:   or(l.Fields, 100_000),
	}
}

func or[T int | int64 | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}

// Shared gives options whose files spend one budget of work together; so do a file and the
// earlier versions of it that At gives. The work is estimated from what is read, looked up,
// parsed and inflated, as it was once measured, and never timed: a file that is too complex
// is so on every machine and under any load.
func (o Options) Shared() Options {
	o.work = &work{left: int64(o.Limits.filled().Work), objects: map[key]Object{}}
	return o
}

// Spend accounts for work that a caller does with what it read, or to read it.
func (o Options) Spend(d time.Duration) error {
	if o.work == nil {
		return nil
	}
	if o.work.left -= int64(d); o.work.left < 0 {
		return fmt.Errorf("%w: more work than %v in reading it", ErrTooComplex, o.Limits.filled().Work)
	}
	return nil
}

// What things cost, in nanoseconds on the processor of a small server.
const (
	costRead     = 150    // a read; and one for each 16 bytes; with new memory, five times that
	costStep     = 25     // a value that was asked for
	costFound    = 40     // an object that is remembered
	costPlace    = 60     // where a value lies, for each key that leads there
	costElement  = 15     // an element of a list or dictionary that somebody is about to walk
	costSame     = 35     // two values that are compared
	costLookup   = 25     // an object number in one section
	costSection  = 20_000 // a cross-reference section, with its trailer
	costValue    = 80     // a value, with the memory it takes
	costByte     = 3      // a byte of an object's text
	costKey      = 5_000  // the key of an object, and a cipher made ready
	costCipher   = 5      // a byte that was deciphered
	costDecoded  = 8      // a byte of another filter
	costInflated = 6      // a byte that was inflated, and its predictor undone
)

func (f *File) spend(n int64) error {
	if f.mem.left -= n; f.mem.left < 0 {
		return fmt.Errorf("%w: more work than %v in reading it", ErrTooComplex, f.limits.Work)
	}
	return nil
}

// Spend is Options.Spend.
func (f *File) Spend(d time.Duration) error { return f.spend(int64(d)) }

// Spent is an error when the budget of work is used up: what was passed over since, because
// it could not be read, may have been there.
func (f *File) Spent() error { return f.spend(0) }
