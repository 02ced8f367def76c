package dtmsim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// preparedHashes are signed attributes that wait for their signatures, as POST /hashes gave
// them out. They live in memory, as authorizations do.
type preparedHashes struct {
	id         string
	caller     string
	credential *credential
	cert       *x509.Certificate
	format     string
	scheme     scheme
	algorithm  []byte // AlgorithmIdentifier
	documents  []preparedDocument
	expires    time.Time
}

type preparedDocument struct {
	id         string
	attributes [][]byte
	digest     []byte // of the attributes as SET OF: what is signed
}

func (p *preparedHashes) document(id string) *preparedDocument {
	for i := range p.documents {
		if p.documents[i].id == id {
			return &p.documents[i]
		}
	}
	return nil
}

// makeHashes is POST /hashes: signed attributes for each document, and what is to be signed.
func makeHashes(c *call) (int, any, error) {
	var in hashesWire
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	cr, err := c.signingCredential(in.Credential)
	if err != nil {
		return 0, nil, err
	}
	p := &preparedHashes{caller: c.actor.id, credential: cr, cert: cr.cert, format: in.Format}
	if p.scheme, p.algorithm, err = schemeOf(cr, in); err != nil {
		return 0, nil, err
	}
	at := time.Time{}
	switch in.Format {
	case formatPAdES: // EN 319 142-1, 6.3: the time is in the file, as /M
	case formatCAdES:
		at = c.now()
	default:
		return 0, nil, invalidField("signature_format", "signature_format must be PADES or CADES")
	}
	if len(in.Documents) == 0 || len(in.Documents) > maxHashes {
		return 0, nil, invalidField("documents", fmt.Sprintf("documents must name 1 to %d", maxHashes))
	}
	bad := Spoil(faultOf(c.r.Context()).Effect)
	for _, d := range in.Documents {
		if err := p.add(c.Sim, d, at, bad); err != nil {
			return 0, nil, err
		}
	}
	p.id, p.expires = c.newID(), c.now().Add(hashesLife)
	out := hashesAnswerWire{ID: p.id, ExpiresAt: p.expires}
	var digests [][]byte
	for _, d := range p.documents {
		told := d.digest
		if bad == SpoilHash {
			told = slices.Clone(told)
			told[0] ^= 1
		}
		out.Hashes = append(out.Hashes, hashWire{Document: d.id, Hash: told, Attributes: set(cbasn1.SET, d.attributes)})
		digests = append(digests, d.digest)
	}
	if err := c.note(LedgerEntry{Kind: LedgerHashes, User: cr.User, Credential: cr.Name, Signatures: len(digests), Hashes: hexes(digests), Text: p.id}); err != nil {
		return 0, nil, err
	}
	c.forgetHashes()
	c.hashes[p.id] = p
	c.recordAES(cr, "prepare", "success", "Hashes given", digests)
	return http.StatusOK, out, nil
}

// signingCredential is one that may sign, and may be used by the caller.
func (c *call) signingCredential(name string) (*credential, error) {
	if name == "" {
		return nil, invalidField("credential_id", "credential_id is required")
	}
	cr := c.credential(name)
	if cr == nil || !c.owns(cr.User) {
		return nil, invalidField("credential_id", "credential_id names no credential")
	}
	if cr.Status != credActive || c.now().After(cr.cert.NotAfter) {
		return nil, invalidField("credential_id", "The credential cannot sign")
	}
	return cr, nil
}

// schemeOf reads the algorithms of a request, which have to fit each other and the key.
func schemeOf(cr *credential, in hashesWire) (scheme, []byte, error) {
	h, ok := hashOIDs[in.HashAlgorithm]
	if !ok || h == crypto.SHA1 {
		return scheme{}, nil, invalidField("hash_algorithm", "hash_algorithm must be SHA-256, SHA-384 or SHA-512")
	}
	if !slices.Contains(keyAlgos(cr.key.Public()), in.SignAlgorithm) {
		return scheme{}, nil, invalidField("sign_algorithm", "sign_algorithm is not one of the credential's")
	}
	if named, ok := combined[in.SignAlgorithm]; ok && named != h {
		return scheme{}, nil, invalidField("hash_algorithm", "hash_algorithm is not that of sign_algorithm")
	}
	if in.SignAlgorithm != algoPSS && len(in.SignParams) > 0 {
		return scheme{}, nil, invalidField("sign_algorithm_params", "sign_algorithm_params goes with RSASSA-PSS only")
	}
	out := scheme{hash: h}
	oid, err := dotted(in.SignAlgorithm)
	if err != nil {
		return out, nil, err
	}
	if in.SignAlgorithm == algoPSS {
		named, salt, ok := parsePSS(in.SignParams)
		if !ok || named != h || salt > (cr.keyLen()+6)/8-h.Size()-2 {
			return out, nil, invalidField("sign_algorithm_params", "sign_algorithm_params does not fit")
		}
		out.pss = &rsa.PSSOptions{SaltLength: salt, Hash: h}
	}
	_, null := cr.key.Public().(*rsa.PublicKey)
	var b cryptobyte.Builder
	if out.pss == nil {
		addAlgorithm(&b, oid, null)
	} else {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddBytes(in.SignParams)
		})
	}
	der, err := b.Bytes()
	return out, der, err
}

