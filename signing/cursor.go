package signing

import "strconv"

// Cursor is the place of the document in its owner's list, as DocumentQuery.After takes
// it: milliseconds, then the id.
func (d Document) Cursor() string {
	return strconv.FormatInt(d.CreatedAt.UnixMilli(), 10) + "_" + string(d.ID)
}
