package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const draftPrefix = ".draft-"

// FolderBucket keeps objects as files: two levels of folders named by the first
// characters of the id, all of them 0700, the files 0600. Every path is opened below the
// folder itself; links are refused.
type FolderBucket struct {
	dir  string
	root *os.Root
}

// Folder opens the folder, makes it when it is not there, and closes it to others.
func Folder(dir string) (*FolderBucket, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make blob folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // G302 means files; this is a folder
			return nil, fmt.Errorf("blob folder %s is open to others: %w", dir, err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	return &FolderBucket{dir: dir, root: root}, nil
}

// Close frees the folder.
func (f *FolderBucket) Close() error { return f.root.Close() }

func folderOf(id string) string { return filepath.Join(id[:2], id[2:4]) }

func pathOf(id string) string { return filepath.Join(folderOf(id), id) }

// Create begins a file next to where it will be.
func (f *FolderBucket) Create(_ context.Context, id string) (Draft, error) {
	if !ValidID(id) {
		return nil, errors.New("create object: not an id")
	}
	if err := f.makeFolders(id); err != nil {
		return nil, err
	}
	temp := filepath.Join(folderOf(id), draftPrefix+id)
	file, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create object: %w", err)
	}
	return &fileDraft{folder: f, id: id, temp: temp, file: file}, nil
}

func (f *FolderBucket) makeFolders(id string) error {
	for _, p := range []string{id[:2], folderOf(id)} {
		switch err := f.root.Mkdir(p, 0o700); {
		case err == nil:
			// A folder entry that is lost takes the object with it.
			if err := f.sync(filepath.Dir(p)); err != nil {
				return err
			}
		case !errors.Is(err, fs.ErrExist):
			return fmt.Errorf("make folder: %w", err)
		}
		if err := f.realFolder(p); err != nil {
			return err
		}
	}
	return nil
}

// realFolder refuses a link in the place of a folder, and one that others may write.
func (f *FolderBucket) realFolder(p string) error {
	info, err := f.root.Lstat(p)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder: %w", p, ErrCorrupt)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("folder %s is open to others, mode %s: %w", p, info.Mode(), ErrCorrupt)
	}
	return nil
}

func (f *FolderBucket) sync(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

type fileDraft struct {
	folder *FolderBucket
	id     string
	temp   string
	file   *os.File
	ended  bool
}

func (d *fileDraft) Write(p []byte) (int, error) { return d.file.Write(p) }

// Commit syncs the file, renames it and syncs the folder: after a power cut it is there
// whole or not at all.
func (d *fileDraft) Commit() error {
	if d.ended {
		return errEnded
	}
	if err := d.file.Sync(); err != nil {
		return fmt.Errorf("sync object: %w", err)
	}
	if err := d.file.Close(); err != nil {
		return fmt.Errorf("close object: %w", err)
	}
	if err := d.folder.root.Rename(d.temp, pathOf(d.id)); err != nil {
		return fmt.Errorf("rename object: %w", err)
	}
	d.ended = true
	return d.folder.sync(folderOf(d.id))
}

func (d *fileDraft) Abort() error {
	if d.ended {
		return nil
	}
	d.ended = true
	d.file.Close()
	if err := d.folder.root.Remove(d.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop draft: %w", err)
	}
	return nil
}

// Open reads a file. One that is a link, has a second name, or that others may write is refused.
func (f *FolderBucket) Open(_ context.Context, id string) (Object, error) {
	if !ValidID(id) {
		return nil, ErrNotFound
	}
	for _, p := range []string{id[:2], folderOf(id)} {
		if err := f.realFolder(p); errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNotFound
		} else if err != nil {
			return nil, err
		}
	}
	info, err := f.root.Lstat(pathOf(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("object %s is not a plain file: %w", id, ErrCorrupt)
	}
	file, err := f.root.OpenFile(pathOf(id), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	o := &fileObject{File: file}
	if err := o.trusted(); err != nil {
		file.Close()
		return nil, fmt.Errorf("open object %s: %w", id, err)
	}
	return o, nil
}

type fileObject struct {
	*os.File
	size  int64
	stamp string
}

func (o *fileObject) Size() int64   { return o.size }
func (o *fileObject) Stamp() string { return o.stamp }

func (o *fileObject) trusted() error {
	info, err := o.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("mode %s: %w", info.Mode(), ErrCorrupt)
	}
	o.size = info.Size()
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if st.Nlink > 1 {
		return fmt.Errorf("file has a second name: %w", ErrCorrupt)
	}
	// The time of the last change of the inode moves with every write and cannot be set back
	// by a program, as that of the last modification can.
	o.stamp = fmt.Sprintf("%d:%d:%d:%d.%09d", st.Dev, st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec)
	return nil
}

// Remove deletes a file; one that is not there is no error.
func (f *FolderBucket) Remove(_ context.Context, id string) error {
	if !ValidID(id) {
		return nil
	}
	if err := f.root.Remove(pathOf(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove object: %w", err)
	}
	return nil
}

// Walk visits committed files only; drafts and foreign files are passed over.
func (f *FolderBucket) Walk(ctx context.Context, visit func(id string, modified time.Time) error) error {
	return f.each(ctx, func(p, name string, info fs.FileInfo) error {
		if !ValidID(name) || pathOf(name) != p {
			return nil
		}
		return visit(name, info.ModTime())
	})
}

// Tidy removes drafts last written before the given time.
func (f *FolderBucket) Tidy(ctx context.Context, before time.Time) (int, error) {
	n := 0
	err := f.each(ctx, func(p, name string, info fs.FileInfo) error {
		if !strings.HasPrefix(name, draftPrefix) || !info.ModTime().Before(before) {
			return nil
		}
		if err := f.root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		n++
		return nil
	})
	return n, err
}

func (f *FolderBucket) each(ctx context.Context, visit func(p, name string, info fs.FileInfo) error) error {
	return fs.WalkDir(f.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed while we walk
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return visit(p, d.Name(), info)
	})
}

// Free tells the bytes an ordinary user may still write.
func (f *FolderBucket) Free(context.Context) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(f.dir, &st); err != nil {
		return -1, fmt.Errorf("free space of blob folder: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // of another type on other systems
}
