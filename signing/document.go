package signing

import (
	"time"

	"countersign/people"
)

// DocumentID names an uploaded file.
type DocumentID string

// Document is an uploaded file and the revisions that signatures appended to it.
type Document struct {
	ID        DocumentID
	Owner     people.ID
	Name      string // as uploaded, cleaned; never a path
	Size      int64  // bytes of the newest revision
	Pages     int
	SHA256    []byte // of the original, fixed: the fingerprint
	State     DocumentState
	Reason    string // code, when refused or quarantined
	Revisions int    // number of released revisions; 1 is the original alone
	Signed    bool   // at least one signature was released here
	Level     string // the lowest that a signature made here has in the newest released revision; empty before
	Earlier   int    // signatures the file already carried when it came
	Key       []byte // the document's key, wrapped by the master key
	CreatedAt time.Time
	Since     time.Time
	Deadline  time.Time
	Version   int64
}

// Revision is the original (number 1) or what one signature appended.
type Revision struct {
	Document  DocumentID
	Number    int
	Offset    int64  // where its bytes begin in the whole file
	Size      int64  // its own bytes
	SHA256    []byte // of the whole file up to and including this revision
	Blob      string // id of the stored, encrypted bytes
	State     []byte // SHA-256 state after this revision (encoding.BinaryMarshaler), sealed under the document's key
	Signature SignatureID
	CreatedAt time.Time
}
