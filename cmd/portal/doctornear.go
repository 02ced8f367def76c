package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	goversion "go/version"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/blob"
	"countersign/db"
)

// soundGo is the first release without the faults that SECURITY.md names.
const soundGo = "go1.26.10"

func (d *doctor) toolchain(_ context.Context, f *finding) {
	if built := runtime.Version(); goversion.IsValid(built) && goversion.Compare(built, soundGo) < 0 {
		f.say(warn, "built with %s, which has faults in HTTP/2 and in its list of roots (see SECURITY.md). Build with %s or later.", built, soundGo)
		return
	}
	f.say(ok, "built with %s.", runtime.Version())
}

func (d *doctor) address(_ context.Context, f *finding) {
	if plain(d.c.BaseURL) {
		f.say(warn, "%s is http, so cookies and documents can be read on the way. Put TLS in front and set BASE_URL to https.", d.c.BaseURL)
		return
	}
	f.say(ok, "browsers are told %s.", d.c.BaseURL)
}

// errUndo ends a transaction that has shown that it could write.
var errUndo = errors.New("undo")

func (d *doctor) database(ctx context.Context, f *finding) {
	if path, isFile := strings.CutPrefix(string(d.c.DatabaseURL), "sqlite:"); isFile {
		if !d.databaseFile(path, f) {
			return
		}
	} else {
		d.databaseTLS(f)
	}
	store, err := db.Open(ctx, db.Config{URL: string(d.c.DatabaseURL), MaxConns: 2})
	if err != nil {
		f.say(bad, "it cannot be opened: %s. Set DATABASE_URL right, or start the database.", cause(err))
		return
	}
	defer store.Close()
	pending, err := store.Pending(ctx)
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	try := "UPDATE people SET version = version WHERE id = ''"
	if pending {
		try = "CREATE TABLE doctor_probe (id INTEGER)"
	}
	var version string
	var clock int64
	err = store.InTx(ctx, func(tx *sqlx.Tx) error {
		ask := "SELECT sqlite_version(), CAST(strftime('%s', 'now') AS INTEGER)"
		if store.Dialect == db.Postgres {
			ask = "SELECT split_part(current_setting('server_version'), ' ', 1), CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)"
		}
		if err := tx.QueryRowxContext(ctx, ask).Scan(&version, &clock); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, try); err != nil {
			return err
		}
		return errUndo
	})
	switch {
	case !errors.Is(err, errUndo):
		f.say(bad, "it cannot be written: %s. Give the program's account the right to write.", cause(err))
	case pending:
		f.say(warn, "%s %s answers, but is not at this program's schema. portal migrate brings it there, and so does portal serve.", store.Dialect, version)
	default:
		f.say(ok, "%s %s answers, is at this program's schema and can be written.", store.Dialect, version)
	}
	if clock > 0 {
		agree(f, "the database", time.Unix(clock, 0).Add(500*time.Millisecond).Sub(d.now()))
	}
}

// databaseFile reports whether there is a file to open: opening would make one.
func (d *doctor) databaseFile(path string, f *finding) bool {
	folder := filepath.Dir(path)
	if foreign(folder) {
		f.say(warn, "not looked at: %s belongs to another account. Run doctor as the account of the site.", folder)
		return false
	}
	_, err := os.Stat(path)
	switch {
	case err == nil:
		return true
	case !errors.Is(err, os.ErrNotExist):
		f.say(bad, "it cannot be opened: %s.", cause(err))
		return false
	}
	probe, err := os.CreateTemp(folder, ".doctor-*")
	if err != nil {
		f.say(bad, "%s is not there and cannot be made: %s. Make its folder, and give it to the account of the site.", path, cause(err))
		return false
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		f.say(bad, "a probe cannot be removed: %s.", cause(err))
		return false
	}
	f.say(warn, "%s is not there yet. portal serve makes it; if there should be one, DATABASE_URL is wrong.", path)
	return false
}

func (d *doctor) databaseTLS(f *finding) {
	u, err := url.Parse(string(d.c.DatabaseURL))
	if err != nil || u.Host == "" || loopback("http://"+u.Host) {
		return
	}
	if mode := u.Query().Get("sslmode"); !slices.Contains([]string{"require", "verify-ca", "verify-full"}, mode) {
		f.say(warn, "the way to %s may be in the clear. Add sslmode=verify-full to DATABASE_URL.", u.Hostname())
	}
}

// foreign reports whether root looks at what belongs to somebody else, who could not
// change what root makes there.
func foreign(path string) bool {
	info, err := os.Stat(path)
	if err != nil || os.Geteuid() != 0 {
		return false
	}
	st, isUnix := info.Sys().(*syscall.Stat_t)
	return isUnix && st.Uid != 0
}

