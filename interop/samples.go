package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"countersign/pades"
	"countersign/pades/padestest"
	"countersign/pades/pdf/pdftest"
)

var levels = []string{"B-B", "B-T", "B-LT", "B-LTA"}

// Samples that others carry further: certificates with a responder, and with lists alone.
const (
	oursToExtend  = "p256-B-T"
	listsToExtend = "lists-B-T"
)

// form is a page with a text field, two signature fields, and a lock on the first of them.
func form() []byte {
	b := pdftest.New("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R>>")
	b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 300 200]>>")
	b.Object(3, "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [6 0 R 7 0 R 8 0 R] /Resources <<>>>>")
	b.Stream(4, "", "0 0 m 100 100 l S")
	b.Object(5, "<</Fields [6 0 R 7 0 R 8 0 R]>>")
	b.Object(6, "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (100) /Rect [10 10 90 30] /F 4 /P 3 0 R>>")
	b.Object(7, "<</Type /Annot /Subtype /Widget /FT /Sig /T (Locking) /Rect [100 10 190 30] /F 132 /P 3 0 R /Lock <</Type /SigFieldLock /Action /Include /Fields [(Amount)]>>>>")
	b.Object(8, "<</Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /Rect [200 10 290 30] /F 132 /P 3 0 R>>")
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

// people are signers, one for each algorithm.
func (k *kit) people() (map[string]plan, error) {
	out := map[string]plan{}
	add := func(name string, key crypto.Signer, err error, o pades.Options) error {
		if err == nil {
			out[name] = plan{who: k.pki.Issue("Test "+name, key, nil), o: o}
		}
		return err
	}
	rsaKey, err1 := rsa.GenerateKey(rand.Reader, 3072)
	p256, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err3 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, err4 := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, ed, err5 := ed25519.GenerateKey(rand.Reader)
	return out, errors.Join(
		add("rsa", rsaKey, err1, pades.Options{}), add("pss", rsaKey, err1, pades.Options{SignAlgo: "1.2.840.113549.1.1.10"}),
		add("pss-512", rsaKey, err1, pades.Options{SignAlgo: "1.2.840.113549.1.1.10", Hash: crypto.SHA512}),
		add("p256", p256, err2, pades.Options{}), add("p384", p384, err3, pades.Options{Hash: crypto.SHA384}),
		add("p521", p521, err4, pades.Options{Hash: crypto.SHA512}), add("ed25519", ed, err5, pades.Options{Hash: crypto.SHA512}))
}

// signAll makes every sample.
func (k *kit) signAll(corpus string) error {
	people, err := k.people()
	if err != nil {
		return err
	}
	ada, bob := people["p256"].who, people["rsa"].who
	plain := pdftest.Plain(2)
	err = errors.Join(k.keep("ada", ada), k.keep("bob", bob), os.WriteFile(k.path("plain"), plain, 0o600), os.WriteFile(k.path("form"), form(), 0o600))
	if err != nil {
		return err
	}
	for name, p := range people {
		for _, p.level = range levels {
			if err := k.one(name, plain, p); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(k.variants(plain, ada), k.severalSign(ada, bob, people["p384"].who), k.controls(plain, ada)); err != nil {
		return err
	}
	k.later("p256", "rsa", "lists", "three")
	if _, err := os.Stat(corpus); err != nil {
		fmt.Printf("interop: NO CORPUS at %s: only files made here are signed, none of them PDF/A\n", corpus)
		return nil
	}
	return errors.Join(k.corpus(corpus, ada), k.archives(corpus, ada))
}

func (k *kit) one(name string, file []byte, p plan) error {
	out, err := k.sign(file, p)
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, p.level, err)
	}
	s := sample{Name: name + "-" + p.level, Level: p.level, Signatures: 1}
	if name == "ed25519" {
		s.Not = map[string]string{"DSS": "EdDSA with SHA512 is not authorised"}
	}
	return k.add(s, out)
}

// variants: the data listed by signature; lists only; object streams.
func (k *kit) variants(plain []byte, ada *padestest.Party) error {
	lists := k.pki.Issue("Test Lists", padestest.Key(), func(c *x509.Certificate) { c.OCSPServer = nil })
	errs := []error{k.one("lists", plain, plan{who: lists, level: "B-T"})}
	for _, level := range levels[2:] {
		errs = append(errs, k.one("vri", plain, plan{who: ada, level: level, vri: true}), k.one("lists", plain, plan{who: lists, level: level}),
			k.one("packed", pdftest.Packed(), plan{who: ada, level: level}))
	}
	return errors.Join(errs...)
}

