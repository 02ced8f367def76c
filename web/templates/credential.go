package templates

import (
	"context"
	"math"
	"strings"
	"time"

	"countersign/identity"
)

// commonName takes the CN out of a distinguished name; a text without one is shown whole.
func commonName(dn string) string {
	for _, part := range strings.Split(dn, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok && strings.EqualFold(name, "CN") {
			return value
		}
	}
	return dn
}

// certificateName is the name in the certificate; until there is one, the person's.
func certificateName(c identity.Credential, person string) string {
	if c.Subject != "" {
		return commonName(c.Subject)
	}
	return person
}

// daysUntil counts begun days, so that the last day is one.
func daysUntil(p Page, t time.Time) int { return int(math.Ceil(t.Sub(p.now()).Hours() / 24)) }

func credentialSentence(ctx context.Context, v Credential) string {
	switch v.Row.Credential.State {
	case identity.CredentialPending:
		return T(ctx, "DigiCert makes the key and its certificate. That usually takes a few minutes.")
	case identity.CredentialIssuanceUnknown:
		return T(ctx, "DigiCert was asked to make it and has not answered. We keep looking, and never ask twice by ourselves.")
	case identity.CredentialSuspended:
		return T(ctx, "Nothing can be signed with it until it is resumed. What was signed before stays valid.")
	case identity.CredentialRevoked:
		return T(ctx, "It can never sign again. What was signed before, with a time from an independent clock, stays provable.")
	case identity.CredentialExpired:
		return T(ctx, "It has run out and cannot sign any more. What was signed before stays provable.")
	case identity.CredentialDeactivated:
		return T(ctx, "It was stopped before it was finished, and cannot sign.")
	case identity.CredentialActive:
		if v.Own {
			return T(ctx, "You can sign with it.")
		}
		return T(ctx, "Its owner can sign with it.")
	}
	return T(ctx, "We do not know this state and show DigiCert’s own word. It cannot sign until the state is clear.")
}

func revokeEnds(ctx context.Context, v Consequences) string {
	if v.Open == 0 {
		return T(ctx, "Signing with this credential. Nothing is being signed with it now.")
	}
	return N(ctx, "Signing with this credential. {{.Count}} document that is being signed stops.",
		"Signing with this credential. {{.Count}} documents that are being signed stop.", v.Open)
}

func revokeStays(ctx context.Context, v Consequences) string {
	if v.Released == 0 {
		return T(ctx, "Nothing was signed with it here.")
	}
	return N(ctx, "{{.Count}} document that was signed with it here, with a time from an independent clock.",
		"{{.Count}} documents that were signed with it here, with a time from an independent clock.", v.Released)
}
