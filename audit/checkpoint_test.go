package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"countersign/audit"
	"countersign/db/dbtest"
)

const origin = "sign.example.com/audit"

func signer(t *testing.T, secret byte) *audit.Signer {
	t.Helper()
	s, err := audit.NewSigner(origin, bytes.Repeat([]byte{secret}, 32))
	require.NoError(t, err)
	return s
}

// What we write is read by the library of the Go checksum database and, byte by byte, by the
// text of the two C2SP specifications.
func TestACheckpointIsASignedNoteThatOthersRead(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	s := signer(t, 7)
	tree := &audit.Tree{Store: d.AuditTree(), Signer: s}
	write(t, d, 5)
	_, err := tree.Number(ctx)
	require.NoError(t, err)
	cp, err := d.AuditTree().LastCheckpoint(ctx)
	require.NoError(t, err)

	v, err := note.NewVerifier(s.Key())
	require.NoError(t, err)
	n, err := note.Open([]byte(cp.Note), note.VerifierList(v))
	require.NoError(t, err)
	text := origin + "\n5\n" + base64.StdEncoding.EncodeToString(cp.Root) + "\n"
	require.Equal(t, text, n.Text)

	body, signature, ok := strings.Cut(cp.Note, "\n\n")
	require.True(t, ok)
	require.Equal(t, text, body+"\n")
	require.Regexp(t, "^— "+origin+" [A-Za-z0-9+/=]+\n$", signature)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(signature, "— "+origin+" ")))
	require.NoError(t, err)
	require.Len(t, raw, 4+ed25519.SignatureSize)
	seed, err := hkdf.Key(sha256.New, bytes.Repeat([]byte{7}, 32), nil, "countersign audit checkpoint, Ed25519, version 1", 32)
	require.NoError(t, err)
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	require.True(t, ed25519.Verify(public, []byte(text), raw[4:]))
	id := sha256.Sum256(append([]byte(origin+"\n\x01"), public...))
	require.Equal(t, binary.BigEndian.Uint32(id[:]), binary.BigEndian.Uint32(raw))

	said, err := audit.OpenCheckpoint(cp.Note, s.Key())
	require.NoError(t, err)
	require.Equal(t, audit.Signed{Origin: origin, Size: 5, Root: cp.Root, Key: s.Key()}, said)
}

func TestAForgedCheckpointIsNotOpened(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	s, other := signer(t, 7), signer(t, 8)
	tree := &audit.Tree{Store: d.AuditTree(), Signer: s}
	write(t, d, 5)
	_, err := tree.Number(ctx)
	require.NoError(t, err)
	cp, err := d.AuditTree().LastCheckpoint(ctx)
	require.NoError(t, err)
	_, err = audit.OpenCheckpoint(cp.Note, other.Key())
	require.ErrorIs(t, err, audit.ErrUnknownKey)
	_, err = audit.OpenCheckpoint(cp.Note)
	require.ErrorIs(t, err, audit.ErrUnknownKey)
	for i := range len(cp.Note) {
		for bit := range 8 {
			forged := []byte(cp.Note)
			forged[i] ^= 1 << bit
			_, err := audit.OpenCheckpoint(string(forged), s.Key(), other.Key())
			require.Error(t, err, "byte %d, bit %d", i, bit)
		}
	}
	// The last digit says less than it could: it is written in one way all the same.
	last := strings.LastIndex(cp.Note, "=") - 1
	for _, digit := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		forged := []byte(cp.Note)
		if forged[last] != byte(digit) {
			forged[last] = byte(digit)
			_, err := audit.OpenCheckpoint(string(forged), s.Key())
			require.Error(t, err, "%c for %c", digit, cp.Note[last])
		}
	}
	for name, text := range map[string]string{
		"another origin": "elsewhere.example/audit\n5\n" + base64.StdEncoding.EncodeToString(cp.Root) + "\n",
		"a size of 05":   origin + "\n05\n" + base64.StdEncoding.EncodeToString(cp.Root) + "\n",
		"no size":        origin + "\n\n" + base64.StdEncoding.EncodeToString(cp.Root) + "\n",
		"a negative one": origin + "\n-5\n" + base64.StdEncoding.EncodeToString(cp.Root) + "\n",
		"a short root":   origin + "\n5\nAAAA\n",
		"no root":        origin + "\n5\n",
	} {
		signed, err := note.Sign(&note.Note{Text: text}, s)
		require.NoError(t, err)
		_, err = audit.OpenCheckpoint(string(signed), s.Key())
		require.ErrorIs(t, err, audit.ErrProof, name)
	}
	for _, bad := range []string{"", "two words", "plus+sign"} {
		_, err := audit.NewSigner(bad, make([]byte, 32))
		require.Error(t, err, bad)
	}
	_, err = audit.NewSigner(origin, make([]byte, 31))
	require.Error(t, err)
}

func TestAChangedKeyLeavesOldCheckpointsProvable(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	var kept []string
	for i := range 3 {
		s := signer(t, byte(i))
		tree := &audit.Tree{Store: d.AuditTree(), Signer: s, Now: func() time.Time { return time.Unix(int64(i)*3600, 0) }}
		write(t, d, 3)
		for range 2 {
			_, err := tree.Number(ctx)
			require.NoError(t, err)
		}
		cp, err := d.AuditTree().LastCheckpoint(ctx)
		require.NoError(t, err)
		kept = append(kept, cp.Note)
	}
	keys, err := d.AuditTree().Keys(ctx)
	require.NoError(t, err)
	require.Len(t, keys, 3)
	for i, signed := range kept {
		said, err := audit.OpenCheckpoint(signed, keys...)
		require.NoError(t, err)
		require.EqualValues(t, 3*(i+1), said.Size)
		require.Equal(t, signer(t, byte(i)).Key(), said.Key)
	}
}

func TestFewCheckpointsStayAndTheNewestIsAlwaysSigned(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := signer(t, 7)
	tree := &audit.Tree{Store: d.AuditTree(), Signer: s, Now: func() time.Time { return now }}
	for range 241 { // every five seconds for twenty minutes
		write(t, d, 1)
		_, err := tree.Number(ctx)
		require.NoError(t, err)
		cp, err := d.AuditTree().LastCheckpoint(ctx)
		require.NoError(t, err)
		said, err := audit.OpenCheckpoint(cp.Note, s.Key())
		require.NoError(t, err)
		require.Equal(t, cp.Size, said.Size)
		now = now.Add(5 * time.Second)
	}
	kept, err := d.AuditTree().Kept(ctx, 0, 100)
	require.NoError(t, err)
	require.Len(t, kept, 3)
	for i, cp := range kept {
		require.EqualValues(t, 1+120*i, cp.Size)
		_, err := audit.OpenCheckpoint(cp.Note, s.Key())
		require.NoError(t, err)
	}
}
