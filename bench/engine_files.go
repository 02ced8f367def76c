package main

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// pdfWriter writes a file object by object and keeps where each begins.
type pdfWriter struct {
	*bufio.Writer
	at     int64
	places []int64 // by number
	packed []int64 // by number, stream<<32 | index, where an object lies in a stream
}

func (w *pdfWriter) printf(format string, args ...any) {
	n, _ := fmt.Fprintf(w.Writer, format, args...) // a buffered error stays until Flush
	w.at += int64(n)
}

func (w *pdfWriter) bytes(b []byte) {
	n, _ := w.Write(b)
	w.at += int64(n)
}

func (w *pdfWriter) begin(num int) {
	for len(w.places) <= num {
		w.places, w.packed = append(w.places, 0), append(w.packed, 0)
	}
	w.places[num] = w.at
	w.printf("%d 0 obj\n", num)
}

func (w *pdfWriter) object(num int, body string) {
	w.begin(num)
	w.printf("%s\nendobj\n", body)
}

func (w *pdfWriter) stream(num int, dict string, data []byte) {
	w.begin(num)
	w.printf("<<%s /Length %d>>\nstream\n", dict, len(data))
	w.bytes(data)
	w.printf("\nendstream\nendobj\n")
}

func (w *pdfWriter) table() {
	start := w.at
	w.printf("xref\n0 %d\n0000000000 65535 f \n", len(w.places))
	for _, p := range w.places[1:] {
		w.printf("%010d 00000 n \n", p)
	}
	w.printf("trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(w.places), start)
}

func (w *pdfWriter) index() {
	start, num := w.at, len(w.places)
	var data bytes.Buffer
	z := zlib.NewWriter(&data)
	for i := range num + 1 {
		row := [8]byte{}
		at, p := start, int64(0)
		if i < num {
			at, p = w.places[i], w.packed[i]
		}
		switch {
		case p != 0:
			at = p >> 32
			row = [8]byte{2, 0, 0, 0, 0, 0, byte(p >> 8), byte(p)}
		case i > 0:
			row[0] = 1
		}
		for b := range 5 {
			row[5-b] = byte(at >> (8 * b))
		}
		_, _ = z.Write(row[:]) // into memory
	}
	_ = z.Close()
	w.stream(num, fmt.Sprintf("/Type /XRef /Size %d /W [1 5 2] /Root 1 0 R /Filter /FlateDecode", num+1), data.Bytes())
	w.printf("startxref\n%d\n%%%%EOF\n", start)
}

// writePDF makes a file in which fill writes objects from number 4 on.
func writePDF(path string, fill func(*pdfWriter)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := &pdfWriter{Writer: bufio.NewWriterSize(f, 1<<20)}
	w.printf("%%PDF-1.7\n%%\xe2\xe3\xcf\xd3\n")
	w.object(1, "<</Type /Catalog /Pages 2 0 R>>")
	w.object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	w.object(3, "<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources <<>>>>")
	fill(w)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// images is a file of about size bytes, most of it streams of a megabyte that nothing shrinks.
func images(path string, size int) error {
	noise := mrand.NewChaCha8([32]byte{1})
	return writePDF(path, func(w *pdfWriter) {
		piece := make([]byte, min(size, 1_000_000)-1000)
		for num := 4; w.at+int64(len(piece)) <= int64(size); num++ {
			_, _ = noise.Read(piece) // never fails
			w.stream(num, "/Type /XObject /Subtype /Image /Width 999 /Height 1000 /ColorSpace /DeviceGray /BitsPerComponent 8", piece)
		}
		w.table()
	})
}

const smallObject = "<</Type /Example /Number %d /Text (what a small object holds, and a little more of it) /Next 3 0 R>>"

// smallObjects is a file of many small objects with a table, or packed in object streams.
func smallObjects(path string, count int, packed bool) error {
	return writePDF(path, func(w *pdfWriter) {
		if !packed {
			for i := range count {
				w.object(4+i, fmt.Sprintf(smallObject, i))
			}
			w.table()
			return
		}
		const each = 100
		first := 4 + (count+each-1)/each // streams come before what they hold
		for s := 0; s*each < count; s++ {
			var head, body bytes.Buffer
			for i := range min(each, count-s*each) {
				num := first + s*each + i
				fmt.Fprintf(&head, "%d %d ", num, body.Len())
				fmt.Fprintf(&body, smallObject+"\n", num)
				for len(w.places) <= num {
					w.places, w.packed = append(w.places, 0), append(w.packed, 0)
				}
				w.packed[num] = int64(4+s)<<32 | int64(i)
			}
			// Not deflated: the file has its size to be compared with the other.
			w.stream(4+s, fmt.Sprintf("/Type /ObjStm /N %d /First %d", min(each, count-s*each), head.Len()), append(head.Bytes(), body.Bytes()...))
		}
		w.index()
	})
}

// benchKey is an RSA key of 2048 bits, the only kind that all peers take, with its certificate.
type benchKey struct {
	cert, key, p12 string // files
	roots          *x509.CertPool
	chain          []*x509.Certificate
	private        *rsa.PrivateKey
}

func newBenchKey(dir string) (k benchKey, err error) {
	k.cert, k.key, k.p12 = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "key.p12")
	if k.private, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return k, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench"}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.private.Public(), k.private)
	if err != nil {
		return k, err
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		return k, err
	}
	k.chain, k.roots = []*x509.Certificate{c}, x509.NewCertPool()
	k.roots.AddCert(c)
	secret, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return k, err
	}
	for path, block := range map[string]*pem.Block{k.cert: {Type: "CERTIFICATE", Bytes: der}, k.key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return k, err
		}
	}
	// What was usual long ago: one of the peers reads nothing newer.
	out, err := exec.Command("openssl", "pkcs12", "-export", "-inkey", k.key, "-in", k.cert, "-out", k.p12, "-passout", "pass:bench",
		"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1").CombinedOutput()
	if err != nil {
		return k, fmt.Errorf("openssl: %w: %s", err, out)
	}
	return k, nil
}

// warm reads a file once, so that nobody is measured by the disk.
func warm(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}
