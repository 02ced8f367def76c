package signing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"countersign/pades"
)

// File reads a document as one file: the original and what each signature appended. It
// is good for one reader at a time; ReadAt may be called from several goroutines when the
// blobs allow it.
type File struct {
	parts []BlobReader
	whole io.ReaderAt
	size  int64
	at    int64
}

// openFile joins revisions, which must be whole: no gap, no overlap.
func (s *Service) openFile(ctx context.Context, d Document, revisions []Revision) (*File, error) {
	f := &File{}
	var joined []pades.Part
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
		f.parts = append(f.parts, b)
		joined = append(joined, pades.Part{ReaderAt: b, Size: r.Size})
		if b.Size() != r.Size {
			f.Close()
			return nil, fmt.Errorf("revision %d has %d bytes, not %d: %w", r.Number, b.Size(), r.Size, ErrCorrupt)
		}
		f.size += r.Size
	}
	f.whole = pades.Join(joined...)
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
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.whole.ReadAt(p, off) }

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
