package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/blob"
)

const chunk = 64 << 10

func newStore(t testing.TB, options ...blob.Option) (*blob.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	f, err := blob.Folder(dir)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	m, err := blob.NewMaster(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	return blob.NewStore(f, m, options...), dir
}

func write(t testing.TB, s *blob.Store, doc string, wrapped, plain []byte) string {
	t.Helper()
	w, err := s.Create(context.Background(), doc, wrapped)
	require.NoError(t, err)
	_, err = w.Write(plain)
	require.NoError(t, err)
	id, err := w.Commit()
	require.NoError(t, err)
	return id
}

func read(s *blob.Store, doc string, wrapped []byte, id string) ([]byte, error) {
	r, err := s.Open(context.Background(), doc, wrapped, id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

func newKey(t testing.TB, s *blob.Store, doc string) []byte {
	t.Helper()
	k, err := s.NewKey(doc)
	require.NoError(t, err)
	return k
}

func random(n int, seed uint64) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), 1})
	b := make([]byte, n)
	r.Read(b)
	return b
}

func fileOf(t testing.TB, dir, id string) string {
	t.Helper()
	return filepath.Join(dir, id[:2], id[2:4], id)
}

func TestBlobComesBackAsItWas(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 4*chunk - 1, 4 * chunk, 4*chunk + 1, 12*chunk + 5, 3 << 20} {
		plain := random(n, uint64(n))
		id := write(t, s, "d1", key, plain)
		got, err := read(s, "d1", key, id)
		require.NoError(t, err, "%d bytes", n)
		require.True(t, bytes.Equal(plain, got), "%d bytes", n)
		if n > 64 {
			stored, err := os.ReadFile(fileOf(t, dir, id))
			require.NoError(t, err)
			require.False(t, bytes.Contains(stored, plain[:32]), "plain bytes on disk")
		}
	}
}

func TestRandomReadsEqualThePlainBytes(t *testing.T) {
	s, _ := newStore(t)
	key := newKey(t, s, "d1")
	plain := random(5*chunk+1234, 3)
	r, err := s.Open(context.Background(), "d1", key, write(t, s, "d1", key, plain))
	require.NoError(t, err)
	defer r.Close()
	require.EqualValues(t, len(plain), r.Size())
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		off := rng.IntN(len(plain) + 100)
		p := make([]byte, rng.IntN(3*chunk))
		n, err := r.ReadAt(p, int64(off))
		want := plain[min(off, len(plain)):min(off+len(p), len(plain))]
		require.True(t, bytes.Equal(want, p[:n]), "offset %d, %d bytes", off, len(p))
		if n < len(p) {
			require.ErrorIs(t, err, io.EOF)
		} else {
			require.NoError(t, err)
		}
	}
}

func TestAnyFlippedByteIsAnError(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	plain := random(chunk+200, 4)
	id := write(t, s, "d1", key, plain)
	path := fileOf(t, dir, id)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	positions := []int{0, 3, 4, 35, 36, len(good) - 1, 36 + chunk, 36 + chunk + 15, 36 + chunk + 16}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		positions = append(positions, rng.IntN(len(good)))
	}
	for _, at := range positions {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << rng.IntN(8)
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := read(s, "d1", key, id)
		require.ErrorIs(t, err, blob.ErrCorrupt, "byte %d", at)
	}
}

func TestTruncationExtensionAndReorderingAreDetected(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	const sealed, header = chunk + 16, 36
	id := write(t, s, "d1", key, random(4*chunk, 5))
	path := fileOf(t, dir, id)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, good, header+4*sealed)
	c := func(i int) []byte { return good[header+i*sealed : header+(i+1)*sealed] }
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{good[:header]}, parts...), nil) }
	for name, bad := range map[string][]byte{
		"empty":            {},
		"header only":      good[:header],
		"cut at a chunk":   join(c(0), c(1), c(2)),
		"cut in a chunk":   good[:len(good)-100],
		"cut to one byte":  good[:header+1],
		"one byte more":    append(bytes.Clone(good), 0),
		"last chunk twice": join(c(0), c(1), c(2), c(3), c(3)),
		"swapped":          join(c(1), c(0), c(2), c(3)),
		"one left out":     join(c(0), c(2), c(3)),
	} {
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := read(s, "d1", key, id)
		require.ErrorIs(t, err, blob.ErrCorrupt, name)
	}
}

