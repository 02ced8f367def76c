package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"
	"slices"
)

// method is how a crypt filter encrypts.
type method byte

const (
	identity method = iota
	rc4Object
	aesObject // AES-128, a key per object
	aesFile   // AES-256, the file's key
)

// crypt is the standard security handler (ISO 32000-2, 7.6.4), opened.
type crypt struct {
	key      []byte
	stm, str method
}

var passwordPad = []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08" +
	"\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")

// setEncryption reads the Encrypt dictionary, whose own strings are not encrypted.
func (f *File) setEncryption() error {
	if f.Trailer.Has("AuthCode") {
		return fmt.Errorf("%w: a message authentication code (ISO/TS 32004)", ErrEncryption)
	}
	enc := f.Trailer.Get("Encrypt")
	if enc == nil {
		return nil
	}
	f.encRef, _ = enc.(Ref)
	d, err := f.Dict(enc)
	if err != nil {
		return err
	}
	if d == nil {
		return f.ofEncrypt(fmt.Errorf("%w: no dictionary", ErrDamaged))
	}
	if n, _ := f.Resolve(d.Get("Filter")); n != Name("Standard") {
		return f.ofEncrypt(fmt.Errorf("%w: security handler %v", ErrEncryption, n))
	}
	c, err := f.standard(d)
	if err != nil {
		return f.ofEncrypt(err)
	}
	f.mem.forget(f.id) // what was read so far was read without the key
	f.crypt = c
	return nil
}

// ofEncrypt says where the encryption dictionary lies that an error is about.
func (f *File) ofEncrypt(err error) error {
	if f.encRef.Num == 0 {
		return fmt.Errorf("the trailer's Encrypt: %w", err)
	}
	return fmt.Errorf("object %d, Encrypt: %w", f.encRef.Num, err)
}

type encryption struct {
	v, r, p, length int64
	o, u, oe, ue    []byte
	id              []byte
	metadata        bool
}

func (f *File) standard(d *Dict) (*crypt, error) {
	num := func(k Name, def int64) int64 {
		if v, ok := f.int(d.Get(k)); ok {
			return v
		}
		return def
	}
	str := func(k Name) []byte {
		o, _ := f.Resolve(d.Get(k))
		s, _ := o.(String)
		return s.Value
	}
	e := encryption{v: num("V", 0), r: num("R", 0), p: num("P", 0), length: num("Length", 40),
		o: str("O"), u: str("U"), oe: str("OE"), ue: str("UE"), metadata: true}
	if b, err := f.Resolve(d.Get("EncryptMetadata")); err == nil && b == false {
		e.metadata = false
	}
	if ids, _ := f.Array(f.Trailer.Get("ID")); len(ids) > 0 {
		o, _ := f.Resolve(ids[0])
		s, _ := o.(String)
		e.id = s.Value
	}
	c := &crypt{}
	switch e.v {
	case 1:
		e.length, c.stm, c.str = 40, rc4Object, rc4Object
	case 2, 3:
		c.stm, c.str = rc4Object, rc4Object
	case 4, 5:
		var err error
		if c.stm, c.str, err = f.cryptFilters(d, &e); err != nil {
			return nil, err
		}
		if c.stm == identity && c.str == identity {
			return c, nil // only attachments are encrypted: nothing we touch
		}
	default:
		return nil, fmt.Errorf("%w: V %d", ErrEncryption, e.v)
	}
	if e.v < 4 && (e.length < 40 || e.length > 128 || e.length%8 != 0) {
		return nil, fmt.Errorf("%w: key of %d bits", ErrEncryption, e.length)
	}
	var err error
	switch {
	case e.v == 5 && (e.r == 5 || e.r == 6):
		c.key, err = e.key256(passwords(f.opened.Password, e.r))
	case e.v < 5 && e.r >= 2 && e.r <= 4:
		c.key, err = e.key128(passwords(f.opened.Password, e.r))
	default:
		err = fmt.Errorf("%w: V %d with R %d", ErrEncryption, e.v, e.r)
	}
	return c, err
}

