package dtmsim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// What a fault can make the service do: its Effect.
const (
	EffectBitFlipped  = "bit_flipped"  // signHash: one bit of a signature is wrong (Which)
	EffectOtherKey    = "other_key"    // signHash: a signature is made by another key (Which)
	EffectOtherOrder  = "other_order"  // signHash: the signatures come in reverse
	EffectOneTooFew   = "one_too_few"  // signHash: the last signature is missing
	EffectOneTooMany  = "one_too_many" // signHash: the last signature comes twice
	EffectSADExpired  = "sad_expired"  // signHash, extendTransaction: the SAD has just run out
	EffectLost        = "lost"         // sendOTP: the code does not arrive; mail: it does not
	EffectLate        = "late"         // sendOTP, mail: it arrives later (Shift)
	EffectRevoked     = "revoked"      // any call with a credential: it is revoked just before, or with After just after
	EffectSuspended   = "suspended"    // the same, suspended
	EffectDate        = "date"         // any call: the Date header is moved (Shift)
	EffectClock       = "clock"        // timestamps, OCSP, lists: the times in them are moved (Shift)
	EffectSpoiled     = "spoiled"      // timestamps, OCSP, lists: one bit of their signature is wrong
	EffectRejected    = "rejected"     // /tsa: PKIStatus rejection, timeNotAvailable
	EffectOtherNonce  = "other_nonce"  // timestamps: they answer another request
	EffectOtherHash   = "other_hash"   // timestamps: they are over another hash
	EffectStale       = "stale"        // OCSP, lists: their nextUpdate is over
	EffectTryLater    = "try_later"    // OCSP: tryLater
	EffectUnknown     = "unknown"      // OCSP: the certificate is unknown
	EffectSaysRevoked = "says_revoked" // OCSP: the certificate is revoked, though it is not
)

// effect tells what a person reads, and at the end of which paths it works.
type effect struct {
	words string
	paths []string
	shift bool // needs Shift
}

var (
	onSign   = []string{"signatures/signHash"}
	onStamp  = []string{"signatures/timestamp", "tsa", "*"}
	onLookup = []string{"ocsp", "crl/*", "crl/issuing.crl", "crl/root.crl", "*"}
	onPKI    = slices.Concat(onStamp, onLookup)
	onOCSP   = []string{"ocsp", "*"}

	onHashes     = []string{"api/v1/hashes"}
	onSignatures = []string{"api/v1/signatures"}
)

var effects = map[string]effect{
	EffectBitFlipped:  {"one bit of a signature is wrong", onSign, false},
	EffectOtherKey:    {"a signature is made by another key", onSign, false},
	EffectOtherOrder:  {"the signatures come in reverse", onSign, false},
	EffectOneTooFew:   {"one signature is missing", onSign, false},
	EffectOneTooMany:  {"one signature too many", onSign, false},
	EffectSADExpired:  {"the approval has just run out", []string{"signatures/signHash", "credentials/extendTransaction"}, false},
	EffectLost:        {"lost on its way", []string{"credentials/sendOTP", PathMail}, false},
	EffectLate:        {"late", []string{"credentials/sendOTP", PathMail}, true},
	EffectRevoked:     {"the credential is revoked", nil, false},
	EffectSuspended:   {"the credential is suspended", nil, false},
	EffectDate:        {"the Date header is moved", nil, true},
	EffectClock:       {"its clock is moved", onPKI, true},
	EffectSpoiled:     {"one bit of its signature is wrong", onPKI, false},
	EffectRejected:    {"the clock service refuses", []string{"tsa"}, false},
	EffectOtherNonce:  {"a timestamp for another request", onStamp, false},
	EffectOtherHash:   {"a timestamp over another hash", onStamp, false},
	EffectStale:       {"an answer that is too old", onLookup, false},
	EffectTryLater:    {"try again later", onOCSP, false},
	EffectUnknown:     {"the certificate is unknown", onOCSP, false},
	EffectSaysRevoked: {"the certificate is said to be revoked", onOCSP, false},

	string(SpoilDigest):      {"the digest of something else", onHashes, false},
	string(SpoilCertificate): {"the attributes name another certificate", onHashes, false},
	string(SpoilAttribute):   {"an attribute that was not asked for", onHashes, false},
	string(SpoilHash):        {"another hash to sign", onHashes, false},
	string(SpoilSignature):   {"a signature over something else", onSignatures, false},
	string(SpoilToken):       {"a timestamp over something else", onSignatures, false},
	string(SpoilOversize):    {"larger than there is room for", onSignatures, false},
}

