package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/tsp"
)

const signHelp = `IN is read and never changed; OUT appears when it is whole, "-" is standard
output. With -in-place there is one FILE, and the signature is appended to it.
A password comes from -password-file or from PADES_PASSWORD in the environment.

Levels: B-B the signature alone; B-T with a timestamp; B-LT with certificates and
revocation data; B-LTA with a timestamp over all of it. The default is B-B, with -tsa B-T.`

// common are the flags of commands that write a file.
type common struct {
	level, roots, passwordFile                string
	tsa                                       list
	inPlace, quiet, asJSON, allowPrivate, vri bool
}

func (m *common) register(fs *flag.FlagSet, levels ...string) {
	fs.Var(choice{&m.level, levels}, "level", "what the file shall reach")
	fs.Var(&m.tsa, "tsa", "`URL` of a timestamp service; several are asked in their order")
	fs.StringVar(&m.roots, "roots", "", "PEM `file` of certificates that chains end in")
	fs.StringVar(&m.passwordFile, "password-file", "", "`file` with the password of an encrypted IN")
	fs.BoolVar(&m.inPlace, "in-place", false, "append to the file")
	fs.BoolVar(&m.quiet, "quiet", false, "print nothing but errors")
	fs.BoolVar(&m.asJSON, "json", false, "print JSON")
	fs.BoolVar(&m.allowPrivate, "allow-private-addresses", false, "fetch validation data from private addresses too")
	fs.BoolVar(&m.vri, "vri", false, "also list validation data by signature")
}

type signing struct {
	common
	cert, key, visible string
	bits               string
	pss                bool
	o                  pades.Options
}

func signFlags(fs *flag.FlagSet) action {
	s := &signing{bits: "256"}
	s.register(fs, "B-B", "B-T", "B-LT", "B-LTA")
	fs.StringVar(&s.cert, "cert", "", "PEM `file` of the certificate and its chain, the signer's first")
	fs.StringVar(&s.key, "key", "", "PEM `file` of the private key, not encrypted")
	fs.Var(choice{&s.bits, []string{"256", "384", "512"}}, "hash", "SHA-2 with so many bits")
	fs.BoolVar(&s.pss, "pss", false, "RSA-PSS instead of PKCS #1 v1.5")
	fs.StringVar(&s.o.Field, "field", "", "`name` of the field to fill or to make")
	fs.IntVar(&s.o.Page, "page", 1, "`number` of the page for a new field")
	fs.StringVar(&s.visible, "visible", "", "`PAGE,X,Y,W,H`: not there yet")
	fs.IntVar(&s.o.Certify, "certify", 0, "certify, `permission` for what follows: 1 nothing, 2 forms, 3 annotations")
	fs.StringVar(&s.o.Name, "name", "", "`name` of the signer")
	fs.StringVar(&s.o.Reason, "reason", "", "`text`")
	fs.StringVar(&s.o.Location, "location", "", "`place`")
	fs.StringVar(&s.o.Contact, "contact", "", "`text` to reach the signer by")
	return s.run
}

// check refuses what does not fit together, before a file is touched.
func (s *signing) check() error {
	if s.level == "" {
		s.level = "B-B"
		if len(s.tsa) > 0 {
			s.level = "B-T"
		}
	}
	switch {
	case s.visible != "":
		return usagef("visible signatures are not supported yet; without -visible the signature is invisible")
	case s.cert == "" || s.key == "":
		return usagef("-cert and -key have to be given")
	case s.o.Page < 1:
		return usagef("-page counts from 1")
	case s.level != "B-B" && len(s.tsa) == 0:
		return usagef("level %s needs -tsa", s.level)
	case s.level == "B-B" && len(s.tsa) > 0:
		return usagef("level B-B has no timestamp, so there is no use for -tsa")
	case s.o.Certify < 0 || s.o.Certify > 3:
		return usagef("-certify is 1, 2 or 3")
	}
	return nil
}

// options reads certificate, key and password.
func (s *signing) options() (crypto.Signer, error) {
	chain, err := readChain(s.cert)
	if err != nil {
		return nil, err
	}
	key, err := readKey(s.key)
	if err != nil {
		return nil, err
	}
	if p, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !p.Equal(key.Public()) {
		return nil, errors.New("the key does not belong to the first certificate")
	}
	s.o.Chain, s.o.Time, s.o.Timestamped = chain, time.Now(), s.level != "B-B"
	s.o.Hash = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[s.bits]
	switch key.Public().(type) {
	case *rsa.PublicKey:
		if s.pss {
			s.o.SignAlgo = "1.2.840.113549.1.1.10"
		}
	case *ecdsa.PublicKey:
		if s.pss {
			return nil, errors.New("-pss is for RSA keys")
		}
	}
	if s.o.Password, err = password(s.passwordFile); err != nil {
		return nil, err
	}
	return key, nil
}