func (f *File) cryptFilters(d *Dict, e *encryption) (stm, str method, err error) {
	cf, err := f.Dict(d.Get("CF"))
	if err != nil {
		return 0, 0, err
	}
	get := func(k Name) (method, error) {
		o, err := f.Resolve(d.Get(k))
		if err != nil {
			return 0, err
		}
		n, _ := o.(Name)
		if n == "" || n == "Identity" {
			return identity, nil
		}
		one, err := f.Dict(cf.Get(n))
		if err != nil {
			return 0, err
		}
		switch m, _ := f.Resolve(one.Get("CFM")); m {
		case Name("None"):
			return identity, nil
		case Name("V2"):
			if e.v == 4 {
				return rc4Object, nil
			}
		case Name("AESV2"):
			if e.v == 4 {
				return aesObject, nil
			}
		case Name("AESV3"):
			if e.v == 5 {
				return aesFile, nil
			}
		}
		return 0, fmt.Errorf("%w: crypt filter %s", ErrEncryption, n)
	}
	e.length = 128 // of V 4; a crypt filter's Length is in bytes, bits or wrong
	if stm, err = get("StmF"); err == nil {
		str, err = get("StrF")
	}
	return stm, str, err
}

// key128 is algorithm 2, and 6 to check it, for padded passwords of the user or the owner.
func (e *encryption) key128(passwords [][]byte) ([]byte, error) {
	if len(e.o) < 32 || len(e.u) < 32 {
		return nil, fmt.Errorf("%w: short O or U", ErrDamaged)
	}
	e.o, e.u = e.o[:32], e.u[:32]
	for _, p := range passwords {
		if k := e.userKey(p); k != nil {
			return k, nil
		}
		if k := e.userKey(e.userFromOwner(p)); k != nil {
			return k, nil
		}
	}
	return nil, errLocked(passwords)
}

func errLocked(tried [][]byte) error {
	if len(tried) > 1 {
		return fmt.Errorf("%w: the one given does not open the file", ErrPassword)
	}
	return ErrPassword
}

func (e *encryption) userKey(pad []byte) []byte {
	h := md5.New()
	h.Write(pad)
	h.Write(e.o)
	p := uint32(e.p)
	h.Write([]byte{byte(p), byte(p >> 8), byte(p >> 16), byte(p >> 24)})
	h.Write(e.id)
	if e.r >= 4 && !e.metadata {
		h.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}
	n := int(e.length / 8)
	if e.r == 2 {
		n = 5
	}
	key := h.Sum(nil)
	if e.r >= 3 {
		for range 50 {
			s := md5.Sum(key[:n])
			key = s[:]
		}
	}
	key = key[:n]
	if e.r == 2 {
		if bytes.Equal(rc4Bytes(key, passwordPad), e.u) {
			return key
		}
		return nil
	}
	s := md5.Sum(append(bytes.Clone(passwordPad), e.id...))
	b := s[:]
	for i := range 20 {
		b = rc4Bytes(xorKey(key, byte(i)), b)
	}
	if bytes.Equal(b, e.u[:16]) {
		return key
	}
	return nil
}

// userFromOwner is algorithm 7: the padded user password that an owner password unlocks.
func (e *encryption) userFromOwner(pad []byte) []byte {
	s := md5.Sum(pad)
	key := s[:]
	n := 5
	if e.r >= 3 {
		n = int(e.length / 8)
		for range 50 {
			s = md5.Sum(key)
			key = s[:]
		}
	}
	key = key[:n]
	if e.r == 2 {
		return rc4Bytes(key, e.o)
	}
	b := e.o
	for i := 19; i >= 0; i-- {
		b = rc4Bytes(xorKey(key, byte(i)), b)
	}
	return b
}

func xorKey(key []byte, x byte) []byte {
	k := bytes.Clone(key)
	for i := range k {
		k[i] ^= x
	}
	return k
}

func rc4Bytes(key, b []byte) []byte {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic(err) // key lengths are 5 to 16
	}
	out := make([]byte, len(b))
	c.XORKeyStream(out, b)
	return out
}

// key256 is algorithm 2.A with each password, as the user's and then as the owner's.
func (e *encryption) key256(passwords [][]byte) ([]byte, error) {
	if len(e.u) < 48 || len(e.o) < 48 || len(e.ue) < 32 || len(e.oe) < 32 {
		return nil, fmt.Errorf("%w: short U, O, UE or OE", ErrDamaged)
	}
	u := e.u[:48]
	unlock := func(p, s, wrapped, more []byte) []byte {
		if !bytes.Equal(e.hash(p, s[32:40], more), s[:32]) {
			return nil
		}
		block, _ := aes.NewCipher(e.hash(p, s[40:48], more)) // 32 bytes
		key := make([]byte, 32)
		cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(key, wrapped[:32])
		return key
	}
	for _, p := range passwords {
		if k := unlock(p, u, e.ue, nil); k != nil {
			return k, nil
		}
		if k := unlock(p, e.o, e.oe, u); k != nil {
			return k, nil
		}
	}
	return nil, errLocked(passwords)
}

