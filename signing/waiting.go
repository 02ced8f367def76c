package signing

import "errors"

// waiting is trouble that passes, with the code of what is waited for. It delays a
// signature and never fails it.
type waiting struct {
	code string
	error
}

func (w waiting) Unwrap() error { return w.error }

// waitsFor is the code that says on the page what a try that went wrong waits for.
func waitsFor(why error) string {
	var w waiting
	var f *Error
	switch {
	case errors.As(why, &w):
		return w.code
	case errors.As(why, &f) && f.Code == codeNoSpace:
		return codeNoSpace
	}
	return codeInternal
}
