package dtmsim

import (
	"crypto"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// scheme is a signature algorithm with its digest; pss is set for RSASSA-PSS.
type scheme struct {
	hash crypto.Hash
	pss  *rsa.PSSOptions
}

// cscSign is signatures/signHash (CSC 11.9).
func cscSign(c *cscCall) (any, error) {
	value, err := c.need("SAD")
	if err != nil {
		return nil, err
	}
	cr, err := c.credentialParam()
	if err != nil {
		return nil, err
	}
	d, err := c.liveSAD(value, cr)
	if err != nil {
		return nil, err
	}
	trouble := faultOf(c.r.Context())
	if d.used && c.opt.StrictExtend {
		return nil, refuse("Invalid parameter SAD")
	}
	hashes, sent, err := c.hashes()
	if err != nil {
		return nil, err
	}
	if !sent {
		return nil, refuse(msgHashMissing)
	}
	if c.certStatus(cr) == "expired" {
		return nil, refuse(fmt.Sprintf("Signing certificate 'O=%s,CN=%s' is expired.", strings.Join(cr.cert.Subject.Organization, " "), cr.cert.Subject.CommonName))
	}
	sch, err := c.scheme(cr, len(hashes[0]))
	if err != nil {
		return nil, err
	}
	for _, h := range hashes {
		if len(h) != sch.hash.Size() {
			return nil, refuse("Invalid digest value length")
		}
	}
	for _, h := range hashes {
		if d.hashes != nil && !d.hashes[string(h)] {
			c.recordUse(cr, "sign", "failure", "Hash is not authorized", hashes)
			return nil, refuse("Hash is not authorized by the SAD.")
		}
	}
	if len(hashes) > d.left {
		c.recordUse(cr, "sign", "failure", "More signatures than authorized", hashes)
		return nil, refuse("Invalid parameter SAD")
	}
	// Taken before the lock is given up: two calls must not spend the same signature.
	d.used = true
	if d.left -= len(hashes); d.left == 0 {
		c.killSAD(value, d, "used up")
	}
	var signatures []string
	c.unlocked(func() {
		if signatures, err = c.signAll(cr.key, sch, hashes); err == nil {
			signatures, err = c.spoilSignatures(trouble, profileOf(cr.Profile).Key, sch, hashes, signatures)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := c.note(LedgerEntry{Kind: LedgerSigned, User: cr.User, Credential: cr.Name, SAD: fingerprint(value), Signatures: len(hashes),
		Hashes: hexes(hashes), SignAlgo: c.str("signAlgo"), ClientData: c.str("clientData"), Text: trouble.Effect}); err != nil {
		return nil, err
	}
	c.recordUse(cr, "sign", "success", "Signed", hashes)
	return map[string]any{"signatures": signatures}, nil
}

func (s *Sim) signAll(key crypto.Signer, sch scheme, hashes [][]byte) ([]string, error) {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		var opts crypto.SignerOpts = sch.hash
		if sch.pss != nil {
			opts = sch.pss
		}
		sig, err := key.Sign(s.opt.Rand, h, opts)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		out[i] = base64.StdEncoding.EncodeToString(sig)
	}
	return out, nil
}

// combined names the digest that goes with each combined algorithm identifier.
var combined = map[string]crypto.Hash{
	"1.2.840.113549.1.1.11": crypto.SHA256, "1.2.840.113549.1.1.12": crypto.SHA384, "1.2.840.113549.1.1.13": crypto.SHA512,
	"1.2.840.10045.4.3.2": crypto.SHA256, "1.2.840.10045.4.3.3": crypto.SHA384, "1.2.840.10045.4.3.4": crypto.SHA512,
}

const (
	algoRSA = "1.2.840.113549.1.1.1"
	algoPSS = "1.2.840.113549.1.1.10"
)

// scheme reads signAlgo, hashAlgo and signAlgoParams and makes one thing of them.
func (c *cscCall) scheme(cr *credential, digestLen int) (scheme, error) {
	algo, err := c.need("signAlgo")
	if err != nil {
		return scheme{}, err
	}
	if !slices.Contains(keyAlgos(cr.key.Public()), algo) {
		return scheme{}, refuse("Invalid parameter signAlgo")
	}
	var named crypto.Hash
	if _, sent := c.in["hashAlgo"]; sent {
		h, ok := hashOIDs[c.str("hashAlgo")]
		if !ok || h == crypto.SHA1 {
			return scheme{}, refuse("Invalid parameter hashAlgo")
		}
		named = h
	}
	if h, ok := combined[algo]; ok {
		if named != 0 && named != h {
			return scheme{}, refuse("Invalid parameter hashAlgo")
		}
		return scheme{hash: h}, nil
	}
	if algo == algoPSS {
		return c.pssScheme(cr, named)
	}
	if named == 0 && c.version == "v0" { // v0 has no hashAlgo: the length tells
		for _, h := range combined {
			if h.Size() == digestLen {
				named = h
			}
		}
	}
	if named == 0 {
		return scheme{}, refuse("Missing (or invalid type) string parameter hashAlgo")
	}
	return scheme{hash: named}, nil
}

func (c *cscCall) pssScheme(cr *credential, named crypto.Hash) (scheme, error) {
	text, err := c.need("signAlgoParams")
	if err != nil {
		return scheme{}, err
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return scheme{}, refuse("Invalid parameter signAlgoParams")
	}
	h, salt, ok := parsePSS(der)
	// RFC 8017, 9.1.1: digest and salt have to fit. Some clients fill all that is left.
	if !ok || salt > (cr.keyLen()+6)/8-h.Size()-2 {
		return scheme{}, refuse("Invalid parameter signAlgoParams")
	}
	if named != 0 && named != h {
		return scheme{}, refuse("Invalid parameter hashAlgo")
	}
	return scheme{hash: h, pss: &rsa.PSSOptions{SaltLength: salt, Hash: h}}, nil
}

// parsePSS reads RSASSA-PSS-params (RFC 8017, A.2.3). The mask must use the same digest,
// which is SHA-256 or stronger.
func parsePSS(der []byte) (crypto.Hash, int, bool) {
	in := cryptobyte.String(der)
	var params, field, alg, inner cryptobyte.String
	var oid asn1.ObjectIdentifier
	explicit := func(n uint8) bool {
		return params.ReadASN1(&field, cbasn1.Tag(n).ContextSpecific().Constructed())
	}
	if !in.ReadASN1(&params, cbasn1.SEQUENCE) || !in.Empty() ||
		!explicit(0) || !field.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) {
		return 0, 0, false
	}
	h, known := hashOIDs[oid.String()]
	if !known || h == crypto.SHA1 ||
		!explicit(1) || !field.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) || oid.String() != "1.2.840.113549.1.1.8" ||
		!alg.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&oid) || hashOIDs[oid.String()] != h {
		return 0, 0, false
	}
	salt, trailer := int64(20), int64(1)
	if params.PeekASN1Tag(cbasn1.Tag(2).ContextSpecific().Constructed()) && (!explicit(2) || !field.ReadASN1Integer(&salt)) {
		return 0, 0, false
	}
	if params.PeekASN1Tag(cbasn1.Tag(3).ContextSpecific().Constructed()) && (!explicit(3) || !field.ReadASN1Integer(&trailer)) {
		return 0, 0, false
	}
	// Go takes a salt of 0 for one that is as long as fits.
	if !params.Empty() || trailer != 1 || salt < 1 || salt > 1<<15 {
		return 0, 0, false
	}
	return h, int(salt), true
}

