package dtmclient

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"time"
)

// NoCeiling is Multisign of a credential that only says "more than one" (CSC 0.1.7.9 has
// a boolean there).
const NoCeiling = 1_000_000

// digestOIDs names the digests CSC takes for signing (10 of the reference: SHA-256 or stronger).
var digestOIDs = map[crypto.Hash]string{
	crypto.SHA256: "2.16.840.1.101.3.4.2.1",
	crypto.SHA384: "2.16.840.1.101.3.4.2.2",
	crypto.SHA512: "2.16.840.1.101.3.4.2.3",
}

// cscCall makes a CSC call: always a POST with a JSON object (CSC 7.1).
func (c *Client) cscCall(method string, body any, read bool) call {
	return call{op: method, method: http.MethodPost, url: c.csc + "/" + method, body: body, auth: c.cscAuth,
		read: read, timeout: c.c.Timeouts.Call}
}

// Info asks what the service is (CSC 11.1). It needs no authorization.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var w struct {
		Specs       looseString   `json:"specs"`
		Name        looseString   `json:"name"`
		Region      looseString   `json:"region"`
		Lang        looseString   `json:"lang"`
		Description looseString   `json:"description"`
		OAuth2      looseString   `json:"oauth2"`
		AuthType    []looseString `json:"authType"`
		Methods     []looseString `json:"methods"`
	}
	k := c.cscCall("info", struct{}{}, true)
	k.auth = noHeader{}
	k.decode = func(b []byte) error {
		if err := object(b, &w); err != nil {
			return err
		}
		if w.Specs == "" {
			return errors.New("the answer is not a CSC info")
		}
		return nil
	}
	err := c.do(ctx, k)
	return Info{Specs: string(w.Specs), Name: string(w.Name), Region: string(w.Region), Lang: string(w.Lang),
		Description: string(w.Description), OAuth2: string(w.OAuth2), AuthType: texts(w.AuthType), Methods: texts(w.Methods)}, err
}

// CredentialsList lists the credential ids of a user (CSC 11.4); empty: Config.UserID.
func (c *Client) CredentialsList(ctx context.Context, userID string) ([]string, error) {
	type request struct {
		UserID    string `json:"userID,omitempty"`
		PageToken string `json:"pageToken,omitempty"`
	}
	var all []string
	token := ""
	for n := 0; n < maxPages; n++ {
		var w struct {
			IDs  *[]looseString `json:"credentialIDs"`
			Next looseString    `json:"nextPageToken"`
		}
		k := c.cscCall("credentials/list", request{UserID: firstOf(userID, c.c.UserID), PageToken: token}, true)
		k.decode = func(b []byte) error {
			w.IDs, w.Next = nil, ""
			if err := object(b, &w); err != nil {
				return err
			}
			if w.IDs == nil {
				return errors.New("the answer lists no credentials")
			}
			return nil
		}
		if err := c.do(ctx, k); err != nil {
			return nil, err
		}
		all = append(all, texts(*w.IDs)...)
		if w.Next == "" || string(w.Next) == token {
			return all, nil
		}
		token = string(w.Next)
	}
	return nil, &Error{Op: "credentials/list", Kind: Unknown, Cause: errors.New("the listing does not end")}
}

// CredentialInfo reads key, certificates and factors of a credential (CSC 11.5).
func (c *Client) CredentialInfo(ctx context.Context, credentialID string) (CredentialInfo, error) {
	type request struct {
		CredentialID string `json:"credentialID"`
		Certificates string `json:"certificates"`
		CertInfo     bool   `json:"certInfo"`
		AuthInfo     bool   `json:"authInfo"`
	}
	var out CredentialInfo
	k := c.cscCall("credentials/info", request{credentialID, "chain", true, true}, true)
	k.decode = func(b []byte) (err error) {
		out, err = credentialInfo(credentialID, b)
		return err
	}
	err := c.do(ctx, k)
	return out, err
}

