package blob

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

const (
	keySize  = 32
	saltSize = 32
	keyIDLen = 8
	tagSize  = 16

	maxValue = 1 << 20

	wrapVersion  = 1
	valueVersion = 1
)

// aead is AES-256-GCM. Its nonces are counters under keys that are used for one blob or
// one value only, so they can never repeat.
type aead = cipher.AEAD

// Master holds the keys that wrap document keys. The first wraps, all unwrap.
type Master struct {
	keys []masterKey
}

type masterKey struct {
	id  [keyIDLen]byte
	key []byte
}

// NewMaster takes the master keys of 32 bytes each, the newest first. To rotate, put the
// new key behind the old one everywhere, then in front, Rewrap every document, then take the
// old one away.
func NewMaster(keys ...[]byte) (*Master, error) {
	if len(keys) == 0 {
		return nil, errors.New("a master key is needed")
	}
	m := &Master{}
	for i, k := range keys {
		if len(k) != keySize {
			return nil, fmt.Errorf("master key %d has %d bytes, not %d", i+1, len(k), keySize)
		}
		id := sha256.Sum256(append([]byte("countersign master key id v1\x00"), k...))
		mk := masterKey{key: append([]byte(nil), k...)}
		copy(mk.id[:], id[:])
		m.keys = append(m.keys, mk)
	}
	return m, nil
}

// KeyID names the master key that wraps now; it tells nothing of the key.
func (m *Master) KeyID() string { return fmt.Sprintf("%x", m.keys[0].id) }

// Current reports whether wrapped was made with the newest master key.
func (m *Master) Current(wrapped []byte) bool {
	return len(wrapped) > 1+keyIDLen && wrapped[0] == wrapVersion &&
		string(wrapped[1:1+keyIDLen]) == string(m.keys[0].id[:])
}

// wrap gives: version (1), master key id (8), salt (32), sealed key (32+16).
func (m *Master) wrap(r io.Reader, document string, key []byte) ([]byte, error) {
	out := append([]byte{wrapVersion}, m.keys[0].id[:]...)
	return sealOnce(r, out, m.keys[0].key, "countersign document key v1", document, key)
}

func (m *Master) unwrap(document string, wrapped []byte) ([]byte, error) {
	if len(wrapped) != 1+keyIDLen+saltSize+keySize+tagSize || wrapped[0] != wrapVersion {
		return nil, fmt.Errorf("unwrap document key: %w", ErrCorrupt)
	}
	id, rest := string(wrapped[1:1+keyIDLen]), wrapped[1+keyIDLen:]
	for _, k := range m.keys {
		if string(k.id[:]) == id {
			key, err := openOnce(k.key, "countersign document key v1", document, rest)
			if err != nil {
				return nil, fmt.Errorf("unwrap document key: %w", err)
			}
			return key, nil
		}
	}
	return nil, fmt.Errorf("unwrap document key: master key %x is not configured", id)
}

// sealOnce seals plain under a key derived for this one use, and appends salt and result to dst.
func sealOnce(r io.Reader, dst, secret []byte, use, document string, plain []byte) ([]byte, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(r, salt); err != nil {
		return nil, fmt.Errorf("%s: salt: %w", use, err)
	}
	a, err := derive(secret, salt, use, document)
	if err != nil {
		return nil, err
	}
	return a.Seal(append(dst, salt...), make([]byte, a.NonceSize()), plain, nil), nil //nolint:gosec // G407: the key is derived for this one use
}

func openOnce(secret []byte, use, document string, sealed []byte) ([]byte, error) {
	if len(sealed) < saltSize+tagSize {
		return nil, ErrCorrupt
	}
	a, err := derive(secret, sealed[:saltSize], use, document)
	if err != nil {
		return nil, err
	}
	plain, err := a.Open(nil, make([]byte, a.NonceSize()), sealed[saltSize:], nil)
	if err != nil {
		return nil, ErrCorrupt
	}
	return plain, nil
}

func sealValue(r io.Reader, key []byte, document string, plain []byte) ([]byte, error) {
	if len(plain) > maxValue {
		return nil, fmt.Errorf("seal value: %d bytes are too many", len(plain))
	}
	return sealOnce(r, []byte{valueVersion}, key, "countersign value v1", document, plain)
}

func unsealValue(key []byte, document string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != valueVersion {
		return nil, fmt.Errorf("unseal value: %w", ErrCorrupt)
	}
	plain, err := openOnce(key, "countersign value v1", document, sealed[1:])
	if err != nil {
		return nil, fmt.Errorf("unseal value: %w", err)
	}
	return plain, nil
}

// streamKey is the key of one blob: of this document, this salt and this id.
func streamKey(documentKey, salt []byte, document, id string) (aead, error) {
	return derive(documentKey, salt, "countersign blob v1\x00"+id, document)
}

// derive makes the AEAD for one use. The names of use and document are part of the
// derivation (HKDF-SHA-256, RFC 5869), which binds them as associated data would.
func derive(secret, salt []byte, use, document string) (aead, error) {
	key, err := hkdf.Key(sha256.New, secret, salt, use+"\x00"+document, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return cipher.NewGCM(block)
}

const secretUse = "countersign secret v1\x00"

// Seal keeps a small secret that belongs to no document under the newest master key. What it
// is for and whose it is are bound to it: it opens under the same two words only. A purpose
// holds no NUL. The result is: version (1), master key id (8), salt (32), sealed secret.
func (m *Master) Seal(purpose, subject string, plain []byte) ([]byte, error) {
	if len(plain) > maxValue {
		return nil, fmt.Errorf("seal a secret: %d bytes are too many", len(plain))
	}
	out := append([]byte{wrapVersion}, m.keys[0].id[:]...)
	return sealOnce(rand.Reader, out, m.keys[0].key, secretUse+purpose, subject, plain)
}

// Unseal opens what Seal gave, under whichever of the keys it was made with. It answers
// ErrCorrupt for what was changed, or was sealed for something or somebody else.
func (m *Master) Unseal(purpose, subject string, sealed []byte) ([]byte, error) {
	if len(sealed) < 1+keyIDLen || sealed[0] != wrapVersion {
		return nil, fmt.Errorf("unseal a secret: %w", ErrCorrupt)
	}
	id, rest := string(sealed[1:1+keyIDLen]), sealed[1+keyIDLen:]
	for _, k := range m.keys {
		if string(k.id[:]) == id {
			plain, err := openOnce(k.key, secretUse+purpose, subject, rest)
			if err != nil {
				return nil, fmt.Errorf("unseal a secret: %w", err)
			}
			return plain, nil
		}
	}
	return nil, fmt.Errorf("unseal a secret: master key %x is not configured", id)
}
