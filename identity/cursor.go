package identity

import (
	"strconv"
	"time"
)

// Cursor is the place of the check in the review queue, as QueueQuery.After takes it.
func (v Validation) Cursor() string { return cursor(v.Since, string(v.ID)) }

// Cursor is the place of the credential in the list, as CredentialQuery.After takes it.
func (c Credential) Cursor() string { return cursor(c.CreatedAt, string(c.ID)) }

// endCursor is the place of the credential in a list by its end.
func (c Credential) endCursor() string { return cursor(c.NotAfter, string(c.ID)) }

// askedCursor is the place of the credential in the list of renewals that were asked for.
func (c Credential) askedCursor() string { return cursor(c.RenewalAsked, string(c.ID)) }

// cursor is what the store reads: milliseconds, then the id.
func cursor(at time.Time, id string) string {
	return strconv.FormatInt(at.UnixMilli(), 10) + "_" + id
}