// SendOTP has a code sent to the person (CSC 11.8). The answer's body does not matter:
// the standard says 204, some servers say 200.
func (c *Client) SendOTP(ctx context.Context, credentialID, clientData string) error {
	return c.do(ctx, c.cscCall("credentials/sendOTP", struct {
		CredentialID string `json:"credentialID"`
		ClientData   string `json:"clientData,omitempty"`
	}{credentialID, clientData}, false))
}

// authorizeWire carries the factors as plain strings: Secret would redact itself on the wire.
type authorizeWire struct {
	CredentialID string   `json:"credentialID"`
	Count        int      `json:"numSignatures"`
	Hash         []string `json:"hash"`
	PIN          string   `json:"PIN,omitempty"`
	OTP          string   `json:"OTP,omitempty"`
	Description  string   `json:"description,omitempty"`
	ClientData   string   `json:"clientData,omitempty"`
}

// Authorize gets a SAD for exactly these hashes (CSC 11.6). For a push it blocks until the
// person has approved; a gateway timeout means that nobody did (NotApproved).
func (c *Client) Authorize(ctx context.Context, a Authorization) (SAD, error) {
	if len(a.Hashes) == 0 {
		return SAD{}, &Error{Op: "credentials/authorize", Kind: Invalid, Cause: errors.New("nothing to authorize")}
	}
	k := c.cscCall("credentials/authorize", authorizeWire{CredentialID: a.CredentialID, Count: max(a.Signatures, len(a.Hashes)), Hash: base64All(a.Hashes),
		PIN: string(a.PIN), OTP: string(a.OTP), Description: firstRunes(a.Description, 500), ClientData: a.ClientData}, false)
	k.timeout, k.on504 = c.c.Timeouts.Authorize, NotApproved
	k.secrets = []Secret{a.PIN, a.OTP}
	return c.sad(ctx, k)
}

// ExtendTransaction gets the SAD for the next hashes of an authorization that covers more
// signatures (CSC 11.7). The old SAD is dead afterwards.
func (c *Client) ExtendTransaction(ctx context.Context, credentialID string, sad Secret, hashes [][]byte) (SAD, error) {
	k := c.cscCall("credentials/extendTransaction", struct {
		CredentialID string   `json:"credentialID"`
		SAD          string   `json:"SAD"`
		Hash         []string `json:"hash,omitempty"`
	}{credentialID, string(sad), base64All(hashes)}, false)
	k.secrets = []Secret{sad}
	return c.sad(ctx, k)
}

func (c *Client) sad(ctx context.Context, k call) (SAD, error) {
	var w struct {
		SAD     string   `json:"SAD"`
		Expires looseInt `json:"expiresIn"`
	}
	k.decode = func(b []byte) error {
		if err := object(b, &w); err != nil {
			return err
		}
		if w.SAD == "" {
			return errors.New("the answer holds no SAD")
		}
		return nil
	}
	if err := c.do(ctx, k); err != nil {
		return SAD{}, err
	}
	return SAD{Value: Secret(w.SAD), ExpiresIn: sadLife(w.Expires)}, nil
}

// sadLife is an hour where the service says nothing (CSC 11.6).
func sadLife(seconds looseInt) time.Duration {
	if seconds <= 0 {
		return time.Hour
	}
	return time.Duration(min(int64(seconds), 100*24*3600)) * time.Second
}

