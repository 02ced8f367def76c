package handlers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"countersign/pades"
	"countersign/web/templates"
)

// Verifier checks the signatures of a file. It fetches nothing.
type Verifier interface {
	Verify(ctx context.Context, r io.ReaderAt, size int64) (pades.Result, error)
}

// verifyTime bounds one check; a file that needs longer is not a document.
const verifyTime = 30 * time.Second

func (a *App) showVerify(w http.ResponseWriter, r *http.Request) error {
	view := templates.Verify{Page: a.pageFor(r, "Verify a signature", "verify"), MaxBytes: a.MaxVerify}
	return a.page(w, r, http.StatusOK, templates.VerifyPage(view))
}

// refusal shows the page again with a sentence.
type refusal func(status int, sentence string) error

// verifyFile lets a file in when there is room for one, and checks it.
func (a *App) verifyFile(w http.ResponseWriter, r *http.Request) error {
	view := templates.Verify{Page: a.pageFor(r, "Verify a signature", "verify"), MaxBytes: a.MaxVerify}
	refuse := func(status int, sentence string) error {
		view.Refused = sentence
		return a.page(w, r, status, templates.VerifyPage(view))
	}
	from := network(recordOf(r).address)
	if a.gate.tooMany(w, r, from) {
		return often(w, refuse)
	}
	leave, status := a.gate.enter(from)
	switch status {
	case http.StatusTooManyRequests:
		return often(w, refuse)
	case http.StatusServiceUnavailable:
		return busy(w, refuse)
	}
	defer leave()
	file, size, err := a.incoming(w, r, &view)
	if err != nil {
		return notTaken(err, refuse)
	}
	defer file.Close()
	if size == 0 {
		return refuse(http.StatusUnprocessableEntity, "The file is empty.")
	}
	done, ok := a.gate.check(r)
	if !ok {
		return busy(w, refuse)
	}
	defer done()
	ctx, cancel := context.WithTimeout(r.Context(), verifyTime)
	defer cancel()
	result, err := a.Verify.Verify(ctx, file, size)
	if err != nil {
		return notRead(err, refuse)
	}
	view.Result, view.Size, view.SHA256 = &result, size, hexOf(result.SHA256)
	drawVerdict(&view, result)
	view.Title = verdictTitle(result)
	return a.page(w, r, http.StatusOK, templates.VerifyPage(view))
}

// notTaken tells why a file did not arrive.
func notTaken(err error, refuse refusal) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "The file is larger than this page takes. The portal program can verify it offline, at any size.")
	case errors.Is(err, errNoFile):
		return refuse(http.StatusUnprocessableEntity, "Choose a PDF file first.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(http.StatusUnprocessableEntity, "The upload broke off before the end.")
	}
	return err
}

// notRead tells why nothing can be said about a file.
func notRead(err error, refuse refusal) error {
	var why *pades.Refusal
	switch {
	case errors.As(err, &why) && why.Code == pades.RefusedNotPDF:
		return refuse(http.StatusUnprocessableEntity, "This is not a PDF file. Signatures in other kinds of files cannot be verified here yet.")
	case errors.As(err, &why) && why.Code == pades.RefusedPassword:
		return refuse(http.StatusUnprocessableEntity, "This file needs a password to open, so its signatures cannot be read here.")
	case errors.As(err, &why), errors.Is(err, pades.ErrLimit), errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusUnprocessableEntity, "This file could not be read well enough to say anything about its signatures. That is not a good sign, but no proof of a change either.")
	}
	return err
}

func often(w http.ResponseWriter, refuse refusal) error {
	w.Header().Set("Retry-After", "60")
	return refuse(http.StatusTooManyRequests, "That were many files in a short time. Wait a minute, then try again.")
}

func busy(w http.ResponseWriter, refuse refusal) error {
	w.Header().Set("Retry-After", "30")
	return refuse(http.StatusServiceUnavailable, "Many people are verifying at the moment. Try again in half a minute.")
}

// incoming takes in the file of a form, within the size of the page.
func (a *App) incoming(w http.ResponseWriter, r *http.Request, view *templates.Verify) (*os.File, int64, error) {
	r.Body = http.MaxBytesReader(w, r.Body, a.MaxVerify+formSpare)
	name, body, err := firstFile(r)
	if err != nil {
		return nil, 0, err
	}
	view.Name = cleanLine(name)
	return spool(body, a.MaxVerify)
}

// drawVerdict chooses the lines: a good file has the line and the words of its original
// revision, so they equal those of the preview; a changed one shows two that differ.
func drawVerdict(view *templates.Verify, result pades.Result) {
	original := result.Original
	if original == nil {
		original = result.SHA256
	}
	view.Indent = templates.IndentLevels(original)
	for _, s := range result.Signatures {
		if len(s.Digest) >= 6 && len(s.Computed) >= 6 && !bytes.Equal(s.Digest, s.Computed) {
			view.Indent, view.Other = templates.IndentLevels(s.Digest), templates.IndentLevels(s.Computed)
			return
		}
	}
	if result.Indication != pades.TotalFailed {
		view.Words = templates.Words(original)
	}
}

func verdictTitle(result pades.Result) string {
	switch result.Indication {
	case pades.TotalPassed:
		return "The signature is valid"
	case pades.TotalFailed:
		return "The signature is not valid"
	case pades.NoSignature:
		return "This file carries no signature"
	}
	return "We cannot confirm the signature"
}

var errTooLarge = errors.New("too large")

// spool copies at most limit bytes to a file without a name.
func spool(body io.Reader, limit int64) (*os.File, int64, error) {
	file, err := os.CreateTemp("", "countersign-verify-")
	if err != nil {
		return nil, 0, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, 0, err
	}
	n, err := io.Copy(file, io.LimitReader(body, limit+1))
	if err == nil && n > limit {
		err = errTooLarge
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, n, nil
}

// cleanLine bounds a name from outside for showing.
func cleanLine(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < 0x20 || c == 0x7f || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return -1
		}
		return c
	}, s)
	return cut(s, 300)
}
