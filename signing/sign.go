package signing

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
)

const (
	credentialWait = 20 * time.Second
	inlineWait     = 45 * time.Second // for finishing within the request
	storeTries     = 6
	finishAtOnce   = 3 // signatures; more at once is more than the service likes to be asked
	perSecond      = 2 // what finishing takes at most where the clock service is slow
)

// sign is the one use of the remote key, part by part. The order is the point: what will be
// signed is committed first, then the credential is looked at once more, then the key is
// asked, once, then each value is held against the certificate, and only then stored. What a
// part left over is told as not asked for; nothing comes back to it.
func (at *authorizing) sign(ctx context.Context, sad dtmclient.SAD) error {
	hash, err := hashOf(at.c)
	if err != nil {
		return at.void(ctx, err)
	}
	parts := at.parts()
	for i, part := range parts {
		if err := at.intend(ctx, part, i == 0); err != nil {
			if i == 0 {
				return err
			}
			at.s.Log.ErrorContext(ctx, "ceremony left to the sweep", "ceremony", at.c.ID, "error", err)
			break
		}
		told := at.ask(ctx, &sad, hash, part, i > 0)
		told.over = told.over || i == len(parts)-1
		if err := at.record(ctx, part, told); err != nil {
			return err
		}
		if at.c.State != CeremonyAuthorized {
			break
		}
	}
	if at.signed() > 0 {
		return nil
	}
	return at.first
}

