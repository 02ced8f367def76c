package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/pades"
	"countersign/pades/trust"
	"countersign/people"
)

// Extend tries to carry a document's released file to the level that is aimed at. It may be
// called any number of times and by several at once. The new file is proved by our own
// verifier, as it is stored, before it takes the place of what is downloaded; whatever goes
// wrong leaves that as it is, and is noted with the time of the next try.
//
// Extending and preparing exclude each other: both move the document's version, and an
// extension looks for an open preparation after it has read that version.
func (s *Service) Extend(ctx context.Context, id DocumentID) error {
	const steps = 4 // data, a timestamp over it, and room for a look or two
	x := &extending{s: s}
	for range steps {
		var err error
		if x.e, err = s.Store.Extension(ctx, id); err != nil {
			return ofStore(err)
		}
		if x.e.State != ExtensionWaiting {
			return nil
		}
		more, err := x.extend(ctx)
		if errors.Is(err, ErrConflict) {
			return nil // somebody moved it: the deadline of the row brings it back
		}
		if err != nil {
			return fmt.Errorf("extend document %s: %w", id, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// extending is one try of an extension, step by step.
type extending struct {
	s         *Service
	e         Extension
	d         Document
	revisions []Revision
	before    pades.Result
	ours      []string // fields of the signatures released here, oldest first
	fresh     bool     // all of ours have data from after their timestamps
}

// extend takes one step. More tells that the next one may follow at once.
func (x *extending) extend(ctx context.Context) (more bool, err error) {
	s := x.s
	if x.d, err = s.Store.Document(ctx, x.e.Owner, x.e.ID); err != nil {
		return false, err
	}
	if readable(x.d) != nil || !s.extends() {
		return false, x.end(ctx)
	}
	made, err := s.Store.SignaturesOf(ctx, x.e.ID)
	if err != nil {
		return false, err
	}
	x.ours = nil
	for _, g := range made {
		switch {
		case g.State.Open():
			return false, s.putOff(ctx, x.e, codeExtendOpen, extendOpen, errors.New("a preparation is open"))
		case g.State == SignatureReleased:
			x.ours = append(x.ours, g.Field)
		}
	}
	if x.revisions, err = s.released(ctx, x.d); err != nil {
		return false, err
	}
	if len(x.ours) == 0 {
		return false, x.end(ctx)
	}
	if x.before, err = s.verifyRevisions(ctx, x.d, x.revisions); err == nil {
		err = asRecorded(x.before, x.d, x.revisions)
	}
	if errors.Is(err, ErrCorrupt) {
		s.quarantine(ctx, people.System(ExtendDocument{}.Kind()), x.d, codeBytes, err)
		return false, x.end(ctx)
	}
	if err != nil {
		return false, x.later(ctx, codeInternal, err)
	}
	return x.step(ctx)
}

// end takes the row out of the work, since there is no document to work on.
func (x *extending) end(ctx context.Context) error {
	t := x.s.step(people.System(ExtendDocument{}.Kind()))
	t.extension(&x.e, ExtensionEnded, time.Time{})
	return x.s.apply(ctx, t)
}

func (x *extending) later(ctx context.Context, code string, why error) error {
	x.e.Attempts++
	return x.s.putOff(context.WithoutCancel(ctx), x.e, code, apart(x.e.Attempts), why)
}

// step does what comes next: validation data, a timestamp over it, or nothing any more.
func (x *extending) step(ctx context.Context) (more bool, err error) {
	next := x.next()
	if next == "" {
		if level := lowestOf(x.before, x.ours); !reaches(level, x.e.Level) {
			return false, x.later(ctx, codeExtendOwnCheck, fmt.Errorf("with all the data the level is %q", level))
		}
		t := x.s.step(people.System(ExtendDocument{}.Kind()))
		x.reach(t, x.before)
		return false, x.s.apply(ctx, t)
	}
	last := x.revisions[len(x.revisions)-1]
	state, err := x.s.hashState(x.d, last)
	if err != nil {
		return false, x.later(ctx, codeInternal, err)
	}
	// What others signed is carried on too where that can be, and holds nothing up.
	field := x.ours[len(x.ours)-1]
	got, err := x.gather(ctx, pades.ExtendOptions{Level: next, Fetch: x.s.Fetch, Stamp: x.s.clock, Roots: x.s.Roots, Now: x.s.Now(),
		Fresh: true, Field: field, State: state, Rand: x.s.Rand})
	if err != nil {
		return false, x.failed(ctx, err)
	}
	var lacking error
	for _, f := range x.ours {
		lacking = errors.Join(lacking, got.Lacking[f])
	}
	x.fresh = lacking == nil
	switch {
	case len(got.Delta) > 0:
		return x.put(ctx, got, next, field)
	case lacking != nil:
		return false, x.failed(ctx, lacking)
	}
	return true, nil
}

// next is the level of the next step; empty when nothing is left to do.
func (x *extending) next() string {
	switch {
	case !x.fresh:
		return "B-LT"
	case x.e.Level == "B-LTA" && !x.done(x.before):
		return "B-LTA"
	}
	return ""
}

// done reports whether the file is where it should be, and its timestamp not due.
func (x *extending) done(result pades.Result) bool {
	return x.fresh && reaches(lowestOf(result, x.ours), x.e.Level) && (x.e.Level != "B-LTA" || renewal(result).After(x.s.now()))
}

func (x *extending) gather(ctx context.Context, o pades.ExtendOptions) (*pades.Extension, error) {
	f, err := x.s.openFile(ctx, x.d, x.revisions)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x.s.Reached(PointGather, false)
	got, err := pades.Extend(ctx, f, f.Size(), o)
	if err == nil {
		x.s.Reached(PointGather, true)
	}
	return got, err
}

// failed sorts why nothing could be added: what passes is waited for, what does not ends it.
func (x *extending) failed(ctx context.Context, err error) error {
	var refused *pades.Refusal
	var revoked *trust.WithdrawnError
	var unproven *trust.Unproven
	var w waiting
	switch {
	case errors.As(err, &revoked):
		return x.s.stop(ctx, x.e, codeExtendRevoked, err)
	case errors.As(err, &refused), errors.Is(err, pades.ErrNoTimestamp):
		return x.s.stop(ctx, x.e, codeExtendRefused, err)
	case errors.As(err, &w):
		return x.later(ctx, w.code, err)
	case errors.Is(err, trust.ErrNotFresh):
		return x.later(ctx, codeExtendNotFresh, err)
	case errors.As(err, &unproven), ctx.Err() != nil:
		return x.later(ctx, codeExtendNoAnswer, err)
	}
	return x.later(ctx, codeInternal, err)
}

// put stores the addition, proves the file as it is stored, and only then lets it out.
func (x *extending) put(ctx context.Context, got *pades.Extension, level, field string) (more bool, err error) {
	s := x.s
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(got.State); err != nil {
		return false, x.later(ctx, codeInternal, fmt.Errorf("read hash state: %w", err))
	}
	last := x.revisions[len(x.revisions)-1]
	r := Revision{Document: x.d.ID, Number: x.d.Revisions + 1, Offset: last.Offset + last.Size, Size: int64(len(got.Delta)), SHA256: h.Sum(nil), CreatedAt: s.now()}
	if r.State, err = s.Blobs.Seal(x.d.ID, x.d.Key, got.State); err != nil {
		return false, x.later(ctx, codeInternal, err)
	}
	if r.Blob, err = s.write(ctx, PointAdd, x.d, got.Delta); err != nil {
		return false, x.later(ctx, waitsFor(err), err)
	}
	after, err := x.prove(ctx, append(slices.Clone(x.revisions), r), level, field)
	if err != nil {
		s.removeBlob(context.WithoutCancel(ctx), r.Blob)
		if ctx.Err() == nil {
			s.alarm(ctx, "extended file discarded", "document", x.d.ID, "level", level, "error", err)
		}
		return false, x.later(ctx, codeExtendOwnCheck, err)
	}
	t := s.step(people.System(ExtendDocument{}.Kind()))
	t.Revisions = []Revision{r}
	x.d.Revisions, x.d.Size, x.d.Level = r.Number, r.Offset+r.Size, lowestOf(after, x.ours)
	t.document(&x.d, DocumentReady, time.Time{}, "document.extend").Facts = map[string]string{"level": x.d.Level, "sha256": fmt.Sprintf("%x", r.SHA256)}
	if more = !x.done(after); more {
		t.extension(&x.e, ExtensionWaiting, t.now.Add(extendTry))
	} else {
		x.reach(t, after)
	}
	if err := s.applyAt(ctx, PointCarry, t); err != nil {
		s.dropUnless(ctx, x.d.ID, r)
		return false, err
	}
	return more, nil
}

// reach says that the file is where it should be, and when it has to be renewed.
func (x *extending) reach(t *step, result pades.Result) {
	x.e.Reason, x.e.Attempts = "", 0
	var again time.Time
	if x.e.Level == "B-LTA" {
		again = renewal(result)
	}
	t.extension(&x.e, ExtensionReached, again)
}

// prove judges the file with the addition, as anybody else would.
func (x *extending) prove(ctx context.Context, revisions []Revision, level, field string) (pades.Result, error) {
	after, err := x.s.verifyRevisions(ctx, x.d, revisions)
	if err != nil {
		return after, err
	}
	if err := asRecorded(after, x.d, revisions); err != nil {
		return after, err
	}
	if err := noneWorse(x.before, after); err != nil {
		return after, err
	}
	for _, r := range after.Signatures {
		switch {
		case r.Type == "timestamp" && r.Indication != pades.TotalPassed:
			return after, fmt.Errorf("the timestamp %q is %s: %s", r.Field, r.Indication, r.Explanation)
		case r.Type == "signature" && r.Field == field && !reaches(r.Level, level):
			return after, fmt.Errorf("the signature has the level %q, not %s", r.Level, level)
		}
	}
	if !bytes.Equal(after.Original, x.before.Original) {
		return after, errors.New("what was signed first is not what it was")
	}
	return after, nil
}

// lowestOf is the lowest level that signatures in these fields have.
func lowestOf(result pades.Result, fields []string) string {
	lowest := levels[len(levels)-1]
	for _, r := range result.Signatures {
		if r.Type == "signature" && slices.Contains(fields, r.Field) && reaches(lowest, r.Level) {
			lowest = r.Level
		}
	}
	return lowest
}
