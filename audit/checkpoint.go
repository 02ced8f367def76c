package audit

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Signer signs checkpoints: the text of C2SP tlog-checkpoint, signed as C2SP signed-note
// with Ed25519 (RFC 8032).
type Signer struct {
	name, vkey string
	hash       uint32
	key        ed25519.PrivateKey
}

// keyPurpose parts this key from every other one that is made of the same secret.
const keyPurpose = "countersign audit checkpoint, Ed25519, version 1"

// NewSigner makes the key of a log from a secret of at least 32 bytes by HKDF-SHA256 (RFC
// 5869). The origin names the log, in its checkpoints and in the key: an address without
// a scheme, as in "sign.example.com/audit", without blanks and plus signs.
func NewSigner(origin string, secret []byte) (*Signer, error) {
	if len(secret) < 32 {
		return nil, errors.New("the secret of the audit log's key is shorter than 32 bytes")
	}
	seed, err := hkdf.Key(sha256.New, secret, nil, keyPurpose, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("make the audit log's key: %w", err)
	}
	s := &Signer{name: origin, key: ed25519.NewKeyFromSeed(seed)}
	if s.vkey, err = note.NewEd25519VerifierKey(origin, s.key.Public().(ed25519.PublicKey)); err != nil {
		return nil, fmt.Errorf("make the audit log's key: %w", err)
	}
	v, err := note.NewVerifier(s.vkey)
	if err != nil {
		return nil, fmt.Errorf("%q cannot name an audit log: %w", origin, err)
	}
	s.hash = v.KeyHash()
	return s, nil
}

// Name makes Signer a note.Signer: it is the origin.
func (s *Signer) Name() string { return s.name }

// KeyHash makes Signer a note.Signer.
func (s *Signer) KeyHash() uint32 { return s.hash }

// Sign makes Signer a note.Signer.
func (s *Signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// Key is the public half, as signed notes write it: origin, hash and key between plus
// signs. Who has it from elsewhere than the log can check a checkpoint.
func (s *Signer) Key() string { return s.vkey }

// sign writes the checkpoint as a signed note.
func (s *Signer) sign(cp Checkpoint) (string, error) {
	msg, err := note.Sign(&note.Note{Text: checkpointText(s.name, cp)}, s)
	if err != nil {
		return "", fmt.Errorf("sign a checkpoint: %w", err)
	}
	return string(msg), nil
}

func checkpointText(origin string, cp Checkpoint) string {
	return origin + "\n" + strconv.FormatInt(cp.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(cp.Root) + "\n"
}

// Signed is what a signed checkpoint says, once its signature holds.
type Signed struct {
	Origin string
	Size   int64
	Root   []byte
	Key    string // that signed it
}

// ErrUnknownKey is answered for a checkpoint that none of the keys at hand has signed.
var ErrUnknownKey = errors.New("the checkpoint is signed by a key that is not known")

// OpenCheckpoint checks a signed checkpoint against keys, as Signer.Key writes them. It
// answers ErrUnknownKey when none of them has signed it, and otherwise ErrProof when it is
// not what was signed.
func OpenCheckpoint(signed string, keys ...string) (Signed, error) {
	var known []note.Verifier
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return Signed{}, fmt.Errorf("read a key of the log: %w", err)
		}
		known = append(known, v)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(known...))
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unverified):
		return Signed{}, ErrUnknownKey
	case err != nil:
		return Signed{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	// The last digit has bits that say nothing: one signature is one text.
	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64); err != nil {
		return Signed{}, fmt.Errorf("%w: its signature is not written as one is", ErrProof)
	}
	out, err := parseCheckpoint(n.Text)
	if err != nil {
		return Signed{}, err
	}
	for _, k := range keys {
		if v, err := note.NewVerifier(k); err == nil && v.Name() == n.Sigs[0].Name && v.KeyHash() == n.Sigs[0].Hash {
			out.Key = k
		}
	}
	if name, _, _ := strings.Cut(out.Key, "+"); name != out.Origin {
		return Signed{}, fmt.Errorf("%w: the checkpoint of %q is signed as %q", ErrProof, out.Origin, name)
	}
	return out, nil
}

// parseCheckpoint reads the text of C2SP tlog-checkpoint: origin, size and root, a line
// each; lines behind them are for others.
func parseCheckpoint(text string) (Signed, error) {
	bad := func(what string) (Signed, error) {
		return Signed{}, fmt.Errorf("%w: the %s of the checkpoint cannot be read", ErrProof, what)
	}
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 || lines[0] == "" {
		return bad("text")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return bad("size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != sha256.Size {
		return bad("root")
	}
	return Signed{Origin: lines[0], Size: size, Root: root}, nil
}
