package pades

import (
	"errors"
	"fmt"

	"countersign/pades/pdf"
)

// refusal turns what the reader found into the code a person is told. An error that is
// not about the file (reading failed) stays as it is.
func refusal(err error) error {
	var already *Refusal
	if err == nil || errors.As(err, &already) {
		return err
	}
	for _, m := range []struct {
		is   error
		code string
	}{
		{pdf.ErrEmpty, RefusedEmpty},
		{pdf.ErrNotPDF, RefusedNotPDF},
		{pdf.ErrPassword, RefusedPassword},
		{pdf.ErrEncryption, RefusedEncryption},
		{pdf.ErrNoPage, RefusedNoPage},
		{pdf.ErrTooComplex, RefusedTooComplex},
		{pdf.ErrUnsupported, RefusedUnsupported},
		{pdf.ErrTruncated, RefusedTruncated},
		{pdf.ErrDamaged, RefusedDamaged},
	} {
		if errors.Is(err, m.is) {
			return &Refusal{Code: m.code, Cause: err}
		}
	}
	return err
}

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Cause: fmt.Errorf(format, args...)}
}
