package signing

import "context"

// Point is a step of an upload or of a signing after which something is true that was not
// before: bytes are kept, a row is written, somebody else was asked. A process may die
// just before or just after each; what has to come of it stands in docs/reliability.md.
type Point string

// The points of an upload and a signing, in their order. Each is reached twice: before the step, and once it is done.
const (
	PointReceive  Point = "receive"   // the row that reserves a place for an upload
	PointBlock    Point = "block"     // a block of its bytes, given to the store
	PointUpload   Point = "upload"    // its bytes, whole and in their place
	PointReceived Point = "received"  // the row of the first revision
	PointChecked  Point = "checked"   // the row that says whether it can be signed
	PointPrepare  Point = "prepare"   // the bytes of a preparation
	PointBegin    Point = "begin"     // the rows of ceremony and signatures
	PointCount    Point = "count"     // the row that counts a code
	PointSend     Point = "send"      // the code is sent
	PointConsent  Point = "consent"   // the row that a person was sent to the provider's page
	PointClaim    Point = "claim"     // the row that counts a try and lets one request through
	PointApprove  Point = "authorize" // the service is asked for activation data
	PointRedeem   Point = "redeem"    // or the code from its page is exchanged for activation data
	PointIntend   Point = "intend"    // the rows that say what is about to be signed
	PointSign     Point = "sign"      // the key is asked, once
	PointRecord   Point = "record"    // the rows with the values
	PointStamp    Point = "timestamp" // the clock service is asked
	PointAppend   Point = "append"    // the bytes that are appended to the file
	PointAssemble Point = "assemble"  // their row
	PointRelease  Point = "release"   // the row that lets the file out, after our own check
	PointTidy     Point = "tidy"      // bytes that no row speaks of any more are removed
)

// The points of carrying a released file on to B-LT or B-LTA, in their order.
const (
	PointDue    Point = "due"     // the row that takes a file up whose time has come, and its job
	PointGather Point = "gather"  // issuers are asked for what they say now, or a clock service
	PointAdd    Point = "add"     // the bytes that are added to the file
	PointCarry  Point = "carry"   // the row that lets the longer file out, after our own check
	PointPutOff Point = "put-off" // instead of these: the row that says when it is tried again
)

// ExtensionPoints lists those of carrying a file on.
func ExtensionPoints() []Point {
	return []Point{PointDue, PointGather, PointAdd, PointCarry, PointPutOff}
}

// Points lists those of an upload and a signing.
func Points() []Point {
	return []Point{PointReceive, PointBlock, PointUpload, PointReceived, PointChecked, PointPrepare, PointBegin, PointCount, PointSend,
		PointConsent, PointClaim, PointApprove, PointRedeem, PointIntend, PointSign, PointRecord, PointStamp, PointAppend, PointAssemble, PointRelease, PointTidy}
}

// The points that are reached beside them where a Builder is asked. Where it answers, the clock
// service is not: PointStamp is left out.
const (
	PointHashes Point = "hashes" // signed attributes are asked for, before PointPrepare
	PointBuild  Point = "build"  // the structure around a value is asked for, after PointRecord
)

// BuilderPoints lists them.
func BuilderPoints() []Point { return []Point{PointHashes, PointBuild} }

// applyAt applies a step that is a point.
func (s *Service) applyAt(ctx context.Context, p Point, t *step) error {
	s.Reached(p, false)
	err := s.apply(ctx, t)
	if err == nil {
		s.Reached(p, true)
	}
	return err
}

// commitAt puts the bytes of a blob in their place.
func (s *Service) commitAt(p Point, w BlobWriter) (id string, err error) {
	s.Reached(p, false)
	id, err = w.Commit()
	if err == nil {
		s.Reached(p, true)
	}
	return id, err
}