// parts are the documents that one signHash takes each, as places in signatures.
func (at *authorizing) parts() (parts [][]int) {
	var part []int
	for i := range at.signatures {
		if at.bad[i] != nil {
			continue
		}
		if part = append(part, i); len(part) == at.s.SignTogether {
			parts, part = append(parts, part), nil
		}
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

func (at *authorizing) digests(part []int) (hashes [][]byte) {
	for _, i := range part {
		hashes = append(hashes, at.signatures[i].Digest)
	}
	return hashes
}

func (at *authorizing) signed() (n int) {
	for _, g := range at.signatures {
		if g.Value != nil {
			n++
		}
	}
	return n
}

// answer is what became of one part.
type answer struct {
	values  [][]byte
	err     error // the key was not asked, refused, or gave nothing clear
	unknown bool  // a signature may exist all the same
	over    bool  // the rest is not asked for
}

// ask asks the key for one part. Activation data signs one part; that for the next one is had in
// exchange for it (CSC 11.7).
func (at *authorizing) ask(ctx context.Context, sad *dtmclient.SAD, hash crypto.Hash, part []int, again bool) answer {
	s := at.s
	cctx, cancel := context.WithTimeout(ctx, credentialWait)
	name, err := s.usable(cctx, at.c.Owner, at.c.Credential)
	cancel()
	switch {
	case err != nil:
		return answer{err: err, over: true}
	case name != at.c.CredentialName:
		return answer{err: fail(codeCredential, errors.New("the credential has another name at the service now")), over: true}
	case !s.Now().Before(at.dead):
		return answer{err: fail(codeSADExpired, nil), over: true}
	}
	hashes := at.digests(part)
	if again {
		ectx, cancel := context.WithTimeout(ctx, credentialWait)
		next, err := s.as(at.c.Owner).ExtendTransaction(ectx, at.c.CredentialName, sad.Value, hashes)
		cancel()
		if err != nil {
			return answer{err: fail(codeNotExtended, err), over: true}
		}
		*sad = next
	}
	sctx, cancel := context.WithTimeout(ctx, s.SignWait)
	defer cancel()
	s.Reached(PointSign, false)
	values, err := s.as(at.c.Owner).SignHash(sctx, dtmclient.HashesToSign{CredentialID: at.c.CredentialName, SAD: sad.Value, Hashes: hashes,
		Hash: hash, SignAlgo: at.c.SignAlgo, SignParams: at.c.SignParams, ClientData: string(at.c.ID)})
	if err == nil {
		s.Reached(PointSign, true)
		return answer{values: values}
	}
	code, unknown := ofSignHash(err)
	if unknown {
		s.alarm(ctx, "outcome of a signature is not known", "ceremony", at.c.ID, "code", code, "error", err)
	} else if code == codeValueCount {
		s.alarm(ctx, "an answer of the signing service was discarded", "ceremony", at.c.ID, "error", err)
	}
	// An approval that is refused is refused for what comes after, too.
	return answer{err: fail(code, err), unknown: unknown, over: code == codeSADExpired || code == codeOTPWrong || code == codeOTPLocked || code == codePINLocked}
}

// intend commits what is about to be signed: after a crash this says what may exist.
func (at *authorizing) intend(ctx context.Context, part []int, first bool) error {
	s := at.s
	t := s.step(at.a)
	end := t.now.Add(2*credentialWait + s.SignWait + 2*spare)
	if first {
		// The try was right, so it is taken off the count of wrong ones.
		t.Attempts = []Attempt{at.takenOff(t.now), {Action: "otp.right", Subject: at.c.Credential, At: t.now}}
		t.Attempts = append(append(t.Attempts, row(at.c, "back", t.now)...), row(at.c, "right", t.now)...)
		t.ceremony(&at.c, CeremonyAuthorized, end, "ceremony.authorized").Facts = map[string]string{"credential": at.c.Credential}
		for i := range at.signatures {
			if at.bad[i] != nil {
				at.s.drop(t, &at.signatures[i], at.bad[i].Code)
			}
		}
	} else {
		t.ceremony(&at.c, CeremonyAuthorized, end, "")
	}
	for _, i := range part {
		g := &at.signatures[i]
		g.IntendedAt = t.now
		t.signature(g, SignatureIntended, end, "signature.intend").Facts["digest"] = fmt.Sprintf("%x", g.Digest)
	}
	err := s.applyAt(ctx, PointIntend, t)
	if errors.Is(err, ErrConflict) {
		return fail(codeAuthorizeUnknown, err)
	}
	return ofStore(err)
}

// drop ends a signature that the key was not asked for.
func (s *Service) drop(t *step, g *Signature, code string) {
	g.Reason = code
	t.signature(g, SignatureFailed, time.Time{}, "signature.fail").Outcome = audit.Failed
}

// record checks each value of a part against the certificate and stores those that are right,
// with the work that finishes them. When the part was the last one, or is to be, the rest
// ends with it.
func (at *authorizing) record(ctx context.Context, part []int, told answer) error {
	s := at.s
	t := s.step(at.a)
	wrong := told.err
	for n, i := range part {
		g := &at.signatures[i]
		if told.err != nil {
			at.lost(ctx, t, g, told)
			continue
		}
		code, err := codeValueCount, error(nil)
		if len(told.values) == len(part) {
			code, err = codeValueWrong, at.prepared[i].CheckValue(told.values[n])
			if err == nil {
				g.Value, g.SignedAt = told.values[n], t.now
				t.signature(g, SignatureSigned, t.now.Add(finishWait), "signature.sign")
				t.job(FinishSignature{Signature: g.ID}, t.now.Add(spare+time.Duration(len(at.signatures)/perSecond)*time.Second))
				t.Used = at.c.Credential
				continue
			}
		}
		wrong = fail(code, err)
		s.drop(t, g, code)
		s.alarm(ctx, "a value from the signing service was discarded", "signature", g.ID, "code", code, "error", err)
	}
	if at.first == nil {
		at.first = wrong
	}
	if told.over || wrong != nil && !at.c.GoOn {
		at.end(ctx, t, codeOf(at.first))
	} else {
		t.ceremony(&at.c, CeremonyAuthorized, t.now.Add(2*credentialWait+s.SignWait+2*spare), "")
	}
	if err := at.insist(ctx, t); err != nil {
		if told.err == nil {
			s.alarm(ctx, "signed values could not be stored", "ceremony", at.c.ID, "error", err)
			return fail(codeOutcomeUnknown, err)
		}
		s.Log.ErrorContext(ctx, "ceremony left to the sweep", "ceremony", at.c.ID, "error", err)
		return told.err
	}
	return nil
}

// lost notes a document of a part that gave no values.
func (at *authorizing) lost(ctx context.Context, t *step, g *Signature, told answer) {
	code := codeOf(told.err)
	if !told.unknown {
		at.s.drop(t, g, code)
		return
	}
	g.Reason = code
	t.signature(g, SignatureOutcomeUnknown, time.Time{}, "signature.unknown").Outcome = audit.Failed
	at.s.tell(ctx, t, *g, "signing.outcome_unknown")
}

// end closes the ceremony: nothing more is asked for.
func (at *authorizing) end(ctx context.Context, t *step, code string) {
	for i := range at.signatures {
		if g := &at.signatures[i]; g.State == SignaturePrepared {
			at.s.drop(t, g, codeNotAsked)
		}
	}
	if at.signed() > 0 {
		t.ceremony(&at.c, CeremonyUsed, time.Time{}, "ceremony.used")
	} else {
		at.c.Reason = code
		t.ceremony(&at.c, CeremonyFailed, time.Time{}, "ceremony.fail").Outcome = audit.Failed
	}
	at.s.tellWhenOver(ctx, t, at.signatures)
}

func codeOf(err error) string {
	var f *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &f):
		return f.Code
	}
	return codeInternal
}

// insist stores what cannot be had again: it tries for a while when the database has trouble.
func (at *authorizing) insist(ctx context.Context, t *step) error {
	wait := 100 * time.Millisecond
	for try := 1; ; try++ {
		err := at.s.applyAt(ctx, PointRecord, t)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrConflict) {
			// The try before may have got through although it told of trouble.
			now, rerr := at.s.Store.Ceremony(ctx, at.c.Owner, at.c.ID)
			if try > 1 && rerr == nil && now.State == at.c.State && now.Version > at.c.Version {
				at.c = now
				return nil
			}
			return err
		}
		if try == storeTries {
			return err
		}
		time.Sleep(wait)
		wait *= 2
	}
}

// finish completes the files at once, a few side by side. What does not get done here is done by
// the job.
func (at *authorizing) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, inlineWait)
	defer cancel()
	next := make(chan SignatureID)
	var all sync.WaitGroup
	for range min(finishAtOnce, len(at.signatures)) {
		all.Go(func() {
			for id := range next {
				if err := safely(func() error { return at.s.Finish(ctx, id) }); err != nil {
					at.s.Log.WarnContext(ctx, "finishing is left to the job", "signature", id, "error", err)
				}
			}
		})
	}
	for _, g := range at.signatures {
		if g.State == SignatureSigned && ctx.Err() == nil {
			next <- g.ID
		}
	}
	close(next)
	all.Wait()
}
