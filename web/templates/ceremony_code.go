package templates

import (
	"context"

	"countersign/signing"
)

func signLabel(ctx context.Context, v Ceremony) string {
	if len(v.Many) > 1 {
		return T(ctx, "Sign {{.Count}} documents", "Count", len(v.Many))
	}
	return T(ctx, "Sign 1 document")
}

func agreeWords(ctx context.Context, v Ceremony) string {
	if len(v.Many) > 1 {
		return T(ctx, "By signing you agree to what each of the documents says, as yourself.")
	}
	return T(ctx, "By signing you agree to what the document says, as yourself.")
}

func codeLabel(ctx context.Context, f signing.Factor) string {
	if f.OTPLabel != "" {
		return f.OTPLabel
	}
	return T(ctx, "Code")
}

func pinLabel(ctx context.Context, f signing.Factor) string {
	if f.PINLabel != "" {
		return f.PINLabel
	}
	return T(ctx, "PIN of your credential")
}

// codeHint is the shape of the code and how long it holds, from the server's clock.
func codeHint(ctx context.Context, v Ceremony) string {
	shape := T(ctx, "As it stands in the message; spaces do not matter.")
	if v.Ceremony.Factor.OTPDigits {
		shape = T(ctx, "Digits only; spaces do not matter.")
	}
	ends := v.Ceremony.CodeEnds
	if ends.IsZero() || v.CodeError == "expired" {
		return shape
	}
	left := ends.Sub(v.now())
	if left <= 0 {
		return shape
	}
	return T(ctx, "{{.Shape}} Valid until {{.Time}}, {{.Left}} left.", "Shape", shape, "Time", Clock(v.Page, ends), "Left", Span(ctx, left))
}

func codeSentence(ctx context.Context, v Ceremony) string {
	switch v.CodeError {
	case "wrong":
		return T(ctx, "That is not the code we sent.") + " " + triesLeft(ctx, v)
	case "empty":
		return T(ctx, "Enter the code first. Nothing was signed.")
	case "format":
		return T(ctx, "This does not look like the code: it has digits only. It was not sent anywhere.")
	}
	return ""
}

func pinSentence(ctx context.Context, v Ceremony) string {
	switch v.PINError {
	case "wrong":
		return T(ctx, "That is not the PIN.") + " " + triesLeft(ctx, v)
	case "empty":
		return T(ctx, "Enter the PIN first. Nothing was signed.")
	case "format":
		return T(ctx, "This does not look like the PIN: it has digits only.")
	}
	return ""
}

func triesLeft(ctx context.Context, v Ceremony) string {
	if v.TriesLeft <= 0 {
		return T(ctx, "Nothing was signed.")
	}
	return N(ctx, "{{.Count}} try left.", "{{.Count}} tries left.", v.TriesLeft)
}
