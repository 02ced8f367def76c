package templates

import (
	"context"
	"encoding/hex"
	"time"

	"countersign/audit"
)

// Proof is the page on which the log proves itself.
type Proof struct {
	Page
	State    audit.State
	Last     *audit.Checked // that has ended
	Runs     *audit.Checked
	By       map[string]string // names of those who asked for checks
	Grown    *audit.Grown      // nil: there is nothing to prove yet
	Export   string            // path
	Refusals []audit.Refusals  // of the last seven days, counted and no entries
}

// Violated is what the last check of the log found, nil when all held.
func Violated(last *audit.Checked) *audit.Checked {
	if last == nil || last.Code == "" {
		return nil
	}
	return last
}

// violation says what a check found, in a sentence.
func violation(ctx context.Context, c audit.Checked) string {
	n, entry := Number(ctx, c.Number), Number(ctx, c.Number+1)
	switch c.Code {
	case audit.EntryChanged:
		return T(ctx, "Entry {{.Number}} does not say what was logged.", "Number", entry)
	case audit.EntryMissing:
		return T(ctx, "Entry {{.Number}} is missing.", "Number", entry)
	case audit.EntryBeyond:
		return T(ctx, "Entry {{.Number}} stands behind the end of the log.", "Number", entry)
	case audit.TreeChanged:
		return T(ctx, "A stored hash of the tree differs, near entry {{.Number}}.", "Number", entry)
	case audit.RootDiffers:
		return T(ctx, "The entries do not give the checkpoint of {{.Number}} entries.", "Number", n)
	case audit.CheckpointBeyond:
		return T(ctx, "The log is shorter than its checkpoint of {{.Number}} entries.", "Number", n)
	case audit.SignatureBad:
		return T(ctx, "The signature of the checkpoint of {{.Number}} entries does not hold.", "Number", n)
	case audit.StampBad:
		return T(ctx, "The timestamp of the checkpoint of {{.Number}} entries does not hold.", "Number", n)
	case audit.GuardMissing:
		return T(ctx, "A guard of the database is gone: {{.Name}}.", "Name", c.Detail)
	}
	return string(c.Code)
}

func checkedBadge(ctx context.Context, c audit.Checked) Badge {
	switch {
	case c.Runs():
		return Badge{"r-move", "move", T(ctx, "Running")}
	case c.Code != "":
		return Badge{"r-bad", "bad", T(ctx, "Does not hold")}
	}
	return Badge{"r-ok", "ok", T(ctx, "Holds")}
}

func askedBy(ctx context.Context, v Proof, c audit.Checked) string {
	if c.AskedBy == "" {
		return T(ctx, "Daily")
	}
	if name := v.By[string(c.AskedBy)]; name != "" {
		return name
	}
	return string(c.AskedBy)
}

// lastStamp is the newest stamp among those shown; zero when there is none.
func lastStamp(s audit.State) (newest audit.Stamp) {
	for _, stamp := range s.Stamps {
		if stamp.Size > newest.Size {
			newest = stamp
		}
	}
	return newest
}

func shortHash(b []byte) string {
	return HexGroups(b[:min(len(b), 8)]) + " …"
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func stampOf(s audit.State, size int64) time.Time { return s.Stamps[size].At }