// severalSign: certified, then others; three in a row; fields that are there, with a lock.
func (k *kit) severalSign(ada, bob, eve *padestest.Party) error {
	rows := []struct {
		name string
		file []byte
		who  []plan
	}{
		{"certified-2", form(), []plan{{who: ada, o: pades.Options{Certify: 2, Field: "Author"}}, {who: bob, o: pades.Options{Field: "Approval"}}}},
		{"certified-3", form(), []plan{{who: ada, o: pades.Options{Certify: 3, Field: "Author"}}, {who: bob, o: pades.Options{Field: "Approval"}}}},
		{"certified-1", pdftest.Plain(1), []plan{{who: ada, o: pades.Options{Certify: 1}}}},
		{"three", pdftest.Plain(1), []plan{{who: ada}, {who: bob}, {who: eve, o: pades.Options{Hash: crypto.SHA384}}}},
		{"lock", form(), []plan{{who: ada, o: pades.Options{Field: "Locking"}}, {who: bob, o: pades.Options{Field: "Approval"}}}},
	}
	for _, row := range rows {
		for _, level := range levels[1:] {
			file := row.file
			var err error
			for i, p := range row.who {
				if p.level = "B-T"; i == len(row.who)-1 {
					p.level = level
				}
				if file, err = k.sign(file, p); err != nil {
					return fmt.Errorf("%s %s: %w", row.name, level, err)
				}
			}
			s := sample{Name: row.name + "-" + level, Level: level, Signatures: len(row.who)}
			if row.name == "certified-1" && level == "B-LTA" {
				s.Not = map[string]string{"PYHANKO": "ILLEGAL_MODIFICATIONS"}
			}
			if err := k.add(s, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// later has B-LTA samples judged once more in years when every certificate of the people and
// every list has ended.
func (k *kit) later(names ...string) {
	for _, s := range slices.Clone(k.samples) {
		name, archived := strings.CutSuffix(s.Name, "-B-LTA")
		if !archived || !slices.Contains(names, name) {
			continue
		}
		for _, year := range []int{2, 7} {
			s.At = k.pki.Now().AddDate(year, 0, 0)
			s.Name = fmt.Sprintf("%s-B-LTA-in-%d-years", name, year)
			s.Not = map[string]string{"PYHANKO": "CERTIFICATE_CHAIN_GENERAL_FAILURE"}
			k.samples = append(k.samples, s)
		}
	}
}

// corpus signs files of every build, at both ends of the levels.
func (k *kit) corpus(corpus string, ada *padestest.Party) error {
	for _, name := range []string{"made/t-table14", "made/t-objstm17", "made/t-objstm20", "made/t-linear-table", "made/t-linear-objstm", "made/t-no-eol",
		"made/t-enc-aes128", "made/t-enc-aes128-objstm", "made/t-enc-aes256", "made/t-enc-aes256-objstm", "made/t-enc-rc4-128",
		"pyhanko/minimal-hybrid-xref", "pyhanko/minimal-xref", "pyhanko/minimal-with-field-tagged", "pyhanko/minimal-with-simple-form"} {
		file, err := os.ReadFile(filepath.Join(corpus, name+".pdf"))
		if err != nil {
			return err
		}
		for _, level := range []string{"B-T", "B-LTA"} {
			if err := k.one(filepath.Base(name), file, plan{who: ada, level: level}); err != nil {
				return err
			}
			if strings.Contains(name, "hybrid") {
				k.samples[len(k.samples)-1].Not = map[string]string{"PYHANKO": "hybrid-reference files"}
			}
		}
	}
	return nil
}

// archives signs files that claim to be PDF/A or PDF/UA.
func (k *kit) archives(corpus string, ada *padestest.Party) error {
	names, err := filepath.Glob(filepath.Join(corpus, "verapdf", "*.pdf"))
	if err != nil {
		return err
	}
	var last []byte
	for i, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		before, err := filepath.Abs(name)
		if err != nil {
			return err
		}
		for _, level := range []string{"B-B", "B-LTA"} {
			if last, err = k.sign(file, plan{who: ada, level: level}); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			s := sample{Name: fmt.Sprintf("archive-%02d-%s", i, level), Level: level, Signatures: 1, Before: before, OnlyPDFA: i%8 != 0}
			if err := k.add(s, last); err != nil {
				return err
			}
		}
		if i == len(names)-1 { // a field that is not printed breaks the rule of annotations
			spoilt := bytes.ReplaceAll(last, []byte("/F 132"), []byte("/F 130"))
			return k.add(sample{Name: "control-archive", Before: before, Spoilt: true, OnlyPDFA: true}, spoilt)
		}
	}
	return nil
}

// controls are files that no judge may take for good.
func (k *kit) controls(plain []byte, ada *padestest.Party) error {
	bt, err := k.sign(plain, plan{who: ada, level: "B-T"})
	if err != nil {
		return err
	}
	lt, err := k.sign(plain, plan{who: ada, level: "B-LT"})
	if err != nil {
		return err
	}
	stranger := padestest.New()
	defer stranger.Close()
	unknown, err := k.sign(plain, plan{who: stranger.Issue("Test Stranger", padestest.Key(), nil), level: "B-B"})
	if err != nil {
		return err
	}
	flipped := bytes.Replace(bt, []byte("0 0 612 792"), []byte("0 0 613 792"), 1)
	return errors.Join(
		k.add(sample{Name: "control-flipped", Level: "B-T", Signatures: 1, Spoilt: true}, flipped),
		k.add(sample{Name: "control-stranger", Level: "B-B", Signatures: 1, Spoilt: true}, unknown),
		k.add(sample{Name: "control-no-store", Level: "B-LT", Signatures: 1, Spoilt: true}, bt),
		k.add(sample{Name: "control-no-lists", Level: "B-LT", Signatures: 1, Spoilt: true}, withoutLists(lt)),
		k.add(sample{Name: "control-page-changed", Level: "B-T", Signatures: 1, Spoilt: true, Blind: "DSS"}, changedPage(bt)))
}

// withoutLists takes the revocation lists out of a security store: it lists none any more.
func withoutLists(file []byte) []byte {
	return bytes.ReplaceAll(file, []byte("/CRLs"), []byte("/CRLx"))
}

// changedPage appends an update with another page.
func changedPage(file []byte) []byte {
	at := len(file)
	start := bytes.LastIndex(file, []byte("startxref"))
	var prev int
	_, _ = fmt.Sscanf(string(file[start:]), "startxref\n%d", &prev)
	page := "3 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Resources <<>>>>\nendobj\n"
	return slices.Concat(file, fmt.Appendf(nil, "%sxref\n3 1\n%010d 00000 n \ntrailer\n<</Size 100 /Root 1 0 R /Prev %d>>\nstartxref\n%d\n%%%%EOF\n", page, at, prev, at+len(page)))
}
