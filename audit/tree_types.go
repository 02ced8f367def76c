package audit

import "time"

// Node is one stored hash of the tree, by golang.org/x/mod/sumdb/tlog's storage index.
type Node struct {
	Index int64
	Hash  []byte
}

// Checkpoint is the tree at one size: the first Size entries have this root.
type Checkpoint struct {
	Size int64
	Root []byte
	At   time.Time
}