func (d *doctor) documents(ctx context.Context, f *finding) {
	if _, err := os.Stat(d.c.BlobDir); errors.Is(err, os.ErrNotExist) {
		f.say(warn, "%s is not there yet. portal serve makes it; if there should be one, BLOB_DIR is wrong.", d.c.BlobDir)
		return
	}
	if foreign(d.c.BlobDir) {
		f.say(warn, "not looked at: %s belongs to another account. Run doctor as the account of the site.", d.c.BlobDir)
		return
	}
	folder, err := blob.Folder(d.c.BlobDir)
	if err != nil {
		f.say(bad, "%s. Give the folder to the account of the site.", cause(err))
		return
	}
	defer folder.Close()
	if err := d.probe(ctx, folder); err != nil {
		f.say(bad, "a probe could not be kept in %s: %s.", d.c.BlobDir, cause(err))
		return
	}
	free, err := folder.Free(ctx)
	switch {
	case err != nil:
		f.say(warn, "the free space of %s cannot be told: %s.", d.c.BlobDir, cause(err))
	case free < fullBelow:
		f.say(bad, "%s is full: %d MiB are free. Make room.", d.c.BlobDir, free>>20)
	case free < 2<<30+d.c.MaxUpload: // signing keeps 2 GiB back
		f.say(warn, "%s has %d MiB free, too little for the largest document. Make room.", d.c.BlobDir, free>>20)
	default:
		f.say(ok, "a probe was encrypted, kept, read and removed in %s; %d GiB are free.", d.c.BlobDir, free>>30)
	}
}

// probe keeps, reads and removes one small blob, encrypted with the master key.
func (d *doctor) probe(ctx context.Context, folder blob.Bucket) error {
	master, err := d.c.master()
	if err != nil {
		return err
	}
	store := blob.NewStore(folder, master)
	plain := []byte(rand.Text())
	key, err := store.NewKey("doctor")
	if err != nil {
		return err
	}
	w, err := store.Create(ctx, "doctor", key)
	if err != nil {
		return err
	}
	if _, err := w.Write(plain); err != nil {
		return errors.Join(err, w.Abort())
	}
	id, err := w.Commit()
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	return errors.Join(same(ctx, store, key, id, plain), store.Remove(context.WithoutCancel(ctx), id))
}

func same(ctx context.Context, store *blob.Store, key []byte, id string, plain []byte) error {
	r, err := store.Open(ctx, "doctor", key, id)
	if err != nil {
		return err
	}
	defer r.Close()
	back := make([]byte, len(plain))
	if _, err := r.ReadAt(back, 0); err != nil {
		return err
	}
	if r.Size() != int64(len(plain)) || !bytes.Equal(back, plain) {
		return errors.New("it came back changed")
	}
	return nil
}

// pool are the roots of TRUST_ROOTS, nil where there are none.
func (d *doctor) pool() *x509.CertPool {
	pool, err := readRoots(d.c.Roots)
	if err != nil {
		return nil // it has a problem of its own
	}
	return pool
}

func (d *doctor) roots(_ context.Context, f *finding) {
	if d.c.Roots == "" {
		f.say(warn, "none are set, so no signature is called valid. Set TRUST_ROOTS to a PEM file of the roots to trust.")
		return
	}
	text, err := os.ReadFile(d.c.Roots)
	if err != nil {
		f.say(bad, "%s.", cause(err))
		return
	}
	good, now := 0, d.now()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			f.say(warn, "one of them cannot be read: %s.", cause(err))
			continue
		}
		name := fmt.Sprintf("%q", cert.Subject.String())
		switch {
		case now.After(cert.NotAfter):
			f.say(warn, "%s ended on %s.", name, cert.NotAfter.Format(time.DateOnly))
			continue
		case now.Before(cert.NotBefore):
			f.say(warn, "%s begins only on %s: is the clock right?", name, cert.NotBefore.Format(time.DateOnly))
			continue
		case !cert.IsCA:
			f.say(warn, "%s is no certificate authority.", name)
		case now.Add(30 * 24 * time.Hour).After(cert.NotAfter):
			f.say(warn, "%s ends on %s.", name, cert.NotAfter.Format(time.DateOnly))
		}
		good++
	}
	if good == 0 {
		f.say(bad, "none of them can be used now. Renew the file that TRUST_ROOTS names.")
		return
	}
	f.say(f.Level, "%d can be used.", good)
}
