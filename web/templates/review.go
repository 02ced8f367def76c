package templates

import (
	"context"
	"fmt"

	"countersign/identity"
)

func reviewPath(v Review, show string) string {
	return query("/review", "show", show, "standard", string(v.Standard))
}

func differs(c Compared) bool { return c.Kind != "same" && c.Kind != "missing" }

func matchGlyph(c Compared) string {
	switch c.Kind {
	case "same":
		return "tick"
	case "missing":
		return "minus"
	}
	return "alert"
}

func matchWord(ctx context.Context, c Compared) string {
	switch c.Kind {
	case "same":
		return T(ctx, "Same")
	case "case":
		return T(ctx, "Capital letters only")
	case "accents":
		return T(ctx, "Accents only")
	case "order":
		return T(ctx, "Another order")
	case "missing":
		return T(ctx, "Nothing to compare")
	}
	return T(ctx, "Differs")
}

// markedParts cuts the papers' text around what differs. Bounds from outside are kept inside the text.
func markedParts(c Compared) [3]string {
	runes := []rune(c.Proofed)
	from := min(max(c.From, 0), len(runes))
	to := min(max(c.To, from), len(runes))
	return [3]string{string(runes[:from]), string(runes[from:to]), string(runes[to:])}
}

// decisionLead is the cost of approving, beside the button: how many seats are left, that
// one goes for good, and when.
func decisionLead(ctx context.Context, v ReviewCase) string {
	cost := T(ctx, "Approving uses one seat. You can undo it for a while; after that the seat does not come back.")
	switch {
	case v.Approvals > 1 && v.First == "":
		cost = T(ctx, "Two admins have to approve. Yours is the first and can be withdrawn; the second one uses a seat, which does not come back.")
	case v.Hold == 0:
		cost = T(ctx, "Approving uses one seat at once. It cannot be undone, and the seat does not come back.")
	}
	if v.Seats != "" {
		return v.Seats + " " + cost
	}
	return T(ctx, "DigiCert does not tell now how many seats are free.") + " " + cost
}

// clockFace writes seconds as minutes and seconds: "4:05".
func clockFace(seconds int) string { return fmt.Sprintf("%d:%02d", seconds/60, seconds%60) }

func canIssue(v ReviewCase) bool {
	if v.Row.Validation.State != identity.ValidationApproved || v.Row.Own {
		return false
	}
	for _, c := range v.Credentials {
		switch c.State {
		case identity.CredentialActive, identity.CredentialPending, identity.CredentialSuspended, identity.CredentialIssuanceUnknown:
			return false
		}
	}
	return true
}
