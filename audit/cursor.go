package audit

import (
	"errors"
	"strconv"
)

// ErrNotFound is answered for an entry that is not there, or not there for this actor.
var ErrNotFound = errors.New("not found")

// Cursor is the place of the entry in a listing, as Filter.After takes it:
// milliseconds, then the id.
func (e Entry) Cursor() string {
	return strconv.FormatInt(e.At.UnixMilli(), 10) + "_" + e.ID
}
