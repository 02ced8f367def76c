package pades

import (
	"context"
	"fmt"
	"io"
)

const (
	feedBlock  = 256 << 10
	feedBlocks = 3
)

// Feed reads a range of r once, from front to back, into every sink. A long range is read
// beside the sinks, so that decrypting or fetching the next block and hashing the last one
// share the time; less than 1 MB is in flight. A range that ends early is
// io.ErrUnexpectedEOF. After it has answered, neither r nor a sink is used any more.
func Feed(ctx context.Context, r io.ReaderAt, from, to int64, sinks ...io.Writer) error {
	if to-from <= feedBlock {
		b := make([]byte, max(to-from, 0))
		if err := readBlock(ctx, r, b, from); err != nil {
			return err
		}
		return writeAll(b, sinks)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	empty, full := make(chan []byte, feedBlocks), make(chan []byte)
	for range feedBlocks {
		empty <- make([]byte, feedBlock)
	}
	ended := make(chan error, 1)
	go func() {
		defer close(full)
		ended <- readAhead(ctx, r, from, to, empty, full)
	}()
	var failed error
	for b := range full {
		if failed == nil {
			if failed = writeAll(b, sinks); failed != nil {
				stop()
			}
		}
		empty <- b[:feedBlock]
	}
	if err := <-ended; failed == nil {
		failed = err
	}
	return failed
}

func readAhead(ctx context.Context, r io.ReaderAt, from, to int64, empty <-chan []byte, full chan<- []byte) (err error) {
	// What reads may be somebody else's; its panic shall fail this read and not the process.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read: panic: %v", p)
		}
	}()
	for from < to {
		b := <-empty
		b = b[:min(feedBlock, to-from)]
		if err := readBlock(ctx, r, b, from); err != nil {
			return err
		}
		from += int64(len(b))
		full <- b
	}
	return nil
}

func readBlock(ctx context.Context, r io.ReaderAt, b []byte, at int64) error {
	if err := ctx.Err(); err != nil || len(b) == 0 {
		return err
	}
	if n, err := r.ReadAt(b, at); n < len(b) {
		if err == nil || err == io.EOF { //nolint:errorlint // io.ReaderAt answers it bare
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

func writeAll(b []byte, sinks []io.Writer) error {
	for _, s := range sinks {
		if _, err := s.Write(b); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}