func TestBlobOpensOnlyUnderItsOwnNameAndDocument(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	a, b := write(t, s, "d1", key, []byte("first")), write(t, s, "d1", key, []byte("other"))
	bytesOfA, err := os.ReadFile(fileOf(t, dir, a))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(fileOf(t, dir, b), bytesOfA, 0o600))
	_, err = read(s, "d1", key, b)
	require.ErrorIs(t, err, blob.ErrCorrupt, "another blob of the same document")
	_, err = read(s, "d2", key, a)
	require.ErrorIs(t, err, blob.ErrCorrupt, "key of another document")
	_, err = read(s, "d1", newKey(t, s, "d1"), a)
	require.ErrorIs(t, err, blob.ErrCorrupt, "another key of the document")
	got, err := read(s, "d1", key, a)
	require.NoError(t, err)
	require.Equal(t, "first", string(got))
}

func TestSealedValueIsBoundToTheDocument(t *testing.T) {
	s, _ := newStore(t)
	key := newKey(t, s, "d1")
	sealed, err := s.Seal("d1", key, []byte("state"))
	require.NoError(t, err)
	got, err := s.Unseal("d1", key, sealed)
	require.NoError(t, err)
	require.Equal(t, "state", string(got))
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		_, err = s.Unseal("d1", key, bad)
		require.ErrorIs(t, err, blob.ErrCorrupt)
	}
	_, err = s.Unseal("d1", newKey(t, s, "d1"), sealed)
	require.ErrorIs(t, err, blob.ErrCorrupt)
	_, err = s.Unseal("d1", key, nil)
	require.ErrorIs(t, err, blob.ErrCorrupt)
}

func TestMasterKeyRotates(t *testing.T) {
	old, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	f, err := blob.Folder(t.TempDir())
	require.NoError(t, err)
	defer f.Close()
	store := func(keys ...[]byte) *blob.Store {
		m, err := blob.NewMaster(keys...)
		require.NoError(t, err)
		return blob.NewStore(f, m)
	}
	before := store(old)
	key := newKey(t, before, "d1")
	id := write(t, before, "d1", key, []byte("kept"))

	during := store(fresh, old)
	got, err := read(during, "d1", key, id)
	require.NoError(t, err)
	require.Equal(t, "kept", string(got))
	rewrapped, changed, err := during.Rewrap("d1", key)
	require.NoError(t, err)
	require.True(t, changed)
	_, changed, err = during.Rewrap("d1", rewrapped)
	require.NoError(t, err)
	require.False(t, changed)

	after := store(fresh)
	got, err = read(after, "d1", rewrapped, id)
	require.NoError(t, err)
	require.Equal(t, "kept", string(got))
	_, err = read(after, "d1", key, id)
	require.ErrorContains(t, err, "not configured")

	_, err = blob.NewMaster([]byte("short"))
	require.Error(t, err)
}

func TestCrashLeavesNothingVisibleAndSweepTakesIt(t *testing.T) {
	now := time.Now()
	s, dir := newStore(t, blob.WithNow(func() time.Time { return now.Add(2 * time.Hour) }))
	key := newKey(t, s, "d1")
	kept, orphan := write(t, s, "d1", key, []byte("kept")), write(t, s, "d1", key, []byte("orphan"))
	w, err := s.Create(context.Background(), "d1", key)
	require.NoError(t, err)
	_, err = w.Write(random(3*chunk, 6)) // and here the process dies: neither Commit nor Abort
	require.NoError(t, err)
	require.Len(t, files(t, dir), 3)

	keep := func(id string) bool { return id == kept }
	n, err := s.Sweep(context.Background(), func(id string) bool {
		require.Contains(t, []string{kept, orphan}, id, "a draft is not visible")
		return keep(id)
	}, 3*time.Hour)
	require.NoError(t, err)
	require.Zero(t, n, "nothing is old enough")

	n, err = s.Sweep(context.Background(), keep, time.Hour)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, []string{fileOf(t, dir, kept)}, files(t, dir))
	_, err = read(s, "d1", key, orphan)
	require.ErrorIs(t, err, blob.ErrNotFound)
}

