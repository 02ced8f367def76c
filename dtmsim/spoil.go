package dtmsim

import "strings"

// Spoil is a way in which an answer of POST /hashes or /signatures is not what it says it is: an
// Effect of a fault.
type Spoil string

// The ways.
const (
	SpoilDigest      Spoil = "hashes_digest"        // the message digest is of something else
	SpoilCertificate Spoil = "hashes_certificate"   // the attributes name another certificate
	SpoilAttribute   Spoil = "hashes_attribute"     // an attribute that was not asked for
	SpoilHash        Spoil = "hashes_hash"          // what is to be signed is not the digest of the attributes
	SpoilSignature   Spoil = "signatures_signature" // the value is one over something else
	SpoilToken       Spoil = "signatures_token"     // the timestamp is one over something else
	SpoilOversize    Spoil = "signatures_oversize"  // more certificates than there is room for
)

// SpoilNext spoils the next answer it fits. Several are taken in their order.
func (s *Sim) SpoilNext(how ...Spoil) {
	for _, one := range how {
		call, _, _ := strings.Cut(string(one), "_")
		if err := s.Fault(Fault{Path: "v1/" + call, Effect: string(one)}); err != nil {
			s.log.Error("dtmsim: spoil", "err", err)
		}
	}
}