func (f *Fault) checkEffect() error {
	if f.Effect == "" {
		return nil
	}
	e, known := effects[f.Effect]
	path := strings.Trim(f.Path, "/")
	switch {
	case !known:
		return fmt.Errorf("no effect %q", f.Effect)
	case f.another() || f.Drop:
		return fmt.Errorf("effect %q changes what the service does; it does not go with another answer or none", f.Effect)
	case e.shift && f.Shift == 0:
		return fmt.Errorf("effect %q needs shift", f.Effect)
	case f.Effect == EffectLate && f.Shift < 0:
		return fmt.Errorf("effect %q: nothing arrives before it is sent", f.Effect)
	case f.Path == PathMail && !slices.Contains(e.paths, PathMail):
		return fmt.Errorf("effect %q is none of mail", f.Effect)
	case e.paths != nil && !slices.ContainsFunc(e.paths, func(p string) bool {
		return p == path || strings.HasSuffix(p, "/"+path) || strings.HasSuffix(path, "/"+p)
	}):
		return fmt.Errorf("effect %q does not work on %q, but on: %s", f.Effect, f.Path, strings.Join(e.paths, ", "))
	}
	return nil
}

// onCredential tells whether the effect is on the credential that the call names.
func (f *Fault) onCredential() bool { return f.Effect == EffectRevoked || f.Effect == EffectSuspended }

// changeBehind revokes or suspends the credential of a call behind the client's back.
func (s *Sim) changeBehind(f *Fault, body []byte) {
	var in struct {
		CSC string `json:"credentialID"`
	}
	_ = json.Unmarshal(body, &in) // what is no JSON names no credential
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.credential(cmpOr(in.CSC, f.For))
	switch {
	case c == nil || c.Status != credActive:
		return
	case f.Effect == EffectRevoked:
		s.leaveActive(c, credRevoked, "KEY_COMPROMISE")
	default:
		s.leaveActive(c, credSuspended, reasonHold)
	}
	s.saveOrLog()
}

// spoilSignatures does to signatures what the fault says. alg is the kind of key they are made by.
func (s *Sim) spoilSignatures(f *Fault, alg string, sch scheme, hashes [][]byte, values []string) ([]string, error) {
	which := min(max(f.Which, 1), len(values)) - 1
	switch f.Effect {
	case EffectBitFlipped:
		value, err := base64.StdEncoding.DecodeString(values[which])
		if err != nil {
			return nil, err
		}
		values[which] = base64.StdEncoding.EncodeToString(flipped(value))
	case EffectOtherKey:
		key, err := s.newKey(alg)
		if err != nil {
			return nil, err
		}
		other, err := s.signAll(key, sch, hashes[which:which+1])
		if err != nil {
			return nil, err
		}
		values[which] = other[0]
	case EffectOtherOrder:
		slices.Reverse(values)
	case EffectOneTooFew:
		values = values[:len(values)-1]
	case EffectOneTooMany:
		values = append(values, values[len(values)-1])
	}
	return values, nil
}

func flipped(b []byte) []byte {
	out := slices.Clone(b)
	if len(out) > 0 {
		out[len(out)-1] ^= 1
	}
	return out
}

// bent is an imprint and a time as a faulty clock service takes them.
func (f *Fault) bent(im imprint, at time.Time) (imprint, time.Time) {
	switch f.Effect {
	case EffectClock:
		at = at.Add(time.Duration(f.Shift))
	case EffectSpoiled:
		im.spoiled = true
	case EffectOtherNonce:
		other := big.NewInt(1)
		if im.nonce != nil {
			other.Add(other, im.nonce)
		}
		im.nonce = other
	case EffectOtherHash:
		im.digest = flipped(im.digest)
	}
	return im, at
}

// lookedUp is the time that a faulty responder or list is from.
func (f *Fault) lookedUp(now time.Time) time.Time {
	switch f.Effect {
	case EffectClock:
		return now.Add(time.Duration(f.Shift))
	case EffectStale:
		return now.Add(-2 * revocationFresh)
	}
	return now
}
