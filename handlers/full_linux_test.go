package handlers_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
)

// C11: database and documents on a small disk of their own, which is full at each step.
func TestADiskThatIsFullTakesNothingAndRecovers(t *testing.T) {
	disk := filepath.Join(os.TempDir(), "countersign-small-disk-"+filepath.Base(t.TempDir()+t.Name()))
	require.NoError(t, os.MkdirAll(disk, 0o700))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=32m"); err != nil {
		require.NoError(t, os.Remove(disk))
		t.Skip("NOT TESTED: a disk that is full needs leave to mount one: " + err.Error())
	}
	t.Run("on it", func(t *testing.T) { // ends, and lets go of every file, before the disk goes
		t.Setenv("TMPDIR", disk)
		fullDisk(t, disk)
	})
	require.NoError(t, syscall.Unmount(disk, 0))
	require.NoError(t, os.Remove(disk))
}

func fullDisk(t *testing.T, disk string) {
	w := newTown(t, handlerstest.Options{})
	require.True(t, strings.HasPrefix(w.Blobs, disk))
	filler := filepath.Join(disk, "filler")
	fill := func(spare int) {
		f, err := os.Create(filler)
		require.NoError(t, err)
		block := bytes.Repeat([]byte{1}, 64<<10)
		for err == nil {
			_, err = f.Write(block)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		size, err := f.Seek(0, 2)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(size-int64(spare)))
		require.NoError(t, f.Close())
	}
	empty := sync.OnceFunc(func() {})
	again := func(spare int) {
		fill(spare)
		empty = sync.OnceFunc(func() { _ = os.Remove(filler) })
	}
	large := append(handlerstest.PDF(), bytes.Repeat([]byte("\n"), 8<<20)...)

	// Room for rows and none for the file.
	rows, files := documents(t, w.Site), stored(t, w.Site)
	again(4 << 20)
	for way, request := range ways {
		a, err := w.ada.Send(request(w.ada, "large.pdf", bytes.NewReader(large), int64(len(large))))
		require.NoError(t, err)
		require.Equal(t, http.StatusInsufficientStorage, a.StatusCode, "%s: %s", way, a.Body)
	}
	require.Equal(t, rows, documents(t, w.Site))
	require.Equal(t, files, stored(t, w.Site), "no part of it stays")
	empty()

	// No room at all: neither a row nor a byte.
	id, code := w.freshCeremony("full.pdf")
	waits := w.fresh("waits too.pdf")
	again(0)
	state := w.Snapshot()
	w.reads("a full disk is read")
	for range 200 { // what room the log of the database had left for itself
		if w.ada.Post("/documents/"+string(w.signed)+"/sign", "credential", "none").StatusCode >= 500 {
			break
		}
	}
	for _, a := range []*handlerstest.Answer{w.ada.Put("small.pdf", handlerstest.PDF()),
		w.ada.Post("/documents/"+string(waits)+"/sign", "credential", string(w.credential.ID))} {
		require.Equal(t, http.StatusInsufficientStorage, a.StatusCode, a.Body)
	}
	require.Equal(t, state, w.Snapshot(), "nothing half written")
	w.reads("still")
	empty()

	// It fills up right after the signature was made, and there is room again a moment later.
	before := w.counts()
	w.during(func() {
		again(0)
		time.AfterFunc(time.Second, empty)
	})
	a := w.ada.Approve(id, code)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	w.signedOnce(id, before)
	w.Clock.Pass(31 * time.Second)
	w.ada.Signed(waits, w.credential.ID)
	w.ada.Upload("there is room again.pdf", large)
}
