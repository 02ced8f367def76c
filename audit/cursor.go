package audit

import "strconv"

// Cursor is the place of the entry in a listing, as Filter.After takes it:
// milliseconds, then the id.
func (e Entry) Cursor() string {
	return strconv.FormatInt(e.At.UnixMilli(), 10) + "_" + e.ID
}
