// Package blob keeps immutable bytes, encrypted at rest from the first write.
//
// A Store joins two things: a Bucket that holds opaque objects (Folder is one), and a
// Master that holds the keys. Every document has a key of its own, wrapped by the
// master key and bound to the document's id; every blob is encrypted under a key
// derived from the document's key, a random salt and the blob's own id. Erasing the
// wrapped key erases the document, and a blob moved to another name or another
// document does not open. Blobs are written once, become visible whole or not at all,
// and are read at random.
package blob

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrNotFound is answered for a blob that is not there.
var ErrNotFound = errors.New("blob not found")

// ErrCorrupt is answered for bytes or keys that do not authenticate: changed,
// truncated, extended, reordered, or put in the place of another.
var ErrCorrupt = errors.New("blob does not authenticate")

// Bucket holds objects under ids made by NewID. It sees only encrypted bytes.
type Bucket interface {
	// Create begins an object. Nothing is visible before Commit.
	Create(ctx context.Context, id string) (Draft, error)
	// Open reads an object at random; ErrNotFound.
	Open(ctx context.Context, id string) (Object, error)
	// Remove deletes an object; one that is not there is no error.
	Remove(ctx context.Context, id string) error
	// Walk calls visit for every committed object, in no order.
	Walk(ctx context.Context, visit func(id string, modified time.Time) error) error
	// Tidy removes drafts that nobody committed before the given time and answers how many.
	Tidy(ctx context.Context, before time.Time) (int, error)
	// Free tells the bytes left; -1 when unknown.
	Free(ctx context.Context) (int64, error)
}

// Draft is an object being written.
type Draft interface {
	io.Writer
	// Commit makes the object durable and visible.
	Commit() error
	// Abort drops it. After Commit it does nothing.
	Abort() error
}

// Object is an object being read.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64
	// Stamp changes whenever the stored bytes may have been touched; empty when that cannot
	// be told.
	Stamp() string
}

// Store keeps encrypted blobs in a bucket.
type Store struct {
	bucket Bucket
	master *Master
	now    func() time.Time
	rand   io.Reader
}

// Option changes a default of a Store.
type Option func(*Store)

// WithNow sets the clock that Sweep measures age by.
func WithNow(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// WithRand sets where ids, keys and salts come from.
func WithRand(r io.Reader) Option { return func(s *Store) { s.rand = r } }

// NewStore joins a bucket and the master keys.
func NewStore(b Bucket, m *Master, options ...Option) *Store {
	s := &Store{bucket: b, master: m, now: time.Now, rand: rand.Reader}
	for _, o := range options {
		o(s)
	}
	return s
}

// NewKey makes a key for a document and wraps it, bound to the document's id.
func (s *Store) NewKey(document string) (wrapped []byte, err error) {
	key := make([]byte, keySize)
	if _, err := io.ReadFull(s.rand, key); err != nil {
		return nil, fmt.Errorf("make document key: %w", err)
	}
	return s.master.wrap(s.rand, document, key)
}

// Rewrap wraps a document's key under the newest master key. It answers the same bytes
// and false when that is what they are wrapped under already.
func (s *Store) Rewrap(document string, wrapped []byte) ([]byte, bool, error) {
	if s.master.Current(wrapped) {
		return wrapped, false, nil
	}
	key, err := s.master.unwrap(document, wrapped)
	if err != nil {
		return nil, false, err
	}
	fresh, err := s.master.wrap(s.rand, document, key)
	return fresh, err == nil, err
}

// Create begins a blob under the document's key. The writer uses less than 1 MB. Nothing
// is visible before Commit.
func (s *Store) Create(ctx context.Context, document string, wrapped []byte) (*Writer, error) {
	key, err := s.master.unwrap(document, wrapped)
	if err != nil {
		return nil, err
	}
	id, err := newID(s.rand)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(s.rand, salt); err != nil {
		return nil, fmt.Errorf("make blob salt: %w", err)
	}
	aead, err := streamKey(key, salt, document, id)
	if err != nil {
		return nil, err
	}
	draft, err := s.bucket.Create(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", err)
	}
	return newWriter(ctx, id, draft, aead, salt)
}

// Open reads a blob at random; ErrNotFound, or ErrCorrupt when its end does not
// authenticate. Every ReadAt authenticates what it returns.
func (s *Store) Open(ctx context.Context, document string, wrapped []byte, id string) (*Reader, error) {
	if !ValidID(id) {
		return nil, ErrNotFound
	}
	key, err := s.master.unwrap(document, wrapped)
	if err != nil {
		return nil, err
	}
	object, err := s.bucket.Open(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	r, err := newReader(object, func(salt []byte) (aead, error) { return streamKey(key, salt, document, id) })
	if err != nil {
		object.Close()
		return nil, fmt.Errorf("open blob %s: %w", id, err)
	}
	return r, nil
}

// Remove deletes a blob; one that is not there is no error.
func (s *Store) Remove(ctx context.Context, id string) error {
	if !ValidID(id) {
		return nil
	}
	return s.bucket.Remove(ctx, id)
}

// Seal keeps a small value (at most 1 MiB) under the document's key.
func (s *Store) Seal(document string, wrapped, plain []byte) ([]byte, error) {
	key, err := s.master.unwrap(document, wrapped)
	if err != nil {
		return nil, err
	}
	return sealValue(s.rand, key, document, plain)
}

// Unseal opens what Seal made; ErrCorrupt.
func (s *Store) Unseal(document string, wrapped, sealed []byte) ([]byte, error) {
	key, err := s.master.unwrap(document, wrapped)
	if err != nil {
		return nil, err
	}
	return unsealValue(key, document, sealed)
}

// Free tells the bytes left where blobs are kept; -1 when unknown.
func (s *Store) Free(ctx context.Context) (int64, error) { return s.bucket.Free(ctx) }

// Sweep removes what no row speaks of: committed blobs that keep refuses, and drafts that
// a crash left, both only when older than olderThan (an upload under way has no row yet).
func (s *Store) Sweep(ctx context.Context, keep func(id string) bool, olderThan time.Duration) (removed int, err error) {
	before := s.now().Add(-olderThan)
	err = s.bucket.Walk(ctx, func(id string, modified time.Time) error {
		if !modified.Before(before) || keep(id) {
			return nil
		}
		if err := s.bucket.Remove(ctx, id); err != nil {
			return err
		}
		removed++
		return nil
	})
	if err != nil {
		return removed, fmt.Errorf("sweep blobs: %w", err)
	}
	n, err := s.bucket.Tidy(ctx, before)
	if err != nil {
		return removed + n, fmt.Errorf("sweep drafts: %w", err)
	}
	return removed + n, nil
}

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID makes a blob id: 160 random bits in 32 characters.
func NewID() (string, error) { return newID(rand.Reader) }

func newID(r io.Reader) (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", fmt.Errorf("make blob id: %w", err)
	}
	return idEncoding.EncodeToString(b[:]), nil
}

// ValidID reports whether id has the form NewID gives, so that it can never be a path.
func ValidID(id string) bool {
	if len(id) != 32 {
		return false
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
