package pades

import (
	"io"
	"time"

	"countersign/pades/pdf"
)

// blocks is a reader with a small memory, for the many short reads of a file's objects: a
// stored file may have to decrypt 64 KiB for each of them. Not safe for concurrent use.
type blocks struct {
	r    io.ReaderAt
	size int64
	kept map[int64][]byte
	used []int64 // newest last
	pay  pdf.Options
}

const (
	blockSize = 64 << 10
	blocksMax = 48
)

// costBlock is what a block costs that is read from memory: objects may lie so that each is
// in another one.
const costBlock = 8 * time.Microsecond

// newBlocks pays for its work out of the options' budget.
func newBlocks(r io.ReaderAt, size int64, pay pdf.Options) *blocks {
	return &blocks{r: r, size: size, kept: map[int64][]byte{}, pay: pay}
}

func (b *blocks) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > blockSize || off < 0 {
		return b.r.ReadAt(p, off)
	}
	n := 0
	for n < len(p) {
		if off >= b.size {
			return n, io.EOF
		}
		block, err := b.block(off / blockSize)
		if err != nil {
			return n, err
		}
		k := copy(p[n:], block[off%blockSize:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

func (b *blocks) block(i int64) ([]byte, error) {
	if block, ok := b.kept[i]; ok {
		return block, nil
	}
	if err := b.pay.Spend(costBlock); err != nil {
		return nil, err
	}
	var block []byte
	if len(b.used) == blocksMax {
		block = b.kept[b.used[0]][:blockSize]
		delete(b.kept, b.used[0])
		b.used = append(b.used[:0], b.used[1:]...)
	} else {
		block = make([]byte, blockSize)
	}
	block = block[:min(blockSize, b.size-i*blockSize)]
	if n, err := b.r.ReadAt(block, i*blockSize); n < len(block) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	b.kept[i], b.used = block, append(b.used, i)
	return block, nil
}