// hash is algorithm 2.B; R 5 is its first line alone.
func (e *encryption) hash(password, salt, more []byte) []byte {
	s := sha256.Sum256(slices.Concat(password, salt, more))
	k := s[:]
	if e.r == 5 {
		return k
	}
	for i := 0; ; i++ {
		k1 := bytes.Repeat(slices.Concat(password, k, more), 64)
		block, _ := aes.NewCipher(k[:16])
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(k1, k1)
		sum := 0
		for _, c := range k1[:16] {
			sum += int(c)
		}
		switch sum % 3 {
		case 0:
			h := sha256.Sum256(k1)
			k = h[:]
		case 1:
			h := sha512.Sum384(k1)
			k = h[:]
		default:
			h := sha512.Sum512(k1)
			k = h[:]
		}
		// Counted from 0, as here, the last byte is compared with i - 31.
		if i >= 63 && int(k1[len(k1)-1]) <= i-31 {
			return k[:32]
		}
	}
}

// objectKey is algorithm 1.
func (c *crypt) objectKey(m method, r Ref) []byte {
	if m == aesFile {
		return c.key
	}
	b := append(bytes.Clone(c.key), byte(r.Num), byte(r.Num>>8), byte(r.Num>>16), byte(r.Gen), byte(r.Gen>>8))
	if m == aesObject {
		b = append(b, "sAlT"...)
	}
	s := md5.Sum(b)
	return s[:min(16, len(c.key)+5)]
}

// same tells whether streams are deciphered in the same way.
func (c *crypt) same(d *crypt) bool {
	return c == d || c != nil && d != nil && c.stm == d.stm && bytes.Equal(c.key, d.key)
}

// decrypt is the cipher's, paid for.
func (f *File) decrypt(m method, r Ref, b []byte) ([]byte, error) {
	if m != identity {
		if err := f.spend(costKey + int64(len(b))*costCipher); err != nil {
			return nil, err
		}
	}
	return f.crypt.decrypt(m, r, b)
}

func (c *crypt) decrypt(m method, r Ref, b []byte) ([]byte, error) {
	switch m {
	case identity:
		return b, nil
	case rc4Object:
		return rc4Bytes(c.objectKey(m, r), b), nil
	}
	if len(b) == 0 {
		return b, nil
	}
	if len(b) < 16 || len(b)%16 != 0 {
		return nil, fmt.Errorf("%w: encrypted data of object %d", ErrDamaged, r.Num)
	}
	block, err := aes.NewCipher(c.objectKey(m, r))
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(b)-16)
	cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(out, b[16:])
	if n := len(out); n > 0 {
		if pad := int(out[n-1]); pad >= 1 && pad <= 16 {
			out = out[:n-pad]
		}
	}
	return out, nil
}

func (c *crypt) encrypt(m method, r Ref, b []byte, rand io.Reader) ([]byte, error) {
	switch m {
	case identity:
		return b, nil
	case rc4Object:
		return rc4Bytes(c.objectKey(m, r), b), nil
	}
	block, err := aes.NewCipher(c.objectKey(m, r))
	if err != nil {
		return nil, err
	}
	pad := 16 - len(b)%16
	out := make([]byte, 16+len(b)+pad)
	if _, err := io.ReadFull(rand, out[:16]); err != nil {
		return nil, fmt.Errorf("initialisation vector: %w", err)
	}
	copy(out[16:], b)
	copy(out[16+len(b):], bytes.Repeat([]byte{byte(pad)}, pad))
	cipher.NewCBCEncrypter(block, out[:16]).CryptBlocks(out[16:], out[16:])
	return out, nil
}

// decryptStrings replaces the strings of an object, keeping what the file had: an object
// written back under its number carries them as they were.
func (f *File) decryptStrings(o Object, r Ref) Object {
	switch v := o.(type) {
	case String:
		v.raw, v.owner = v.Value, r
		if plain, err := f.decrypt(f.crypt.str, r, v.Value); err == nil {
			v.Value = plain
		}
		return v
	case Array:
		for i := range v {
			v[i] = f.decryptStrings(v[i], r)
		}
	case *Dict:
		for i, k := range v.keys {
			if k == "Contents" && isSignature(v) {
				continue
			}
			v.vals[i] = f.decryptStrings(v.vals[i], r)
		}
	case *Stream:
		if v.Get("Type") != Name("XRef") {
			f.decryptStrings(v.Dict, r)
		}
	}
	return o
}
