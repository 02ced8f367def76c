package handlers

import (
	"errors"
	"io"
	"mime"
	"net/http"
)

var errNoFile = errors.New("the form has no file")

const (
	partsSeen  = 20       // of a form until its file
	beforeFile = 64 << 10 // bytes of it until then; mime/multipart itself would hold a header of 10 MB
)

// firstFile finds the file of an upload form without holding it: little is looked at before
// it, and nothing is parsed ahead.
func firstFile(r *http.Request) (name string, body io.Reader, err error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return "", nil, errNoFile
	}
	head := &headOfForm{ReadCloser: r.Body, left: beforeFile}
	r.Body = head
	parts, err := r.MultipartReader()
	if err != nil {
		return "", nil, errNoFile
	}
	for range partsSeen {
		part, err := parts.NextPart()
		if err != nil {
			return "", nil, errors.Join(errNoFile, err)
		}
		if part.FormName() == "file" && part.FileName() != "" {
			head.found = true
			return part.FileName(), part, nil
		}
	}
	return "", nil, errNoFile
}

// headOfForm gives the beginning of a form only, until its file was found.
type headOfForm struct {
	io.ReadCloser
	left  int
	found bool
}

func (h *headOfForm) Read(p []byte) (int, error) {
	if h.found {
		return h.ReadCloser.Read(p)
	}
	if h.left <= 0 {
		return 0, errors.New("too much before the file")
	}
	n, err := h.ReadCloser.Read(p[:min(len(p), h.left)])
	h.left -= n
	return n, err
}