func TestAbortedAndRemovedBlobsAreGone(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	w, err := s.Create(context.Background(), "d1", key)
	require.NoError(t, err)
	_, err = w.Write(random(9*chunk, 7))
	require.NoError(t, err)
	require.NoError(t, w.Abort())
	require.NoError(t, w.Abort())
	_, err = w.Write([]byte("late"))
	require.Error(t, err)
	_, err = w.Commit()
	require.Error(t, err)
	require.Empty(t, files(t, dir))

	id := write(t, s, "d1", key, []byte("x"))
	require.NoError(t, s.Remove(context.Background(), id))
	require.NoError(t, s.Remove(context.Background(), id))
	require.NoError(t, s.Remove(context.Background(), "../../etc/passwd"))
	_, err = read(s, "d1", key, "../../etc/passwd")
	require.ErrorIs(t, err, blob.ErrNotFound)
}

func TestCancelledUploadDoesNotCommit(t *testing.T) {
	s, dir := newStore(t)
	ctx, cancel := context.WithCancel(context.Background())
	w, err := s.Create(ctx, "d1", newKey(t, s, "d1"))
	require.NoError(t, err)
	_, err = w.Write([]byte("half"))
	require.NoError(t, err)
	cancel()
	_, err = w.Commit()
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, files(t, dir))
}

type fullBucket struct{ blob.Bucket }

type fullDraft struct {
	blob.Draft
	left int
}

var errFull = errors.New("no space left on device")

func (b fullBucket) Create(ctx context.Context, id string) (blob.Draft, error) {
	d, err := b.Bucket.Create(ctx, id)
	return &fullDraft{d, 600 << 10}, err
}

func (d *fullDraft) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, errFull
	}
	return d.Draft.Write(p)
}

func TestFullDiskShowsAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f, err := blob.Folder(dir)
	require.NoError(t, err)
	defer f.Close()
	m, err := blob.NewMaster(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	s := blob.NewStore(fullBucket{f}, m)
	w, err := s.Create(context.Background(), "d1", newKey(t, s, "d1"))
	require.NoError(t, err)
	_, writeErr := io.Copy(w, bytes.NewReader(random(8<<20, 8)))
	_, commitErr := w.Commit()
	require.ErrorIs(t, errors.Join(writeErr, commitErr), errFull)
	require.Error(t, commitErr)
	require.Empty(t, files(t, dir))
}

func TestLinksAndOpenFilesAreRefused(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	id := write(t, s, "d1", key, []byte("x"))
	path := fileOf(t, dir, id)

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	info, err = os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	refused := func(why string) {
		_, err := read(s, "d1", key, id)
		require.ErrorIs(t, err, blob.ErrCorrupt, why)
	}
	require.NoError(t, os.Link(path, filepath.Join(dir, "second")))
	refused("hard link")
	require.NoError(t, os.Remove(filepath.Join(dir, "second")))
	require.NoError(t, os.Chmod(path, 0o666))
	refused("writable by others")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Rename(path, filepath.Join(dir, "moved")))
	require.NoError(t, os.Symlink("../../moved", path))
	refused("symbolic link inside the folder")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink("/etc/passwd", path))
	refused("symbolic link out of the folder")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Rename(filepath.Dir(path), filepath.Join(dir, "elsewhere")))
	require.NoError(t, os.Symlink("../elsewhere", filepath.Dir(path)))
	refused("folder is a link")
}

