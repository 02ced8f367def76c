package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"countersign/db/pgcluster"
	"countersign/dtmsim"
	"countersign/pades/pdf/pdftest"
)

// measureSigning: from the second factor to the stored value and to the released file,
// without the time that the service itself took.
func measureSigning(ctx context.Context, b *bench) error {
	s, err := startSite(ctx, b, "signing", "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	if err := measureSmall(ctx, b, s, "SQLite"); err != nil {
		return err
	}
	if err := measureGigabyte(ctx, b, s); err != nil {
		return err
	}
	cluster, err := pgcluster.Start(false)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := cluster.Exec("CREATE DATABASE signing"); err != nil {
		return err
	}
	other, err := startSite(ctx, b, "signing-postgresql", cluster.URL("signing"))
	if err != nil {
		return err
	}
	defer func() { _ = other.stop() }()
	return measureSmall(ctx, b, other, "PostgreSQL")
}

// signer is somebody with a P-256 credential whose second factor is a PIN.
type signer struct {
	*visitor
	dtmsim.Signer
}

func (s *site) signer(ctx context.Context, subject string) (*signer, error) {
	v, err := s.signIn(ctx, subject)
	if err != nil {
		return nil, err
	}
	far, err := s.sim.AddSigner("Ada", "Example", "cp-advanced-p256", subject)
	if err != nil {
		return nil, err
	}
	if _, err := s.db.Write.ExecContext(ctx, s.db.Write.Rebind("UPDATE people SET dtm_user = ? WHERE id = ?"), far.UserID, v.person); err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	_, err = s.db.Write.ExecContext(ctx, s.db.Write.Rebind(`INSERT INTO credentials (id, person, name, standard, state, created_at, since)
		VALUES ('credential', ?, ?, 'advanced_plus', 'active', ?, ?)`), v.person, far.Credential, now, now)
	return &signer{v, far}, err
}

// signed is what one signing took.
type signed struct {
	stored, released time.Duration // since the second factor was sent, without the service's time
	upstream         time.Duration
}

// sign takes a document from upload to release.
func (v *signer) sign(ctx context.Context, r io.Reader, size int64) (signed, error) {
	document, err := v.upload(ctx, r, size)
	if err != nil {
		return signed{}, err
	}
	ceremony, err := v.post(ctx, "/documents/"+document+"/sign", url.Values{"credential": {"credential"}})
	if err != nil {
		return signed{}, err
	}
	begin := time.Now()
	if _, err := v.post(ctx, ceremony+"/authorize", url.Values{"pin": {v.PIN}}); err != nil {
		return signed{}, err
	}
	end := time.Now()
	var state string
	if err := v.site.db.Read.GetContext(ctx, &state, v.site.db.Read.Rebind("SELECT state FROM signatures WHERE document = ?"), document); err != nil {
		return signed{}, err
	}
	if state != "released" {
		return signed{}, fmt.Errorf("the signature is %s when the answer comes", state)
	}
	// The clock service is asked right after the value was stored.
	stored, ok := v.site.upstream.asked(begin, "/signatures/timestamp")
	if !ok {
		return signed{}, errors.New("the clock service was not asked")
	}
	before := v.site.upstream.busy(begin, stored)
	all := v.site.upstream.busy(begin, end)
	return signed{stored: stored.Sub(begin) - before, released: end.Sub(begin) - all, upstream: all}, v.erase(ctx, document)
}

func measureSmall(ctx context.Context, b *bench, s *site, database string) error {
	v, err := s.signer(ctx, "ada")
	if err != nil {
		return err
	}
	var stored, released, slow sample
	for batch := range 6 {
		var st, re sample
		for range b.size(40, 5) {
			file := pdftest.NewLarge(1_000_000)
			t, err := v.sign(ctx, io.NewSectionReader(file, 0, file.Size()), file.Size())
			if err != nil {
				return err
			}
			st, re = append(st, milliseconds(t.stored)), append(re, milliseconds(t.released))
		}
		if batch > 0 {
			stored, released, slow = append(stored, st.median()), append(released, re.median()), append(slow, st.quantile(0.99))
		}
	}
	b.report.atMost("own share of signing 1 MB, factor to stored value, median, "+database, "ms", 5, stored)
	b.report.tell("same, slowest of each 40, "+database, "ms", slow)
	b.report.tell("own share of signing 1 MB, factor to released file, median, "+database, "ms", released)
	return nil
}

// measureGigabyte holds the whole against reading the stored file once and hashing it.
func measureGigabyte(ctx context.Context, b *bench, s *site) error {
	v := &signer{}
	var err error
	if v.visitor, err = s.signIn(ctx, "ada"); err != nil {
		return err
	}
	v.PIN = s.sim.PIN("signer-1")
	size := int64(b.size(1<<30, 1<<24))
	var stored, released, limit, ratio sample
	for range 5 {
		floor, err := readAndHash(filepath.Join(b.dir, "signing", "blobs"), v, ctx, size)
		if err != nil {
			return err
		}
		file := pdftest.NewLarge(size)
		t, err := v.sign(ctx, io.NewSectionReader(file, 0, file.Size()), file.Size())
		if err != nil {
			return err
		}
		stored, released = append(stored, t.stored.Seconds()), append(released, t.released.Seconds())
		limit, ratio = append(limit, floor.Seconds()), append(ratio, t.released.Seconds()/floor.Seconds())
	}
	b.report.tell("reading a stored GiB and hashing it, one core", "s", limit)
	b.report.atMost("own share of signing 1 GiB, factor to stored value", "s", 0.3, stored)
	b.report.tell("own share of signing 1 GiB, factor to released file", "s", released)
	b.report.atMost("factor to released file, against reading and hashing", "×", 1.3, ratio)
	return nil
}

// readAndHash uploads a file, reads what lies in the folder for it, still encrypted, and
// takes its SHA-256: what no check of the finished file can do without.
func readAndHash(folder string, v *signer, ctx context.Context, size int64) (time.Duration, error) {
	file := pdftest.NewLarge(size)
	document, err := v.upload(ctx, io.NewSectionReader(file, 0, file.Size()), file.Size())
	if err != nil {
		return 0, err
	}
	path := ""
	err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() >= size {
			path = p
		}
		return nil
	})
	if err != nil || path == "" {
		return 0, fmt.Errorf("the stored file is not found in %s: %w", folder, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h, block := sha256.New(), make([]byte, 1<<18)
	begin := time.Now()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, block); err != nil {
		return 0, err
	}
	h.Sum(nil)
	return time.Since(begin), v.erase(ctx, strings.TrimSpace(document))
}
