package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// openInput opens a file to be read at any place.
func openInput(name string, flags int) (*os.File, fs.FileInfo, error) {
	if name == "-" {
		return nil, nil, usagef("a file is read from its end; standard input cannot be")
	}
	f, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return nil, nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file: a file is read from its end, a pipe or a folder cannot be", name)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// target is where the file with its additions goes.
type target struct {
	ctx    context.Context
	in     *os.File
	before fs.FileInfo
	path   string // "-": to out; empty: in place
	out    io.Writer
	copied chan struct{} // closed when the copy beside the work has ended
	copy   error         // how
	tmp    *os.File
	cancel context.CancelFunc
}

// openTarget opens the input and begins to copy it to a temporary file beside the output,
// while the caller hashes: the one is the system's work, the other ours.
func openTarget(ctx context.Context, c *call, inPlace bool) (*target, error) {
	t := &target{ctx: ctx, out: c.out}
	flags, in := os.O_RDONLY, ""
	switch {
	case inPlace && len(c.args) == 1:
		in, flags = c.args[0], os.O_RDWR
	case !inPlace && len(c.args) == 2:
		in, t.path = c.args[0], c.args[1]
	case inPlace:
		return nil, usagef("with -in-place there is one file")
	default:
		return nil, usagef("there has to be IN and OUT")
	}
	var err error
	if t.in, t.before, err = openInput(in, flags); err != nil {
		return nil, err
	}
	if inPlace || t.path == "-" {
		return t, nil
	}
	if st, err := os.Stat(t.path); err == nil && (os.SameFile(st, t.before) || st.IsDir()) {
		t.in.Close()
		if st.IsDir() {
			return nil, usagef("%s is a folder", t.path)
		}
		return nil, usagef("IN and OUT are the same file; -in-place appends to it")
	}
	if t.tmp, err = os.CreateTemp(filepath.Dir(t.path), ".pades-*"); err != nil {
		t.in.Close()
		return nil, err
	}
	ctx, t.cancel = context.WithCancel(ctx)
	t.copied = make(chan struct{})
	go func() {
		defer close(t.copied)
		t.copy = copyFile(ctx, t.tmp, in, t.before)
	}()
	return t, nil
}

// copyFile copies the first bytes of a file in pieces, so that it can be stopped. Between
// files the system copies by itself, or shares the blocks.
func copyFile(ctx context.Context, to *os.File, name string, what fs.FileInfo) error {
	from, st, err := openInput(name, os.O_RDONLY) // its own position
	if err != nil {
		return err
	}
	defer from.Close()
	if !os.SameFile(st, what) {
		return fmt.Errorf("%s was replaced meanwhile; nothing was written", name)
	}
	for left := what.Size(); left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(to, from, min(left, 8<<20))
		if left -= n; err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	return nil
}

// close drops what was not finished.
func (t *target) close() {
	if t.tmp != nil {
		t.cancel()
		<-t.copied
		t.tmp.Close()
		os.Remove(t.tmp.Name())
	}
	t.in.Close()
}

// unchanged refuses a file that was written to meanwhile: what was hashed may not be what
// was copied.
func (t *target) unchanged() error {
	now, err := t.in.Stat()
	if err == nil && (now.Size() != t.before.Size() || !now.ModTime().Equal(t.before.ModTime())) {
		err = fmt.Errorf("%s was changed meanwhile; nothing was written", t.in.Name())
	}
	return err
}

// finish puts the whole in place.
func (t *target) finish(delta []byte) error {
	switch {
	case t.path == "-":
		if err := t.unchanged(); err != nil {
			return err
		}
		_, err := io.Copy(t.out, io.MultiReader(io.NewSectionReader(watched{t.ctx, t.in, nil}, 0, t.before.Size()), bytes.NewReader(delta)))
		return err
	case t.tmp == nil:
		if err := t.unchanged(); err != nil {
			return err
		}
		return appendTo(t.in, t.before.Size(), delta)
	}
	if <-t.copied; t.copy != nil {
		return t.copy
	}
	if err := t.unchanged(); err != nil {
		return err
	}
	if _, err := t.tmp.WriteAt(delta, t.before.Size()); err != nil {
		return err
	}
	if err := t.tmp.Chmod(t.before.Mode().Perm() | 0o200); err != nil {
		return err
	}
	if err := t.tmp.Close(); err != nil {
		return err
	}
	return os.Rename(t.tmp.Name(), t.path)
}

// appendTo appends for good, or takes back what it appended.
func appendTo(f *os.File, size int64, delta []byte) error {
	_, err := f.WriteAt(delta, size)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return nil
}
