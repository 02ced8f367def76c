package blob

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The stored form of a blob:
//
//	"CSB1" | salt (32) | chunk 0 | chunk 1 | … | last chunk
//
// A chunk is up to 64 KiB of plain bytes sealed with AES-256-GCM (16 bytes of tag). Its
// nonce is its index, its associated data the index and whether it is the last. Only the
// last may be shorter; an empty blob is one empty last chunk. Reordering changes an index,
// truncation and extension change which chunk is the last.
const (
	magic      = "CSB1"
	headerSize = len(magic) + saltSize
	chunkSize  = 64 << 10
	sealedSize = chunkSize + tagSize

	chunksPerBatch = 4
	batches        = 3 // 3 × 256 KiB in flight per writer
)

type batch struct {
	buf []byte // chunks as they are stored: plain bytes with room for each tag
	n   int    // plain bytes so far
}

var batchPool = sync.Pool{New: func() any { return &batch{buf: make([]byte, chunksPerBatch*sealedSize)} }}

func (b *batch) full() bool { return b.n == chunksPerBatch*chunkSize }

// add copies from p and answers how much fitted.
func (b *batch) add(p []byte) int {
	total := 0
	for len(p) > 0 && !b.full() {
		chunk, at := b.n/chunkSize, b.n%chunkSize
		start := chunk * sealedSize
		n := copy(b.buf[start+at:start+chunkSize], p)
		b.n += n
		total += n
		p = p[n:]
	}
	return total
}

// seal encrypts in place and answers the bytes to store.
func (b *batch) seal(a aead, first uint64, last bool) []byte {
	chunks := (b.n + chunkSize - 1) / chunkSize
	if chunks == 0 {
		chunks = 1 // the empty last chunk
	}
	size := 0
	for i := range chunks {
		start := i * sealedSize
		n := min(chunkSize, b.n-i*chunkSize)
		nonce, ad := chunkLabel(first+uint64(i), last && i == chunks-1)
		a.Seal(b.buf[start:start], nonce[:], b.buf[start:start+n], ad[:])
		size = start + n + tagSize
	}
	return b.buf[:size]
}

func chunkLabel(index uint64, last bool) (nonce [12]byte, ad [9]byte) {
	binary.BigEndian.PutUint64(nonce[4:], index)
	binary.BigEndian.PutUint64(ad[:8], index)
	if last {
		ad[8] = 1
	}
	return nonce, ad
}

// Writer takes the plain bytes of one blob; encryption and storing run beside the caller.
// It is for one goroutine.
type Writer struct {
	ctx   context.Context
	id    string
	draft Draft
	aead  aead
	cur   *batch
	work  chan job
	slots chan struct{} // bounds batches in flight
	done  chan struct{}
	ended bool

	mu  sync.Mutex
	err error
}

type job struct {
	batch *batch
	last  bool
}

var errEnded = errors.New("blob is committed or aborted")

