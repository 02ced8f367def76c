package signing

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"time"

	"countersign/audit"
	"countersign/pades"
	"countersign/pades/tsp"
	"countersign/people"
)

// ExtensionState is where the work stands that adds proof for later years to a file.
type ExtensionState string

// The states of an extension.
const (
	ExtensionWaiting ExtensionState = "waiting" // is tried, and tried again
	ExtensionReached ExtensionState = "reached" // the file has the level; with a deadline it is renewed then
	ExtensionStopped ExtensionState = "stopped" // given up; an admin can have it tried again
	ExtensionEnded   ExtensionState = "ended"   // the document is erased or kept closed
)

var extensionEdges = map[ExtensionState][]ExtensionState{
	"":               {ExtensionWaiting},
	ExtensionWaiting: {ExtensionWaiting, ExtensionReached, ExtensionStopped, ExtensionEnded},
	ExtensionReached: {ExtensionWaiting, ExtensionEnded},
	ExtensionStopped: {ExtensionWaiting, ExtensionEnded},
	ExtensionEnded:   {},
}

// CanMoveExtension reports whether an extension may go from one state to the other.
func CanMoveExtension(from, to ExtensionState) bool { return slices.Contains(extensionEdges[from], to) }

// Extension carries the released file of one document to a level. It never touches what is
// released: a revision is added once it was proved, or nothing happens.
type Extension struct {
	ID        DocumentID // one for each document
	Owner     people.ID
	State     ExtensionState
	Level     string // aimed at: "B-LT" or "B-LTA"
	Reason    string // code: what it waits for, or why it stopped
	Attempts  int
	Ends      time.Time // when it is given up
	CreatedAt time.Time
	Since     time.Time
	Deadline  time.Time // of the next try, or of the renewal; zero when nothing is to come
	Version   int64
}

// ExtendDocument is the job that tries one extension.
type ExtendDocument struct {
	Document DocumentID `json:"document"`
}

// Kind names the job.
func (ExtendDocument) Kind() string { return "extend-document" }

// Lane keeps these jobs, which wait for services of others, from standing in the way of the rest.
func (ExtendDocument) Lane() string { return "extend" }

const (
	extendFirst = 20 * time.Second // after the release: data from the second of the timestamp may be a moment older
	extendOpen  = 2 * time.Minute  // while somebody is signing the document
	extendTry   = 5 * time.Minute  // a try that does not come back; longer than a job may take
	renewBefore = 90 * 24 * time.Hour
	renewApart  = 24 * time.Hour
)

// apart doubles from half a minute to six hours.
func apart(attempts int) time.Duration {
	return min(30*time.Second<<min(max(attempts-1, 0), 12), 6*time.Hour)
}

// extends reports whether files are carried beyond what they are released with. It takes roots:
// without them our own check cannot tell whether it was done right.
func (s *Service) extends() bool {
	return reaches(s.Level, "B-LT") && s.Fetch != nil && s.Roots != nil && !s.NoTimestamp
}

// extendLater adds the work for a file that is being released to its step.
func (s *Service) extendLater(ctx context.Context, t *step, d Document) error {
	if !s.extends() {
		return nil
	}
	e, err := s.Store.Extension(ctx, d.ID)
	switch {
	case err != nil && !notThere(err):
		return err
	case err != nil:
		e = Extension{ID: d.ID, Owner: d.Owner, CreatedAt: t.now}
	case e.State == ExtensionEnded:
		return nil
	}
	e.Level, e.Reason, e.Attempts, e.Ends = s.Level, "", 0, t.now.Add(s.ExtendLife)
	t.extension(&e, ExtensionWaiting, t.now.Add(extendFirst))
	return nil
}

func (t *step) extension(e *Extension, to ExtensionState, deadline time.Time) {
	from := e.State
	if !CanMoveExtension(from, to) {
		t.wrong = fmt.Errorf("extension may not go from %q to %q", from, to)
	}
	if from != to {
		e.Since = t.now
	}
	e.State, e.Deadline = to, deadline
	t.rows = append(t.rows, func(c *Change) {
		c.Extensions = append(c.Extensions, Moved[ExtensionState, Extension]{From: from, To: *e})
	})
	if from != "" {
		t.bump = append(t.bump, &e.Version)
	}
	t.topic(DocumentTopic(e.ID), PersonTopic(e.Owner))
}

// endExtension takes up an extension that is due, or a file that is due to be renewed: the
// work itself is a job.
func (s *Service) endExtension(ctx context.Context, e Extension) error {
	t := s.step(people.System(LookAgain{}.Kind()))
	if e.State == ExtensionReached {
		e.Reason, e.Attempts, e.Ends = "", 0, t.now.Add(s.ExtendLife)
	}
	t.extension(&e, ExtensionWaiting, t.now.Add(extendTry))
	t.Topics = nil // nothing is new yet
	t.job(ExtendDocument{Document: e.ID}, time.Time{})
	return s.applyAt(ctx, PointDue, t)
}

// Extension of a document of the actor; KindNotFound when there is none.
func (s *Service) Extension(ctx context.Context, a people.Actor, id DocumentID) (Extension, error) {
	if _, err := s.Document(ctx, a, id); err != nil {
		return Extension{}, err
	}
	e, err := s.Store.Extension(ctx, id)
	return e, ofStore(err)
}

// putOff notes a try that did not go well: the next one comes later, or none any more.
func (s *Service) putOff(ctx context.Context, e Extension, code string, wait time.Duration, why error) error {
	t := s.step(people.System(ExtendDocument{}.Kind()))
	e.Reason = code
	if t.now.After(e.Ends) {
		return s.stop(ctx, e, code, why)
	}
	s.Log.InfoContext(ctx, "extension waits", "document", e.ID, "code", code, "attempt", e.Attempts, "cause", why)
	t.extension(&e, ExtensionWaiting, t.now.Add(wait))
	return s.applyAt(ctx, PointPutOff, t)
}

// stop gives an extension up. The released file stays as it is.
func (s *Service) stop(ctx context.Context, e Extension, code string, why error) error {
	t := s.step(people.System(ExtendDocument{}.Kind()))
	s.alarm(ctx, "extension stopped", "document", e.ID, "code", code, "error", why)
	e.Reason = code
	from := e.State
	t.extension(&e, ExtensionStopped, time.Time{})
	t.entry(audit.Entry{Action: "document.extend", Object: "document", Subject: string(e.ID), Owner: e.Owner,
		From: string(from), To: string(ExtensionStopped), Reason: code, Outcome: audit.Failed})
	return s.apply(ctx, t)
}

// clock is the clock service as pades asks it.
func (s *Service) clock(ctx context.Context, digest []byte, h crypto.Hash) (*tsp.Token, error) {
	token, _, err := s.ask(ctx, digest, h)
	if err != nil {
		return nil, err
	}
	return tsp.ParseToken(token)
}

// renewal is when a document timestamp has to be followed by another one: well before its
// clock service's certificate ends. Zero when the file has none that holds.
func renewal(result pades.Result) time.Time {
	var at time.Time
	for _, r := range result.Signatures {
		if r.Type != "timestamp" || r.Indication != pades.TotalPassed || r.Certificate == nil || r.StampTime.IsZero() {
			continue
		}
		end := r.Certificate.NotAfter
		// The last of: some months before the end, half of the time that was left, a day.
		next := end.Add(-renewBefore)
		for _, other := range []time.Time{r.StampTime.Add(end.Sub(r.StampTime) / 2), r.StampTime.Add(renewApart)} {
			if other.After(next) {
				next = other
			}
		}
		if next.After(at) {
			at = next
		}
	}
	return at
}
