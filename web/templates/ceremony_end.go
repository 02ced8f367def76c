package templates

import (
	"context"

	"countersign/signing"
)

func signerOf(v Ceremony) string {
	if v.Result != nil && v.Result.SignerName != "" {
		return v.Result.SignerName
	}
	if v.Signature.SignerName != "" {
		return v.Signature.SignerName
	}
	return certificateName(v.Credential, v.Person.DisplayName())
}

func levelOf(v Ceremony) string {
	if v.Result != nil && v.Result.Level != "" {
		return v.Result.Level
	}
	return v.Signature.Level
}

// failedTone: an unknown outcome is a question, an ending by choice or by time is quiet.
func failedTone(v Ceremony) string { return failedBadge(context.Background(), v).Tone }

func failedGlyph(v Ceremony) string { return failedBadge(context.Background(), v).Glyph }

func failedBadge(ctx context.Context, v Ceremony) Badge {
	switch v.Signature.State {
	case signing.SignatureOutcomeUnknown, signing.SignatureFailed, signing.SignatureExpired, signing.SignatureCancelled:
		return SignatureBadge(ctx, v.Signature, false)
	}
	return CeremonyBadge(ctx, v.Ceremony)
}

// titled gives a page another title.
func titled(p Page, title string) Page {
	p.Title, p.said = title, true
	return p
}

// pageTitle leads the document's title.
func pageTitle(ctx context.Context, p Page) string {
	if p.said {
		return p.Title
	}
	return T(ctx, p.Title)
}
