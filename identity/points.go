package identity

// Point is a step on the way to a credential after which something is true that was not
// before: a row is written, or DTM was asked. A process may die just before or just after
// each; what has to come of it stands in docs/reliability.md.
type Point string

// The points, in their order. Each is reached twice: before the step, and once it is done.
const (
	PointStart    Point = "check-start"        // the row that an identity check is wanted
	PointUser     Point = "check-user"         // DTM is asked for the person's user
	PointBind     Point = "check-bind"         // the row that binds person and user
	PointSend     Point = "check-send"         // the row that DTM is being asked for the check
	PointCreate   Point = "check-create"       // DTM is asked for the check
	PointOpen     Point = "check-open"         // the row with DTM's name of it
	PointHold     Point = "approval-hold"      // the row that an admin approved
	PointDecide   Point = "approval-decide"    // the row that the approval is being sent
	PointApprove  Point = "approval-send"      // DTM is told, once: this takes the seat
	PointApproved Point = "approval-done"      // the row that DTM took it
	PointReserve  Point = "credential-reserve" // the row with the name that is being asked for
	PointIssue    Point = "credential-create"  // DTM is asked for the credential, once
	PointIssued   Point = "credential-issued"  // the row with DTM's answer
	PointAsk      Point = "command-ask"        // the row that something is to be ended, held or resumed
	PointCommand  Point = "command-send"       // DTM is told, once
	PointDone     Point = "command-done"       // the row that DTM did it
)

// Points lists them in their order.
func Points() []Point {
	return []Point{PointStart, PointUser, PointBind, PointSend, PointCreate, PointOpen, PointHold, PointDecide, PointApprove, PointApproved,
		PointReserve, PointIssue, PointIssued, PointAsk, PointCommand, PointDone}
}

// at takes a step that is a point.
func (s *Service) at(p Point, step func() error) error {
	s.o.Reached(p, false)
	err := step()
	if err == nil {
		s.o.Reached(p, true)
	}
	return err
}

// answered asks DTM at a point.
func answered[T any](s *Service, p Point, ask func() (T, error)) (got T, err error) {
	err = s.at(p, func() error {
		got, err = ask()
		return err
	})
	return got, err
}
