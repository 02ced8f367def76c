package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/pdf/pdftest"
)

func TestVerifyEndsWithTheCodeOfItsVerdict(t *testing.T) {
	cert, key := person(t)
	dir := t.TempDir()
	in, out, broken := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf"), filepath.Join(dir, "broken.pdf")
	require.NoError(t, os.WriteFile(in, pdftest.Plain(1), 0o600))
	msg, code := pades(t, "sign", "-cert", cert, "-key", key, in, out)
	require.Zero(t, code, msg)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	b[20] ^= 1
	require.NoError(t, os.WriteFile(broken, b, 0o600))

	for _, c := range []struct {
		want int
		args []string
	}{
		{0, []string{"verify", "-roots", cert, out}},
		{2, []string{"verify", out}},
		{3, []string{"verify", in}},
		{4, []string{"verify", filepath.Join(dir, "none.pdf")}},
		{4, []string{"verify", "-roots", in, out}},
		{4, []string{"verify"}},
		{4, []string{"verify", "-wrong", out}},
	} {
		msg, code := pades(t, c.args...)
		require.Equal(t, c.want, code, "%v: %s", c.args, msg)
	}
	msg, code = pades(t, "verify", "-json", "-roots", cert, out)
	require.Zero(t, code)
	require.True(t, json.Valid([]byte(msg)), msg)
	_, code = pades(t, "verify", "-roots", cert, broken)
	require.NotZero(t, code)
}