// SignHash signs digests (CSC 11.9) and answers as many raw signatures, in their order.
func (c *Client) SignHash(ctx context.Context, h HashesToSign) ([][]byte, error) {
	const op = "signatures/signHash"
	oid, ok := digestOIDs[h.Hash]
	if !ok || len(h.Hashes) == 0 {
		return nil, &Error{Op: op, Kind: Invalid, Cause: errors.New("nothing to sign, or a digest that is not allowed")}
	}
	for _, d := range h.Hashes {
		if len(d) != h.Hash.Size() {
			return nil, &Error{Op: op, Kind: Invalid, Cause: errors.New("a digest has the wrong length")}
		}
	}
	params := ""
	if len(h.SignParams) > 0 {
		params = base64.StdEncoding.EncodeToString(h.SignParams)
	}
	k := c.cscCall(op, struct {
		CredentialID string   `json:"credentialID"`
		SAD          string   `json:"SAD"`
		Hash         []string `json:"hash"`
		HashAlgo     string   `json:"hashAlgo"` // may be left out when signAlgo implies it, but servers in use want it
		SignAlgo     string   `json:"signAlgo"`
		SignParams   string   `json:"signAlgoParams,omitempty"`
		ClientData   string   `json:"clientData,omitempty"`
	}{h.CredentialID, string(h.SAD), base64All(h.Hashes), oid, h.SignAlgo, params, h.ClientData}, false)
	k.timeout, k.secrets = c.c.Timeouts.Sign, []Secret{h.SAD}
	k.most = int64(len(h.Hashes)) * maxSignature
	var values [][]byte
	k.decode = func(b []byte) (err error) {
		values, err = signatureValues(b, len(h.Hashes))
		return err
	}
	if err := c.do(ctx, k); err != nil {
		return nil, err
	}
	return values, nil
}

func signatureValues(b []byte, want int) ([][]byte, error) {
	var w struct {
		Signatures []string `json:"signatures"`
	}
	if err := object(b, &w); err != nil {
		return nil, err
	}
	if len(w.Signatures) != want {
		return nil, errors.New("the answer holds another number of signatures than asked for")
	}
	values := make([][]byte, want)
	for i, s := range w.Signatures {
		v, err := base64Bytes(s)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// Timestamp asks for an RFC 3161 token over the digest (CSC 11.10): DER of the
// TimeStampToken. It changes nothing, so it is tried again like a read.
func (c *Client) Timestamp(ctx context.Context, digest []byte, hash crypto.Hash, nonce []byte) ([]byte, error) {
	const op = "signatures/timestamp"
	oid, ok := digestOIDs[hash]
	if !ok || len(digest) != hash.Size() {
		return nil, &Error{Op: op, Kind: Invalid, Cause: errors.New("a digest that cannot be stamped")}
	}
	k := c.cscCall(op, struct {
		Hash     string `json:"hash"`
		HashAlgo string `json:"hashAlgo"`
		Nonce    string `json:"nonce,omitempty"`
	}{base64.StdEncoding.EncodeToString(digest), oid, hex.EncodeToString(nonce)}, true)
	var token []byte
	k.decode = func(b []byte) (err error) {
		var w struct {
			Timestamp string `json:"timestamp"`
		}
		if err = object(b, &w); err != nil {
			return err
		}
		if token, err = base64Bytes(w.Timestamp); err == nil && token[0] != 0x30 {
			err = errors.New("the answer is not a timestamp token")
		}
		return err
	}
	if err := c.do(ctx, k); err != nil {
		return nil, err
	}
	return token, nil
}

func base64All(values [][]byte) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = base64.StdEncoding.EncodeToString(v)
	}
	return out
}

// maxSignature is the room one signature gets in an answer: RSA of 8192 bits in base64, and more.
const maxSignature = 2 << 10

// maxChain bounds the certificates of one credential.
const maxChain = 16

func certificates(encoded []string) ([]*x509.Certificate, error) {
	if len(encoded) > maxChain {
		return nil, errors.New("the answer holds too many certificates")
	}
	var chain []*x509.Certificate
	for i, s := range encoded {
		der, err := base64Bytes(s)
		if err != nil {
			return nil, err
		}
		cert, err := x509.ParseCertificate(der)
		switch {
		case err == nil:
			chain = append(chain, cert)
		case i == 0:
			return nil, errors.New("the signer's certificate cannot be read")
		}
		// A certificate above the signer's that cannot be read is left out: the chain is
		// built and checked elsewhere, and may find it in another way.
	}
	return chain, nil
}
