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
	Note string // signed, as C2SP signed-note; empty for one from before they were signed
}

// Stamp is an RFC 3161 token over the SHA-256 of a signed checkpoint.
type Stamp struct {
	Size  int64     // of the checkpoint
	Token []byte    // TimeStampToken, DER
	At    time.Time // the clock service's time
}