func dotted(text string) (asn1.ObjectIdentifier, error) {
	oid, err := x509.ParseOID(text)
	if err != nil {
		return nil, err
	}
	var out asn1.ObjectIdentifier
	der, err := oid.MarshalBinary()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(der) })
	in := cryptobyte.String(b.BytesOrPanic())
	if !in.ReadASN1ObjectIdentifier(&out) {
		return nil, fmt.Errorf("object identifier %s cannot be written", text)
	}
	return out, nil
}

// add prepares one document.
func (p *preparedHashes) add(s *Sim, in documentWire, at time.Time, bad Spoil) error {
	switch {
	case in.ID == "" || len(in.ID) > 64:
		return invalidField("documents.id", "documents.id must have 1 to 64 characters")
	case p.document(in.ID) != nil:
		return invalidField("documents.id", "documents.id occurs twice")
	case len(in.Hash) != p.scheme.hash.Size():
		return invalidField("documents.hash", "documents.hash has the wrong length")
	}
	d := signedData{content: oidData, hash: p.scheme.hash, signer: p.cert}
	digest := in.Hash
	switch bad {
	case SpoilDigest:
		digest = slices.Clone(digest)
		digest[0] ^= 1
	case SpoilCertificate:
		d.signer = s.pki.issuing.cert
	}
	attrs, err := signedAttributes(d, digest, at)
	if err != nil {
		return err
	}
	if bad == SpoilAttribute {
		extra, err := attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 16}, func(b *cryptobyte.Builder) { // commitment-type-indication
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6, 1}) // proof of origin
			})
		})
		if err != nil {
			return err
		}
		attrs = append(attrs, extra)
	}
	m := p.scheme.hash.New()
	m.Write(set(cbasn1.SET, attrs)) // RFC 5652, 5.4
	p.documents = append(p.documents, preparedDocument{id: in.ID, attributes: attrs, digest: m.Sum(nil)})
	return nil
}

// forgetHashes drops what nobody came back for.
func (s *Sim) forgetHashes() {
	for id, p := range s.hashes {
		if !s.now().Before(p.expires) || len(s.hashes) > keepTokens {
			delete(s.hashes, id)
		}
	}
}

func (c *call) recordAES(cr *credential, action, status, text string, hashes [][]byte) {
	p := profileOf(cr.Profile)
	c.record(auditRecord{Type: "signature", Resource: cr.Name, Action: action, Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Status: status,
		Text: text, Credential: p.Subject, Level: p.Standard, Hashes: hexes(hashes)})
}

// makeSignatures is POST /signatures: a CMS for each signature over what POST /hashes gave.
func makeSignatures(c *call) (int, any, error) {
	var in signaturesWire
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if !slices.Contains(cmsLevels, in.Level) {
		return 0, nil, invalidField("level", "level must be B-B, B-T or B-LT")
	}
	p := c.hashes[in.Hashes]
	if p == nil || p.caller != c.actor.id || !c.now().Before(p.expires) {
		return 0, nil, invalidField("hashes_id", "hashes_id names no hashes that can be used")
	}
	if p.credential.Status != credActive {
		return 0, nil, invalidField("hashes_id", "The credential is "+p.credential.Status)
	}
	if len(in.Signatures) == 0 {
		return 0, nil, invalidField("signatures", "signatures is empty")
	}
	var digests [][]byte
	var named []string
	for _, g := range in.Signatures {
		d := p.document(g.Document)
		switch {
		case d == nil:
			return 0, nil, invalidField("signatures.document_id", "signatures.document_id names no document of the hashes")
		case slices.Contains(named, g.Document):
			return 0, nil, invalidField("signatures.document_id", "signatures.document_id occurs twice")
		case !holds(p.cert.PublicKey, p.scheme, d.digest, g.Signature):
			c.recordAES(p.credential, "build", "failure", "A signature does not fit", [][]byte{d.digest})
			return 0, nil, invalidField("signatures.signature", "The signature of "+g.Document+" does not fit the certificate")
		}
		named, digests = append(named, g.Document), append(digests, d.digest)
	}
	delete(c.hashes, p.id)
	b := &builder{s: c.Sim, p: p, level: in.Level, now: c.now(), bad: Spoil(faultOf(c.r.Context()).Effect)}
	if in.Level == levelLT {
		b.revoked, b.list = c.revocationOf(p.cert.SerialNumber), c.revocationList(true, c.now())
	}
	var out signaturesAnswerWire
	var err error
	c.unlocked(func() { out, err = b.build(in) })
	if err != nil {
		return 0, nil, err
	}
	if err := c.note(LedgerEntry{Kind: LedgerBuilt, User: p.credential.User, Credential: p.credential.Name, Signatures: len(digests), Hashes: hexes(digests), Text: p.id + " " + in.Level}); err != nil {
		return 0, nil, err
	}
	c.recordAES(p.credential, "build", "success", "Signatures built at level "+in.Level, digests)
	return http.StatusOK, out, nil
}

func holds(key crypto.PublicKey, s scheme, digest, value []byte) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, value)
	case *rsa.PublicKey:
		if s.pss != nil {
			return rsa.VerifyPSS(k, s.hash, digest, value, s.pss) == nil
		}
		return rsa.VerifyPKCS1v15(k, s.hash, digest, value) == nil
	}
	return false
}
