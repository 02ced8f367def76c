// Package pdf is the least of a PDF reader that signing needs, and the incremental
// update (ISO 32000-2, 7.5.6). It reads through an io.ReaderAt and touches only what
// it is asked for: the end of the file, the cross-reference sections, the catalog, the
// form and the way down the page tree. A file of a gigabyte costs a few kilobytes.
//
// What it reads it can write back unchanged: numbers keep their text, dictionaries the
// order of their keys, and an update is bytes to append, never a new file. Rendering,
// content streams, fonts and every filter that object streams do not use are left to
// others. Input is hostile: everything is bounded, and what cannot be read safely is an
// error that wraps one of the Err… values.
package pdf

import "errors"

// What is wrong with a file. Errors of this package wrap one of them.
var (
	ErrNotPDF      = errors.New("no PDF header")
	ErrEmpty       = errors.New("no bytes")
	ErrDamaged     = errors.New("damaged")
	ErrTruncated   = errors.New("the end is missing")
	ErrPassword    = errors.New("a password is needed")
	ErrEncryption  = errors.New("encryption that cannot be appended to")
	ErrNoPage      = errors.New("no page")
	ErrTooComplex  = errors.New("a limit was reached")
	ErrUnsupported = errors.New("not supported")
)

// Limits that are not for turning; for the others see Limits.
const (
	maxDepth    = 100      // nesting of arrays and dictionaries, levels of trees, objects that need objects
	maxValues   = 16 << 20 // bytes that the values of one object take
	maxCached   = 4 << 20  // bytes that the values of all remembered objects take
	maxTrailers = 8 << 20  // bytes that the trailers of all sections take
	maxForm     = 20 << 20 // bytes that the fields of a form take, with the lists on the way to one
	maxWay      = 24 << 20 // bytes that the lists on the way to a page take
	maxSigned   = 16 << 20 // bytes that the signatures of a form take, their values included
	maxObject   = 8388607  // highest object number (ISO 32000-1, annex C)
	maxLoaded   = 500_000  // cross-reference entries held in memory
	maxRuns     = 200_000  // subsections of a file's cross-references; thrice that with versions that share none
	window      = 2 << 10  // first read of an object; grows eightfold
	maxScratch  = 1 << 20  // bytes of a window that is kept for the next object

	maxRemembered = 4096 // objects
	maxStreams    = 16   // object streams that are remembered
	maxSignatures = 4096 // in a form: each needs a section of its own
)
