package templates

import (
	"context"

	"countersign/pades"
)

// verdictSentence is the headline: the worst of the signatures, in plain words.
func verdictSentence(ctx context.Context, v Verify) string {
	many := len(v.Result.Signatures) > 1
	switch v.Result.Indication {
	case pades.TotalPassed:
		if many {
			return T(ctx, "All signatures are valid.")
		}
		return T(ctx, "The signature is valid.")
	case pades.TotalFailed:
		if many {
			return T(ctx, "A signature is not valid.")
		}
		return T(ctx, "The signature is not valid.")
	case pades.NoSignature:
		return T(ctx, "This file carries no signature.")
	}
	if many {
		return T(ctx, "We cannot confirm every signature.")
	}
	return T(ctx, "We cannot confirm the signature.")
}

// verdictMore is one paragraph: what it means, and what to ask whom.
func verdictMore(ctx context.Context, v Verify) string {
	switch v.Result.Indication {
	case pades.NoSignature:
		return T(ctx, "That is no fault by itself: nobody has signed it, or the signature is only a picture. Ask the person who sent it for the signed file.")
	case pades.TotalFailed:
		for _, s := range v.Result.Signatures {
			if s.Indication == pades.TotalFailed && s.SubIndication != "HASH_FAILURE" && s.Explanation != "" {
				return stop(Report(ctx, s.Explanation)) + " " + T(ctx, "Do not rely on it. Ask the person who sent it.")
			}
		}
		return T(ctx, "This file was changed after it was signed. Do not rely on it. Ask the person who sent it for the original.")
	case pades.Indeterminate:
		for _, s := range v.Result.Signatures {
			if s.Indication != pades.TotalPassed && s.Explanation != "" {
				return stop(Report(ctx, s.Explanation)) + " " + T(ctx, "It may still be good: ask the signer which authority the certificate comes from.")
			}
		}
		return T(ctx, "It may still be good: ask the signer which authority the certificate comes from.")
	}
	if len(v.Result.Signatures) == 1 {
		return validMore(ctx, v.Page, v.Result.Signatures[0])
	}
	return T(ctx, "Each stands below. Nothing was changed that the signers did not allow.")
}

func validMore(ctx context.Context, p Page, s pades.SignatureResult) string {
	at, certain := signatureTime(s)
	name := orUnknown(ctx, s.SignerName)
	if at.IsZero() {
		return T(ctx, "{{.Name}} signed this document, and not a byte has changed since.", "Name", name)
	}
	when := T(ctx, "{{.Day}} at {{.Time}}", "Day", Day(ctx, p, at), "Time", Clock(p, at))
	if certain {
		return T(ctx, "{{.Name}} signed this document on {{.When}}, and not a byte has changed since.", "Name", name, "When", when)
	}
	return T(ctx, "{{.Name}} signed this document, by their own clock on {{.When}}, and not a byte has changed since.", "Name", name, "When", when)
}
