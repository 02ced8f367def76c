package pdf

// Options say how a file is opened. The zero value is what most want.
type Options struct {
	// Password is tried as the user's and as the owner's, after it the empty one. It is
	// never part of an error.
	Password string
	Limits   Limits
}

// Limits bound what a file may make us do; zero values mean the defaults. What is reached
// is an error that wraps ErrTooComplex.
type Limits struct {
	Object   int64 // bytes of one object's text, default 16 MiB
	Inflated int64 // bytes of one inflated stream, and of all cross-reference streams; default 32 MiB
	Reads    int   // objects read over the life of a File, default 2^20
	Sections int   // cross-reference sections, default 4096
	Fields   int   // form fields, default 100,000
}

func (l Limits) filled() Limits {
	return Limits{
		Object:   or(l.Object, 16<<20),
		Inflated: or(l.Inflated, 32<<20),
		Reads:    or(l.Reads, 1<<20),
		Sections: or(l.Sections, 4096),
		Fields:   or(l.Fields, 100_000),
	}
}

func or[T int | int64](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}
