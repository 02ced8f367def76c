package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/pdf/pdftest"
)

var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pades")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "pades")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func pades(t *testing.T, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	require.NoError(t, err)
	return string(out), 0
}

// person writes a key and its self-made certificate.
func person(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Ada Test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	require.NoError(t, err)
	pk, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk}), 0o600))
	return cert, key
}

func TestSignAppendsAndInspectCounts(t *testing.T) {
	cert, key := person(t)
	in, out := filepath.Join(t.TempDir(), "in.pdf"), filepath.Join(t.TempDir(), "out.pdf")
	base := pdftest.Plain(2)
	require.NoError(t, os.WriteFile(in, base, 0o600))
	msg, code := pades(t, "sign", "-cert", cert, "-key", key, "-field", "Here", "-reason", "Test", "-certify", "1", in, out)
	require.Zero(t, code, msg)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, base, b[:len(base)])

	msg, code = pades(t, "inspect", "-json", out)
	require.Equal(t, 3, code, "certified against changes")
	require.Contains(t, msg, `"certified": 1`)
	require.Contains(t, msg, `"refused": "certified"`)
	_, code = pades(t, "sign", "-cert", cert, "-key", key, out, filepath.Join(t.TempDir(), "again.pdf"))
	require.Equal(t, 3, code)
}

func TestWrongUsageIsToldApart(t *testing.T) {
	cert, key := person(t)
	_, other := person(t)
	in := filepath.Join(t.TempDir(), "in.pdf")
	require.NoError(t, os.WriteFile(in, pdftest.Plain(1), 0o600))
	for _, args := range [][]string{
		nil, {"sing"}, {"sign", in}, {"inspect"}, {"inspect", in + "x"},
		{"sign", "-cert", cert, "-key", other, in, in + ".out"},
		{"sign", "-cert", cert, "-key", other, "-level", "B-T", in, in + ".out"},
		{"sign", "-cert", cert, "-key", key, "-visible", "1,0,0,9,9", in, in + ".out"},
		{"sign", "-cert", cert, "-key", key, "-certify", "4", in, in + ".out"},
		{"sign", "-cert", cert, "-key", key, "-page", "0", in, in + ".out"},
		{"sign", "-cert", cert, "-key", key, "-hash", "1", in, in + ".out"},
		{"sign", "-cert", cert, "-key", key, "-pss", in, in + ".out"},
		{"sign", "-cert", cert, "-key", key, "-", in + ".out"},
		{"sign", "-cert", cert, "-key", key, in, in},
		{"sign", "-cert", cert, "-key", key, in, filepath.Dir(in)},
		{"sign", "-cert", cert, "-key", key, "-in-place", in, in},
		{"sign", "-cert", cert, "-key", key, "-password-file", in + "x", in, in + ".out"},
		{"sign", "-cert", cert, "-key", key, in, filepath.Join(in, "no", "folder.pdf")},
		{"extend", in, in + ".out"},
		{"extend", "-level", "B-LTA", in, in + ".out"},
		{"verify", "-"}, {"completion", "sh"}, {"help", "sing"}, {"version", "x"},
	} {
		msg, code := pades(t, args...)
		require.Equal(t, 4, code, "%v: %s", args, msg)
		require.NotEmpty(t, msg)
		left, err := os.ReadDir(filepath.Dir(in))
		require.NoError(t, err)
		require.Len(t, left, 1, "nothing is left behind: %v", args)
	}
}
