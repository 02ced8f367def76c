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
		if !v.Row.Credential.RetiredAt.IsZero() {
			return T(ctx, "A newer credential has taken its place. It finishes what has begun, and begins nothing new here.")
		}
		if v.Own {
			return T(ctx, "You can sign with it.")
		}
		return T(ctx, "Its owner can sign with it.")
	}
	return T(ctx, "We do not know this state and show DigiCert’s own word. It cannot sign until the state is clear.")
}

// showsRenewal leaves the section away where there is nothing to say or do.
func showsRenewal(v Credential) bool {
	n := v.Renewal
	return n.At > 0 || n.CanAsk || n.CanMake || n.NeedsCheck && v.Own
}

// suspendSentence is what suspending means now.
func suspendSentence(ctx context.Context, v Credential) string {
	text := T(ctx, "Nothing can be signed with it until it is resumed. It can be resumed at any time.")
	if v.AtStake.Stops > 0 {
		text += " " + N(ctx, "{{.Count}} document is being signed with it now and stops.", "{{.Count}} documents are being signed with it now and stop.", v.AtStake.Stops)
	}
	return text + onTheWay(ctx, v.AtStake.OnTheWay)
}

// onTheWay is what nobody can stop any more.
func onTheWay(ctx context.Context, n int) string {
	if n == 0 {
		return ""
	}
	return " " + N(ctx, "{{.Count}} signature is on its way already, and is finished if DigiCert has given it.",
		"{{.Count}} signatures are on their way already, and are finished if DigiCert has given them.", n)
}

func renewalSteps(ctx context.Context) []string {
	return []string{T(ctx, "Admin"), T(ctx, "DigiCert"), T(ctx, "In use")}
}

func renewalSentence(ctx context.Context, v Credential) string {
	n := v.Renewal
	switch {
	case n.At == 4:
		return T(ctx, "The new one is there and is the default. This one finishes what has begun; it ends by itself, or you revoke it.")
	case n.At == 2:
		return T(ctx, "DigiCert makes it. It becomes the default as soon as it is active; until then this one signs.")
	case n.NeedsCheck:
		return T(ctx, "The identity check behind it no longer counts, so a new credential needs a new identity check.")
	case n.At == 1 && n.CanMake:
		return T(ctx, "Its owner asks for a new one. It is made after the same identity check, without new papers and without another seat.")
	case n.At == 1:
		return T(ctx, "Asked for. An admin has it made, or declines; nothing for you to do.")
	case n.CanMake:
		return T(ctx, "It is made after the same identity check, becomes its owner’s default, and this one retires.")
	}
	return T(ctx, "Your identity check still counts: no new papers. An admin has it made; it becomes your default, and this one retires.")
}

func revokeEnds(ctx context.Context, v Consequences) string {
	if v.AtStake.Stops+v.AtStake.OnTheWay == 0 {
		return T(ctx, "Signing with this credential. Nothing is being signed with it now.")
	}
	if v.AtStake.Stops == 0 {
		return T(ctx, "Signing with this credential.") + onTheWay(ctx, v.AtStake.OnTheWay)
	}
	return N(ctx, "Signing with this credential. {{.Count}} document that is being signed stops.",
		"Signing with this credential. {{.Count}} documents that are being signed stop.", v.AtStake.Stops) + onTheWay(ctx, v.AtStake.OnTheWay)
}

func revokeStays(ctx context.Context, v Consequences) string {
	if v.AtStake.Released == 0 {
		return T(ctx, "Nothing was signed with it here.")
	}
	return N(ctx, "{{.Count}} document that was signed with it here, with a time from an independent clock.",
		"{{.Count}} documents that were signed with it here, with a time from an independent clock.", v.AtStake.Released)
}
