package pades

import (
	"bytes"
	"errors"
	"io"
	"sort"
)

// Part is a piece of a file that is kept apart from the others: the original, or what one
// signature appended.
type Part struct {
	io.ReaderAt
	Size int64
}

// Join reads parts as one file. Each read of it is one read of each part that it touches.
func Join(parts ...Part) io.ReaderAt {
	j := &joined{parts: parts}
	end := int64(0)
	for _, p := range parts {
		end += p.Size
		j.ends = append(j.ends, end)
	}
	return j
}

type joined struct {
	parts []Part
	ends  []int64
}

func (j *joined) ReadAt(b []byte, at int64) (n int, err error) {
	if at < 0 {
		return 0, errors.New("pades: negative offset")
	}
	for i := sort.Search(len(j.ends), func(i int) bool { return j.ends[i] > at }); i < len(j.parts) && n < len(b); i++ {
		begin := j.ends[i] - j.parts[i].Size
		want := b[n:min(int64(len(b)), int64(n)+j.ends[i]-at)]
		got, err := j.parts[i].ReadAt(want, at-begin)
		n, at = n+got, at+int64(got)
		if got < len(want) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func bytesAt(b []byte) io.ReaderAt { return bytes.NewReader(b) }
