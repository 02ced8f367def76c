package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"countersign/pades"
	"countersign/pades/cms"
)

type signing struct {
	cert, key, tsa, level, visible string
	bits                           int
	pss                            bool
	o                              pades.Options
}

func sign(args []string, out, errs io.Writer) error {
	var s signing
	fs := flag.NewFlagSet("sign", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.StringVar(&s.cert, "cert", "", "certificate and its chain, PEM, leaf first")
	fs.StringVar(&s.key, "key", "", "private key, PEM, not encrypted")
	fs.StringVar(&s.tsa, "tsa", "", "address of a timestamp service")
	fs.StringVar(&s.level, "level", "", "B-B or B-T; B-T by default when -tsa is given")
	fs.IntVar(&s.bits, "hash", 256, "256, 384 or 512")
	fs.BoolVar(&s.pss, "pss", false, "RSA-PSS instead of PKCS #1 v1.5")
	fs.StringVar(&s.o.Field, "field", "", "signature field to fill or to make")
	fs.StringVar(&s.o.Name, "name", "", "name of the signer")
	fs.StringVar(&s.o.Reason, "reason", "", "reason for signing")
	fs.StringVar(&s.o.Location, "location", "", "place of signing")
	fs.StringVar(&s.visible, "visible", "", "PAGE,X,Y,W,H: not supported yet")
	fs.IntVar(&s.o.Certify, "certify", 0, "certify: what may follow, 1 nothing, 2 forms, 3 annotations")
	if fs.Parse(args) != nil || fs.NArg() != 2 || s.cert == "" || s.key == "" {
		return flag.ErrHelp
	}
	if s.visible != "" {
		return errors.New("visible signatures are not supported yet")
	}
	return s.run(fs.Arg(0), fs.Arg(1))
}

// options reads certificate and key and checks what fits together.
func (s *signing) options() (crypto.Signer, error) {
	switch {
	case s.level == "" && s.tsa != "":
		s.level = "B-T"
	case s.level == "":
		s.level = "B-B"
	}
	switch {
	case s.level == "B-LT" || s.level == "B-LTA":
		return nil, fmt.Errorf("level %s is not supported yet", s.level)
	case s.level != "B-B" && s.level != "B-T":
		return nil, fmt.Errorf("unknown level %q", s.level)
	case s.level == "B-T" && s.tsa == "":
		return nil, errors.New("level B-T needs -tsa")
	}
	hash, ok := map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 512: crypto.SHA512}[s.bits]
	if !ok {
		return nil, fmt.Errorf("unknown hash %d", s.bits)
	}
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
	s.o.Chain, s.o.Hash, s.o.Time, s.o.Timestamped = chain, hash, time.Now(), s.level == "B-T"
	if _, isEC := key.Public().(*ecdsa.PublicKey); s.pss && !isEC {
		s.o.SignAlgo = "1.2.840.113549.1.1.10"
	}
	return key, nil
}

func (s *signing) run(in, out string) error {
	key, err := s.options()
	if err != nil {
		return err
	}
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	p, err := pades.Prepare(f, st.Size(), s.o)
	if err != nil {
		return err
	}
	value, err := cms.SignLocal(p.Unsigned, key)
	if err != nil {
		return err
	}
	token, err := s.stamp(p, value)
	if err != nil {
		return err
	}
	delta, err := p.Complete(value, token)
	if err != nil {
		return err
	}
	return write(out, io.NewSectionReader(f, 0, st.Size()), delta)
}

func (s *signing) stamp(p *pades.Prepared, value []byte) ([]byte, error) {
	if s.tsa == "" {
		return nil, nil
	}
	over, err := p.StampDigest(value)
	if err != nil {
		return nil, err
	}
	h := s.o.Hash.New()
	h.Write(over)
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	return fetchToken(ctx, s.tsa, h.Sum(nil), s.o.Hash)
}

// write puts the file in place only when it is whole.
func write(path string, base io.Reader, delta []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".pades-*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	defer t.Close()
	if _, err := io.Copy(t, base); err != nil {
		return err
	}
	if _, err := t.Write(delta); err != nil {
		return err
	}
	if err := t.Chmod(0o644); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}

func readChain(path string) (chain []*x509.Certificate, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%s: no certificate", path)
	}
	return chain, nil
}

func readKey(path string) (crypto.Signer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil, fmt.Errorf("%s: no private key that is not encrypted", path)
		}
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if s, ok := key.(crypto.Signer); ok {
			return s, nil
		}
		return nil, fmt.Errorf("%s: the key cannot sign", path)
	}
}