// cscTimestamp is signatures/timestamp (CSC 11.10): the token alone, certificates within.
func cscTimestamp(c *cscCall) (any, error) {
	text, ok := c.in["hash"]
	hash := c.str("hash")
	switch {
	case !ok || (hash == "" && string(text) != `""`):
		return nil, refuse("Missing (or invalid type) string parameter hash")
	case hash == "":
		return nil, refuse("Empty hash parameter")
	}
	digest, err := base64.StdEncoding.Strict().DecodeString(hash)
	if err != nil || strings.ContainsAny(hash, "\r\n") {
		return nil, refuse("Invalid Base64 hash string parameter")
	}
	h, known := hashOIDs[c.str("hashAlgo")]
	if !known {
		return nil, refuse("Invalid parameter hashAlgo")
	}
	if len(digest) != h.Size() {
		return nil, refuse("Invalid digest value length")
	}
	im := imprint{hash: h, digest: digest, certReq: true}
	if _, sent := c.in["nonce"]; sent {
		n, good := new(big.Int).SetString(c.str("nonce"), 16)
		if !good || n.Sign() < 0 || n.BitLen() > 256 {
			return nil, refuse("Invalid parameter nonce")
		}
		im.nonce = n
	}
	im, now := faultOf(c.r.Context()).bent(im, c.now())
	var token []byte
	c.unlocked(func() { token, err = c.timestamp(im, now) })
	if err != nil {
		return nil, err
	}
	c.record(auditRecord{Type: "signature", Resource: "timestamp", Action: "timestamp", Actor: serviceUserID, ActorName: serviceUserName, Auth: c.auth, Text: "Timestamp given", Hashes: hexes([][]byte{digest})})
	return map[string]any{"timestamp": base64.StdEncoding.EncodeToString(token)}, nil
}
