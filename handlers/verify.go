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

// tooMany counts the files of one address: ten a minute. This is flood control for one
// replica; nothing secret hangs on it.
func (a *App) tooMany(w http.ResponseWriter, r *http.Request) bool {
	return a.flood.RespondOnLimit(&discard{w.Header()}, r, recordOf(r).address)
}

// discard keeps somebody from answering by themselves, but for headers: the page does.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header       { return d.header }
func (*discard) WriteHeader(int)             {}
func (*discard) Write(b []byte) (int, error) { return len(b), nil }

// verifyFile spools the file to a temporary one that is removed at once, and checks it.
func (a *App) verifyFile(w http.ResponseWriter, r *http.Request) error {
	view := templates.Verify{Page: a.pageFor(r, "Verify a signature", "verify"), MaxBytes: a.MaxVerify}
	refuse := func(status int, sentence string) error {
		view.Refused = sentence
		return a.page(w, r, status, templates.VerifyPage(view))
	}
	if a.tooMany(w, r) {
		return refuse(http.StatusTooManyRequests, "That were many files in a short time. Wait a minute, then try again.")
	}
	select {
	case a.verifying <- struct{}{}:
		defer func() { <-a.verifying }()
	case <-time.After(10 * time.Second):
		w.Header().Set("Retry-After", "30")
		return refuse(http.StatusServiceUnavailable, "Many people are verifying at the moment. Try again in half a minute.")
	case <-r.Context().Done():
		return nil
	}
	name, body, err := firstFile(r)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "Choose a PDF file first.")
	}
	view.Name = cleanLine(name)
	file, size, err := spool(body, a.MaxVerify)
	if errors.Is(err, errTooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "The file is larger than this page takes. The portal program can verify it offline, at any size.")
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if size == 0 {
		return refuse(http.StatusUnprocessableEntity, "The file is empty.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), verifyTime)
	defer cancel()
	result, err := a.Verify.Verify(ctx, file, size)
	var refusal *pades.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Code == pades.RefusedNotPDF:
		return refuse(http.StatusUnprocessableEntity, "This is not a PDF file. Signatures in other kinds of files cannot be verified here yet.")
	case errors.As(err, &refusal) && refusal.Code == pades.RefusedPassword:
		return refuse(http.StatusUnprocessableEntity, "This file needs a password to open, so its signatures cannot be read here.")
	case errors.As(err, &refusal), errors.Is(err, pades.ErrLimit), errors.Is(err, context.DeadlineExceeded):
		return refuse(http.StatusUnprocessableEntity, "This file could not be read well enough to say anything about its signatures. That is not a good sign, but no proof of a change either.")
	case err != nil:
		return err
	}
	view.Result, view.Size, view.SHA256 = &result, size, hexOf(result.SHA256)
	drawVerdict(&view, result)
	view.Title = verdictTitle(result)
	return a.page(w, r, http.StatusOK, templates.VerifyPage(view))
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