func newWriter(ctx context.Context, id string, draft Draft, a aead, salt []byte) (*Writer, error) {
	if _, err := draft.Write(append([]byte(magic), salt...)); err != nil {
		return nil, errors.Join(fmt.Errorf("write blob header: %w", err), draft.Abort())
	}
	w := &Writer{
		ctx: ctx, id: id, draft: draft, aead: a,
		work: make(chan job, batches), slots: make(chan struct{}, batches), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

func (w *Writer) run() {
	defer close(w.done)
	var index uint64
	for j := range w.work {
		if w.failed() == nil {
			if _, err := w.draft.Write(j.batch.seal(w.aead, index, j.last)); err != nil {
				w.fail(fmt.Errorf("write blob: %w", err))
			}
		}
		index += chunksPerBatch
		w.release(j.batch)
	}
}

// Write takes plain bytes. An error of storing shows at a later Write or at Commit.
func (w *Writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, errEnded
	}
	total := 0
	for len(p) > 0 {
		if err := w.failed(); err != nil {
			return total, err
		}
		// A full batch is handed over only when more bytes come: the last chunk must be known as the last.
		if w.cur != nil && w.cur.full() {
			w.work <- job{batch: w.cur}
			w.cur = nil
		}
		if err := w.take(); err != nil {
			return total, err
		}
		n := w.cur.add(p)
		total += n
		p = p[n:]
	}
	return total, nil
}

// take makes sure there is a batch to fill.
func (w *Writer) take() error {
	if w.cur != nil {
		return nil
	}
	select {
	case w.slots <- struct{}{}:
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	w.cur = batchPool.Get().(*batch)
	w.cur.n = 0
	return nil
}

// Commit makes the blob durable and answers its id.
func (w *Writer) Commit() (string, error) {
	if w.ended {
		return "", errEnded
	}
	if err := w.take(); err != nil {
		return "", errors.Join(err, w.Abort())
	}
	w.work <- job{batch: w.cur, last: true}
	w.cur = nil
	w.finish()
	if err := errors.Join(w.failed(), w.ctx.Err()); err != nil {
		return "", errors.Join(err, w.draft.Abort())
	}
	if err := w.draft.Commit(); err != nil {
		return "", errors.Join(fmt.Errorf("commit blob: %w", err), w.draft.Abort())
	}
	return w.id, nil
}

// Abort drops the blob. After Commit it does nothing.
func (w *Writer) Abort() error {
	if w.ended {
		return nil
	}
	w.fail(errEnded)
	if w.cur != nil {
		w.release(w.cur)
		w.cur = nil
	}
	w.finish()
	return w.draft.Abort()
}

func (w *Writer) finish() {
	w.ended = true
	close(w.work)
	<-w.done
}

func (w *Writer) release(b *batch) {
	clear(b.buf) // plain bytes must not wait in the pool for another document
	batchPool.Put(b)
	<-w.slots
}

func (w *Writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// Reader gives the plain bytes of one blob. ReadAt is safe for several goroutines.
type Reader struct {
	object Object
	aead   aead
	size   int64
	chunks int64

	mu     sync.Mutex
	cached int64 // index of the chunk in cache, -1 for none
	cache  []byte
}

// Stamp changes whenever the stored bytes may have been touched; empty when that cannot be told.
func (r *Reader) Stamp() string { return r.object.Stamp() }

var sealedPool = sync.Pool{New: func() any { b := make([]byte, sealedSize); return &b }}

func newReader(o Object, key func(salt []byte) (aead, error)) (*Reader, error) {
	body := o.Size() - int64(headerSize)
	chunks := (body + sealedSize - 1) / sealedSize
	if body < tagSize || body-(chunks-1)*sealedSize < tagSize {
		return nil, ErrCorrupt
	}
	var header [headerSize]byte
	if _, err := o.ReadAt(header[:], 0); err != nil {
		return nil, fmt.Errorf("read blob header: %w", err)
	}
	if string(header[:len(magic)]) != magic {
		return nil, ErrCorrupt
	}
	a, err := key(header[len(magic):])
	if err != nil {
		return nil, err
	}
	r := &Reader{object: o, aead: a, size: body - chunks*tagSize, chunks: chunks, cached: -1}
	// The last chunk authenticates the size, so Size can be relied on from the start.
	if err := r.load(chunks - 1); err != nil {
		return nil, err
	}
	return r, nil
}

// Size is the number of plain bytes, authenticated when the blob was opened.
func (r *Reader) Size() int64 { return r.size }

// Close frees the object.
func (r *Reader) Close() error { return r.object.Close() }

// ReadAt reads plain bytes as io.ReaderAt says; ErrCorrupt for what does not authenticate.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("blob: negative offset")
	}
	total := 0
	for len(p) > 0 {
		if off >= r.size {
			return total, io.EOF
		}
		n, err := r.readChunk(p, off/chunkSize, int(off%chunkSize))
		total += n
		if err != nil {
			return total, err
		}
		p = p[n:]
		off += int64(n)
	}
	return total, nil
}

// readChunk copies from one chunk, past the cache when all of it is wanted.
func (r *Reader) readChunk(p []byte, index int64, at int) (int, error) {
	size := r.plainSize(index)
	if at == 0 && len(p) >= size {
		if err := r.decrypt(p[:0:size], index); err != nil {
			return 0, err
		}
		return size, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(index); err != nil {
		return 0, err
	}
	return copy(p, r.cache[at:]), nil
}

func (r *Reader) plainSize(index int64) int {
	return int(min(chunkSize, r.size-index*chunkSize))
}

// load puts a chunk into the cache. The caller holds mu, or is alone.
func (r *Reader) load(index int64) error {
	if r.cached == index {
		return nil
	}
	size := r.plainSize(index)
	if cap(r.cache) < size {
		r.cache = make([]byte, size)
	}
	r.cached = -1
	if err := r.decrypt(r.cache[:0:size], index); err != nil {
		return err
	}
	r.cache, r.cached = r.cache[:size], index
	return nil
}

// decrypt writes the plain bytes of a chunk into the capacity of dst.
func (r *Reader) decrypt(dst []byte, index int64) error {
	p := sealedPool.Get().(*[]byte)
	defer sealedPool.Put(p)
	sealed := (*p)[:r.plainSize(index)+tagSize]
	if n, err := r.object.ReadAt(sealed, int64(headerSize)+index*sealedSize); n < len(sealed) {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("chunk %d ends early: %w", index, ErrCorrupt)
		}
		return fmt.Errorf("read chunk %d: %w", index, err)
	}
	nonce, ad := chunkLabel(uint64(index), index == r.chunks-1)
	if _, err := r.aead.Open(dst, nonce[:], sealed, ad[:]); err != nil {
		return fmt.Errorf("chunk %d: %w", index, ErrCorrupt)
	}
	return nil
}
