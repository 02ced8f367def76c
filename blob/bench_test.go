package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"testing"

	"countersign/blob"
)

// The yardstick is SHA-256, which every upload needs anyway: writing and reading a blob
// should cost little beside it.
func BenchmarkSHA256(b *testing.B) {
	data := random(16<<20, 1)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sha256.Sum256(data)
	}
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Commit() error               { return nil }
func (nowhere) Abort() error                { return nil }

type nowhereBucket struct{ blob.Bucket }

func (nowhereBucket) Create(context.Context, string) (blob.Draft, error) { return nowhere{}, nil }

func benchWrite(b *testing.B, s *blob.Store, alsoHash bool) {
	data := random(16<<20, 1)
	key := newKey(b, s, "d1")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		w, err := s.Create(context.Background(), "d1", key)
		if err != nil {
			b.Fatal(err)
		}
		var to io.Writer = w
		if alsoHash {
			to = io.MultiWriter(sha256.New(), w)
		}
		if _, err := io.CopyBuffer(to, struct{ io.Reader }{bytes.NewReader(data)}, make([]byte, 128<<10)); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncryptOnly(b *testing.B) {
	m, err := blob.NewMaster(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	benchWrite(b, blob.NewStore(nowhereBucket{}, m), false)
}

func BenchmarkWrite(b *testing.B) {
	s, _ := newStore(b)
	benchWrite(b, s, false)
}

func BenchmarkWriteAndHash(b *testing.B) {
	s, _ := newStore(b)
	benchWrite(b, s, true)
}

func BenchmarkRead(b *testing.B) {
	s, _ := newStore(b)
	data := random(16<<20, 1)
	key := newKey(b, s, "d1")
	id := write(b, s, "d1", key, data)
	r, err := s.Open(context.Background(), "d1", key, id)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 128<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{io.NewSectionReader(r, 0, r.Size())}, buf); err != nil {
			b.Fatal(err)
		}
	}
}
