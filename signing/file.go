package signing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// File reads a document as one file: the original and what each signature appended. It
// is good for one reader at a time; ReadAt may be called from several goroutines when the
// blobs allow it.
type File struct {
	parts []part
	size  int64
	at    int64
}

type part struct {
	BlobReader
	start, end int64
}

// openFile joins revisions, which must be whole: no gap, no overlap.
func (s *Service) openFile(ctx context.Context, d Document, revisions []Revision) (*File, error) {
	f := &File{}
	for _, r := range revisions {
		if r.Offset != f.size {
			f.Close()
			return nil, fmt.Errorf("revision %d begins at %d, not at %d: %w", r.Number, r.Offset, f.size, ErrCorrupt)
		}
		b, err := s.Blobs.Open(ctx, d.ID, d.Key, r.Blob)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("open revision %d: %w", r.Number, err)
		}
		f.parts = append(f.parts, part{BlobReader: b, start: f.size, end: f.size + r.Size})
		if b.Size() != r.Size {
			f.Close()
			return nil, fmt.Errorf("revision %d has %d bytes, not %d: %w", r.Number, b.Size(), r.Size, ErrCorrupt)
		}
		f.size += r.Size
	}
	return f, nil
}

// Size is the whole length in bytes.
func (f *File) Size() int64 { return f.size }

// Stamp stays the same as long as nothing touched the stored bytes; empty when that cannot
// be told.
func (f *File) Stamp() string {
	all := make([]string, len(f.parts))
	for i, p := range f.parts {
		if all[i] = p.Stamp(); all[i] == "" {
			return ""
		}
	}
	return strings.Join(all, " ")
}

// ReadAt reads across the parts.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	for _, part := range f.parts {
		if off >= part.end || len(p) == 0 {
			continue
		}
		want := p[:min(int64(len(p)), part.end-off)]
		got, err := part.ReadAt(want, off-part.start)
		n += got
		if got < len(want) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
		off += int64(got)
		p = p[got:]
	}
	if len(p) > 0 {
		return n, io.EOF
	}
	return n, nil
}

// Read reads on from where the last Read or Seek ended.
func (f *File) Read(p []byte) (int, error) {
	if f.at >= f.size {
		return 0, io.EOF
	}
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek moves where Read goes on.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	f.at = offset
	return f.at, nil
}

// Close closes every part.
func (f *File) Close() error {
	var errs []error
	for _, p := range f.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
