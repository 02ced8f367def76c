package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// sealHint encrypts the ID token under a key made from the cookie's id, of which the row
// holds only the hash: who reads the database reads no token. The key is used once, so the
// nonce may be fixed.
func sealHint(raw []byte, token string) ([]byte, error) {
	a, err := hintKey(raw)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, make([]byte, a.NonceSize()), []byte(token), nil), nil //nolint:gosec // G407: the key is used once
}

func openHint(raw, sealed []byte) (string, error) {
	a, err := hintKey(raw)
	if err != nil {
		return "", err
	}
	plain, err := a.Open(nil, make([]byte, a.NonceSize()), sealed, nil)
	if err != nil {
		return "", errors.New("logout hint does not open")
	}
	return string(plain), nil
}

func hintKey(raw []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, raw, nil, "countersign logout hint v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive hint key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive hint key: %w", err)
	}
	return cipher.NewGCM(block)
}