func TestAFolderThatOthersMayWriteIsClosedOrRefused(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	id := write(t, s, "d1", key, []byte("x"))
	below := filepath.Dir(fileOf(t, dir, id))

	for _, mode := range []os.FileMode{0o777, 0o770, 0o755, 0o702} {
		require.NoError(t, os.Chmod(dir, mode))
		f, err := blob.Folder(dir)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "closed at the start")
	}
	for _, folder := range []string{below, filepath.Dir(below)} {
		require.NoError(t, os.Chmod(folder, 0o777))
		_, err := read(s, "d1", key, id)
		require.ErrorIs(t, err, blob.ErrCorrupt, "whoever may write the folder may put another file into it")
		require.NoError(t, os.Chmod(folder, 0o700))
	}
	plain, err := read(s, "d1", key, id)
	require.NoError(t, err)
	require.Equal(t, []byte("x"), plain)
}

func TestAForeignFileNamedLikeOursIsNotTaken(t *testing.T) {
	s, dir := newStore(t)
	key := newKey(t, s, "d1")
	id, other := write(t, s, "d1", key, []byte("mine")), write(t, s, "d1", key, []byte("other"))
	path := fileOf(t, dir, id)
	mine, err := os.ReadFile(path)
	require.NoError(t, err)
	theirs, err := os.ReadFile(fileOf(t, dir, other))
	require.NoError(t, err)
	for why, content := range map[string][]byte{"nothing": nil, "a PDF": []byte("%PDF-1.7"), "our own of another name": theirs, "the beginning": mine[:len(mine)-1], "more": append(bytes.Clone(mine), 0)} {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err := read(s, "d1", key, id)
		require.ErrorIs(t, err, blob.ErrCorrupt, why)
	}
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = read(s, "d1", key, id)
	require.ErrorIs(t, err, blob.ErrCorrupt, "a folder")

	// A draft is never begun over what lies there already.
	f, err := blob.Folder(dir)
	require.NoError(t, err)
	defer f.Close()
	name := strings.Repeat("ab", len(id)/2)
	d, err := f.Create(context.Background(), name)
	require.NoError(t, err)
	_, err = f.Create(context.Background(), name)
	require.Error(t, err, "the same id twice")
	require.NoError(t, d.Abort())
	temp := filepath.Join(dir, name[:2], name[2:4], ".draft-"+name)
	for _, put := range []func() error{
		func() error { return os.WriteFile(temp, []byte("x"), 0o666) },
		func() error { return os.Symlink("/dev/null", temp) },
		func() error { return os.Symlink(filepath.Join(dir, "elsewhere"), temp) },
	} {
		require.NoError(t, put())
		_, err = f.Create(context.Background(), name)
		require.Error(t, err)
		require.NoError(t, os.Remove(temp))
	}
	_, err = os.Stat(filepath.Join(dir, "elsewhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFreeSpaceIsTold(t *testing.T) {
	s, _ := newStore(t)
	free, err := s.Free(context.Background())
	require.NoError(t, err)
	require.Positive(t, free)
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), "lost+") {
			all = append(all, p)
		}
		return err
	}))
	return all
}

func TestASecretOpensForItsPurposeAndItsOwnerOnly(t *testing.T) {
	old, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	master := func(keys ...[]byte) *blob.Master {
		m, err := blob.NewMaster(keys...)
		require.NoError(t, err)
		return m
	}
	before := master(old)
	sealed, err := before.Seal("refresh token", "ada", []byte("secret-canary"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "canary")
	again, err := before.Seal("refresh token", "ada", []byte("secret-canary"))
	require.NoError(t, err)
	require.NotEqual(t, sealed, again)

	for _, m := range []*blob.Master{before, master(fresh, old)} {
		plain, err := m.Unseal("refresh token", "ada", sealed)
		require.NoError(t, err)
		require.Equal(t, "secret-canary", string(plain))
		for _, other := range [][2]string{{"refresh token", "ben"}, {"verifier", "ada"}, {"refresh tokenada", ""}, {"refresh token", ""}} {
			_, err := m.Unseal(other[0], other[1], sealed)
			require.ErrorIs(t, err, blob.ErrCorrupt, other)
		}
		for i := range sealed {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1
			_, err := m.Unseal("refresh token", "ada", changed)
			require.Error(t, err)
			_, err = m.Unseal("refresh token", "ada", sealed[:i])
			require.Error(t, err)
		}
	}
	_, err = master(fresh).Unseal("refresh token", "ada", sealed)
	require.ErrorContains(t, err, "not configured")
}
