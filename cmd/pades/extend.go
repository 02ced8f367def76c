package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"

	"countersign/pades"
)

const extendHelp = `IN is a file whose signatures have timestamps. B-LT adds certificates and revocation
data; B-LTA adds them and a timestamp over the whole document. A file that has such a
timestamp gets a new one: do so before the certificate of the last one ends.

IN is read and never changed; OUT appears when it is whole, "-" is standard output. With
-in-place there is one FILE, which is appended to. A password comes from -password-file or
from PADES_PASSWORD in the environment.`

func extendFlags(fs *flag.FlagSet) action {
	m := &common{}
	m.register(fs, "B-LT", "B-LTA")
	var field string
	fs.StringVar(&field, "field", "", "`name` of the signature that must get all its data; the others what can be had")
	return func(ctx context.Context, c *call) (int, error) {
		switch {
		case m.level == "":
			return 0, usagef("-level has to be given")
		case m.level == "B-LTA" && len(m.tsa) == 0:
			return 0, usagef("level B-LTA needs -tsa")
		}
		word, err := password(m.passwordFile)
		if err != nil {
			return 0, err
		}
		t, err := openTarget(ctx, c, m.inPlace)
		if err != nil {
			return 0, err
		}
		defer t.close()
		size := t.before.Size()
		bar := startProgress(c, m.quiet, size)
		base := watched{ctx, t.in, bar}
		d := &done{File: t.path, Level: m.level}
		state, err := m.state(ctx, base, size)
		if err == nil {
			err = m.extend(ctx, addition{base: base, size: size, state: state, field: field, password: word}, d)
		}
		bar.end()
		if err != nil {
			return 0, err
		}
		if err := d.sum(state, size); err != nil {
			return 0, err
		}
		if err := t.finish(d.delta); err != nil {
			return 0, err
		}
		line := fmt.Sprintf("Extended to %s.", m.level)
		if len(d.delta) == 0 {
			line = "Nothing was missing."
		}
		return 0, m.tell(c, t, d, line)
	}
}

// state hashes the file once, for the timestamp and for what is told.
func (m *common) state(ctx context.Context, r io.ReaderAt, size int64) ([]byte, error) {
	h := sha256.New()
	if err := pades.Feed(ctx, r, 0, size, h); err != nil {
		return nil, err
	}
	return marshal(h)
}

// addition is a file that is carried further.
type addition struct {
	base            io.ReaderAt
	size            int64
	state           []byte // after all of d.delta
	field, password string
}

// extend adds to d's delta what the level asks for.
func (m *common) extend(ctx context.Context, a addition, d *done) error {
	roots, err := readRoots(m.roots)
	if err != nil {
		return err
	}
	tail := int64(len(d.delta))
	x, err := pades.Extend(ctx, pades.Join(pades.Part{ReaderAt: a.base, Size: a.size}, pades.Part{ReaderAt: bytes.NewReader(d.delta), Size: tail}), a.size+tail,
		pades.ExtendOptions{Level: m.level, Fetch: guarded(m.allowPrivate).Fetch, Stamp: clocks(m.tsa).stamp, Roots: roots,
			Field: a.field, VRI: m.vri, State: a.state, Password: a.password})
	if err != nil {
		return err
	}
	d.delta = append(d.delta, x.Delta...)
	d.stamped(x.Stamp, "document")
	d.Store = &storeJSON{Certificates: x.Certificates, OCSP: x.Answers, CRLs: x.Lists}
	for _, name := range slices.Sorted(maps.Keys(x.Lacking)) {
		d.Store.Lacking = append(d.Store.Lacking, fmt.Sprintf("%s: %v", name, x.Lacking[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(x.Stale)) {
		d.Store.Stale = append(d.Store.Stale, staleJSON{name, x.Stale[name].UTC()})
	}
	return nil
}

// sum gives the whole file's digest without reading it again.
func (d *done) sum(state []byte, size int64) error {
	d.Before, d.Added = size, int64(len(d.delta))
	h := sha256.New()
	if err := unmarshal(h, state); err != nil {
		return fmt.Errorf("hash state: %w", err)
	}
	h.Write(d.delta)
	d.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}
