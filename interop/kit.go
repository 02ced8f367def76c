package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
)

// kit is what samples are made with: a small infrastructure, a folder, and what was made.
type kit struct {
	pki                 *padestest.PKI
	folder              string
	rootFile, chainFile string
	samples             []sample
}

func newKit(folder string) (*kit, error) {
	if err := os.RemoveAll(folder); err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	k := &kit{pki: padestest.New(), folder: folder, rootFile: filepath.Join(folder, "root.pem"), chainFile: filepath.Join(folder, "chain.pem")}
	if err := writePEM(k.rootFile, "CERTIFICATE", k.pki.Root.Cert.Raw); err != nil {
		return nil, err
	}
	return k, writePEM(k.chainFile, "CERTIFICATE", k.pki.People.Cert.Raw, k.pki.Root.Cert.Raw)
}

func (k *kit) path(name string) string { return filepath.Join(k.folder, name+".pdf") }

// keep stores a person's key for those who sign with other programs.
func (k *kit) keep(name string, p *padestest.Party) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(k.folder, name+".key"), "PRIVATE KEY", der); err != nil {
		return err
	}
	return writePEM(filepath.Join(k.folder, name+".pem"), "CERTIFICATE", p.Cert.Raw)
}

// add stores a sample.
func (k *kit) add(s sample, file []byte) error {
	s.File = k.path(s.Name)
	k.samples = append(k.samples, s)
	return os.WriteFile(s.File, file, 0o600)
}

// plan is how a file is signed.
type plan struct {
	who   *padestest.Party
	level string
	vri   bool
	o     pades.Options
}

// sign signs a file and carries it to its level.
func (k *kit) sign(file []byte, p plan) ([]byte, error) {
	p.o.Chain, p.o.Time, p.o.Timestamped = p.who.Chain(), k.pki.Now(), p.level != "B-B"
	prep, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), p.o)
	if err != nil {
		return nil, err
	}
	value, err := cms.SignLocal(prep.Unsigned, p.who.Key)
	if err != nil {
		return nil, err
	}
	var token []byte
	if p.o.Timestamped {
		over, err := prep.StampDigest(value)
		if err != nil {
			return nil, err
		}
		h := crypto.SHA256.New()
		h.Write(over)
		t, err := k.pki.Stamp(context.Background(), h.Sum(nil), crypto.SHA256)
		if err != nil {
			return nil, err
		}
		token = t.Raw
	}
	delta, err := prep.Complete(value, token)
	if err != nil {
		return nil, err
	}
	return k.extend(append(bytes.Clone(file), delta...), p.level, p.vri)
}

func (k *kit) extend(file []byte, level string, vri bool) ([]byte, error) {
	if !strings.HasPrefix(level, "B-L") {
		return file, nil
	}
	e, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), pades.ExtendOptions{
		Level: level, VRI: vri, Roots: k.pki.Roots(), Now: k.pki.Now(), Fetch: padestest.Fetch, Stamp: k.pki.Stamp})
	if err != nil {
		return nil, err
	}
	return append(bytes.Clone(file), e.Delta...), nil
}