func (s *signing) run(ctx context.Context, c *call) (int, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	key, err := s.options()
	if err != nil {
		return 0, err
	}
	t, err := openTarget(ctx, c, s.inPlace)
	if err != nil {
		return 0, err
	}
	defer t.close()
	size := t.before.Size()
	bar := startProgress(c, s.quiet, size)
	base := watched{ctx, t.in, bar}
	p, err := pades.Prepare(base, size, s.o)
	bar.end()
	if err != nil {
		return 0, err
	}
	value, err := cms.SignLocal(p.Unsigned, key)
	if err != nil {
		return 0, err
	}
	token, err := s.stampValue(ctx, p, value)
	if err != nil {
		return 0, err
	}
	var raw []byte
	if token != nil {
		raw = token.Raw
	}
	d := &done{File: t.path, Field: p.Field, Level: s.level, Hash: s.o.Hash.String(), Digest: hex.EncodeToString(p.Digest()),
		Certificate: &certificateJSON{s.o.Chain[0].Subject.String(), s.o.Chain[0].SerialNumber.Text(16)}}
	if d.delta, err = p.Complete(value, raw); err != nil {
		return 0, err
	}
	d.stamped(token, "signature")
	if s.level == "B-LT" || s.level == "B-LTA" {
		a := addition{base: base, size: size, field: p.Field, password: s.o.Password}
		if a.state, _, err = p.StateAfter(d.delta); err != nil {
			return 0, err
		}
		if err := s.extend(ctx, a, d); err != nil {
			return 0, err
		}
	}
	if err := d.sum(p.BaseState, size); err != nil {
		return 0, err
	}
	if err := t.finish(d.delta); err != nil {
		return 0, err
	}
	return 0, s.tell(c, t, d, fmt.Sprintf("Signed %q as %s.", p.Field, s.level))
}

func (s *signing) stampValue(ctx context.Context, p *pades.Prepared, value []byte) (*tsp.Token, error) {
	if len(s.tsa) == 0 {
		return nil, nil
	}
	over, err := p.StampDigest(value)
	if err != nil {
		return nil, err
	}
	h := s.o.Hash.New()
	h.Write(over)
	return clocks(s.tsa).stamp(ctx, h.Sum(nil), s.o.Hash)
}

// done is what sign and extend did; the names of its JSON are stable.
type done struct {
	File        string           `json:"file"`
	Field       string           `json:"field,omitempty"`
	Level       string           `json:"level"`
	Before      int64            `json:"bytesBefore"`
	Added       int64            `json:"bytesAdded"`
	SHA256      string           `json:"sha256,omitempty"` // of the whole file
	Hash        string           `json:"hash,omitempty"`
	Digest      string           `json:"digest,omitempty"` // that the key signed
	Certificate *certificateJSON `json:"certificate,omitempty"`
	Timestamps  []stampJSON      `json:"timestamps"`
	Store       *storeJSON       `json:"validationData,omitempty"` // that was added

	delta []byte
}

type certificateJSON struct {
	Subject string `json:"subject"`
	Serial  string `json:"serial"` // hex
}

type stampJSON struct {
	Over   string    `json:"over"` // "signature" or "document"
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	Serial string    `json:"serial"` // of the token, hex
}

type storeJSON struct {
	Certificates int         `json:"certificates"`
	OCSP         int         `json:"ocspResponses"`
	CRLs         int         `json:"crls"`
	Lacking      []string    `json:"lacking,omitempty"` // signatures whose data could not be had
	Stale        []staleJSON `json:"stale,omitempty"`   // data from before the timestamp
}

type staleJSON struct {
	Certificate string    `json:"certificate"`
	Newer       time.Time `json:"newerAt"` // promised
}

func (d *done) stamped(t *tsp.Token, over string) {
	if t == nil {
		return
	}
	j := stampJSON{Over: over, Time: t.Time.UTC(), Serial: t.Serial.Text(16)}
	if t.Certificate != nil {
		j.By = t.Certificate.Subject.CommonName
	}
	d.Timestamps = append(d.Timestamps, j)
}

// tell prints what was done; beside a file on standard output it goes to standard error.
func (m *common) tell(c *call, t *target, d *done, line string) error {
	w := c.out
	if t.path == "-" {
		w = c.errs
	}
	if d.File == "" {
		d.File = t.in.Name()
	}
	if d.Timestamps == nil {
		d.Timestamps = []stampJSON{}
	}
	switch {
	case m.asJSON:
		return writeJSON(w, d)
	case !m.quiet:
		if _, err := fmt.Fprintf(w, "%s %d bytes were added.\n", line, d.Added); err != nil || d.Store == nil {
			return err
		}
		for _, s := range d.Store.Lacking {
			fmt.Fprintf(w, "No validation data for %s\n", s)
		}
		for _, s := range d.Store.Stale {
			fmt.Fprintf(w, "The data about %q is from before the timestamp; newer data is promised for %s.\n", s.Certificate, s.Newer.Format(time.RFC3339))
		}
	}
	return nil
}

func marshal(h any) ([]byte, error) { return h.(encoding.BinaryMarshaler).MarshalBinary() }

func unmarshal(h any, state []byte) error {
	return h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
