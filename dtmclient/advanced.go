package dtmclient

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"net/http"
	"time"
)

// What one document takes in an answer of Hashes and of Signatures.
const (
	maxAttributes = 16 << 10
	maxCMS        = 256 << 10
	maxDocuments  = 1000 // of one call
)

// NamedHash is the digest of one document, under a name of the caller's.
type NamedHash struct {
	Document string
	Digest   []byte
}

// ToPrepare asks for signed attributes.
type ToPrepare struct {
	CredentialID string
	Hash         crypto.Hash
	SignAlgo     string // OID, one of CredentialInfo.KeyAlgo
	SignParams   []byte // DER, only for RSASSA-PSS
	Format       string // FormatPAdES, FormatCAdES
	Documents    []NamedHash
}

// Prepared are signed attributes for each document asked for, in that order. Nothing in them is checked.
type Prepared struct {
	ID        string    // for Signatures, once
	ExpiresAt time.Time // zero when not told
	Documents []PreparedDocument
}

// PreparedDocument is what the key is to sign for one document.
type PreparedDocument struct {
	Document   string
	Hash       []byte // digest of the attributes
	Attributes []byte // DER SET OF (tag 0x31)
}

// NamedSignature is the raw signature over PreparedDocument.Hash.
type NamedSignature struct {
	Document string
	Value    []byte
}

// Built is a CMS as the service made it. Nothing in it is checked.
type Built struct {
	Document string
	CMS      []byte // DER ContentInfo
	Level    string
}

// Hashes has signed attributes made for documents (DTM's way to advanced signatures). It is
// never sent twice by this package, though sending it again would harm nobody.
func (c *Client) Hashes(ctx context.Context, p ToPrepare) (Prepared, error) {
	const op = "hashes"
	oid, ok := digestOIDs[p.Hash]
	if !ok || len(p.Documents) == 0 || len(p.Documents) > maxDocuments {
		return Prepared{}, &Error{Op: op, Kind: Invalid, Cause: errors.New("no documents, too many, or a digest that is not allowed")}
	}
	body := hashesWire{CredentialID: p.CredentialID, Hash: oid, SignAlgo: p.SignAlgo, Format: p.Format}
	if len(p.SignParams) > 0 {
		body.SignParams = base64.StdEncoding.EncodeToString(p.SignParams)
	}
	names := make([]string, len(p.Documents))
	for i, d := range p.Documents {
		if len(d.Digest) != p.Hash.Size() {
			return Prepared{}, &Error{Op: op, Kind: Invalid, Cause: errors.New("a digest has the wrong length")}
		}
		names[i] = d.Document
		body.Documents = append(body.Documents, documentWire{ID: d.Document, Hash: base64.StdEncoding.EncodeToString(d.Digest)})
	}
	k, err := c.api(op, http.MethodPost, pathHashes)
	if err != nil {
		return Prepared{}, err
	}
	k.body, k.most = body, int64(len(names))*2*maxAttributes
	var out Prepared
	k.decode = func(b []byte) error {
		var w hashesAnswerWire
		if err := object(b, &w); err != nil {
			return err
		}
		if w.ID == "" {
			return errors.New("the answer carries no id")
		}
		all, err := inOrder(names, w.Hashes, hashWire.document)
		if err != nil {
			return err
		}
		out = Prepared{ID: string(w.ID), ExpiresAt: w.Expires.Time}
		for i, h := range all {
			d := PreparedDocument{Document: names[i]}
			if d.Hash, err = base64Bytes(string(h.Hash)); err != nil {
				return err
			}
			if d.Attributes, err = attributeSet(string(h.Attributes)); err != nil {
				return err
			}
			out.Documents = append(out.Documents, d)
		}
		return nil
	}
	err = c.do(ctx, k)
	return out, err
}

// attributeSet reads signed attributes, which may come as they stand in a SignerInfo: under
// [0] in place of SET.
func attributeSet(text string) ([]byte, error) {
	b, err := base64Bytes(text)
	if err != nil {
		return nil, err
	}
	if len(b) > maxAttributes || b[0] != 0x31 && b[0] != 0xa0 {
		return nil, errors.New("the signed attributes cannot be read")
	}
	b[0] = 0x31
	return b, nil
}

// Signatures has a CMS made of each signature over what Hashes gave, at a level (LevelB, LevelT). What
// Hashes gave is good for one call, so this one is never sent twice by this package.
func (c *Client) Signatures(ctx context.Context, hashesID, level string, signatures []NamedSignature) ([]Built, error) {
	const op = "signatures"
	if hashesID == "" || len(signatures) == 0 || len(signatures) > maxDocuments {
		return nil, &Error{Op: op, Kind: Invalid, Cause: errors.New("no signatures, or too many")}
	}
	body := signaturesWire{HashesID: hashesID, Level: level}
	names := make([]string, len(signatures))
	for i, g := range signatures {
		names[i] = g.Document
		body.Signatures = append(body.Signatures, signatureWire{Document: g.Document, Signature: base64.StdEncoding.EncodeToString(g.Value)})
	}
	k, err := c.api(op, http.MethodPost, pathSignatures)
	if err != nil {
		return nil, err
	}
	k.body, k.most, k.timeout = body, int64(len(names))*2*maxCMS, c.c.Timeouts.Sign
	var out []Built
	k.decode = func(b []byte) error {
		var w struct {
			Signatures []cmsWire `json:"signatures"`
		}
		if err := object(b, &w); err != nil {
			return err
		}
		all, err := inOrder(names, w.Signatures, cmsWire.document)
		if err != nil {
			return err
		}
		out = nil
		for i, g := range all {
			der, err := base64Bytes(string(g.CMS))
			if err != nil {
				return err
			}
			if len(der) > maxCMS || der[0] != 0x30 {
				return errors.New("the answer is not a CMS")
			}
			out = append(out, Built{Document: names[i], CMS: der, Level: string(g.Level)})
		}
		return nil
	}
	err = c.do(ctx, k)
	return out, err
}

// inOrder finds the row of each name. Rows without any names are taken as they come.
func inOrder[W any](names []string, rows []W, name func(W) string) ([]W, error) {
	if len(rows) != len(names) {
		return nil, errors.New("the answer holds another number of documents than asked for")
	}
	found := map[string]W{}
	bare := true
	for _, r := range rows {
		n := name(r)
		bare = bare && n == ""
		found[n] = r
	}
	if bare {
		return rows, nil
	}
	out := make([]W, len(names))
	for i, n := range names {
		r, ok := found[n]
		if !ok {
			return nil, errors.New("the answer leaves out a document")
		}
		out[i] = r
	}
	return out, nil
}
