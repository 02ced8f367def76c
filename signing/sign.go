package signing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
)

const (
	credentialWait = 20 * time.Second
	inlineWait     = 45 * time.Second // for finishing within the request
	storeTries     = 6
)

// sign is the one use of the remote key. The order is the point: what will be signed is
// committed first, then the credential is looked at once more, then the key is asked,
// once, then each value is held against the certificate, and only then stored.
func (at *authorizing) sign(ctx context.Context, sad dtmclient.SAD) error {
	s := at.s
	hash, err := hashOf(at.c)
	if err != nil {
		return at.void(ctx, err)
	}
	if err := at.intend(ctx); err != nil {
		return err
	}
	cctx, cancel := context.WithTimeout(ctx, credentialWait)
	name, err := s.usable(cctx, at.c.Owner, at.c.Credential)
	cancel()
	switch {
	case err != nil:
		return at.void(ctx, err)
	case name != at.c.CredentialName:
		return at.void(ctx, fail(codeCredential, errors.New("the credential has another name at the service now")))
	case !s.Now().Before(at.dead):
		return at.void(ctx, fail(codeSADExpired, nil))
	}
	var hashes [][]byte
	for _, g := range at.signatures {
		hashes = append(hashes, g.Digest)
	}
	sctx, cancel := context.WithTimeout(ctx, s.SignWait)
	s.Reached(PointSign, false)
	values, err := s.Remote.SignHash(sctx, dtmclient.HashesToSign{CredentialID: at.c.CredentialName, SAD: sad.Value, Hashes: hashes,
		Hash: hash, SignAlgo: at.c.SignAlgo, SignParams: at.c.SignParams, ClientData: string(at.c.ID)})
	cancel()
	if err != nil {
		code, unknown := ofSignHash(err)
		switch {
		case unknown:
			return at.unknown(ctx, code, err)
		case code == codeValueCount:
			s.alarm(ctx, "an answer of the signing service was discarded", "ceremony", at.c.ID, "error", err)
		}
		return at.void(ctx, fail(code, err))
	}
	s.Reached(PointSign, true)
	return at.record(ctx, values)
}

// intend commits what is about to be signed: after a crash this says what may exist.
func (at *authorizing) intend(ctx context.Context) error {
	s := at.s
	t := s.step(at.a)
	end := t.now.Add(credentialWait + s.SignWait + 2*spare)
	// The try was right, so it is taken off the count of wrong ones.
	t.Attempts = []Attempt{at.takenOff(t.now), {Action: "otp.right", Subject: at.c.Credential, At: t.now}}
	t.ceremony(&at.c, CeremonyAuthorized, end, "ceremony.authorized").Facts = map[string]string{"credential": at.c.Credential}
	for i := range at.signatures {
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

// unknown records that the key was asked and nobody knows with what result. Nothing asks again.
func (at *authorizing) unknown(ctx context.Context, code string, why error) error {
	t := at.s.step(at.a)
	at.s.unknown(ctx, t, &at.c, at.signatures, code)
	at.s.alarm(ctx, "outcome of a signature is not known", "ceremony", at.c.ID, "code", code, "error", why)
	if err := at.s.apply(ctx, t); err != nil && !errors.Is(err, ErrConflict) {
		at.s.Log.ErrorContext(ctx, "ceremony left to the sweep", "ceremony", at.c.ID, "error", err)
	}
	return fail(code, why)
}

func (s *Service) unknown(ctx context.Context, t *step, c *Ceremony, signatures []Signature, code string) {
	c.Reason = code
	t.ceremony(c, CeremonyFailed, time.Time{}, "ceremony.fail").Outcome = audit.Failed
	for i := range signatures {
		g := &signatures[i]
		switch g.State {
		case SignatureIntended:
			g.Reason = code
			t.signature(g, SignatureOutcomeUnknown, time.Time{}, "signature.unknown").Outcome = audit.Failed
			s.tell(ctx, t, *g, "signing.outcome_unknown")
		case SignaturePrepared:
			g.Reason = codeAuthorizeUnknown
			t.signature(g, SignatureFailed, time.Time{}, "signature.fail").Outcome = audit.Failed
		}
	}
}

// record checks each value against the certificate and stores those that are right, with
// the work that finishes them.
func (at *authorizing) record(ctx context.Context, values [][]byte) error {
	s := at.s
	t := s.step(at.a)
	t.Used = at.c.Credential
	good, cause := 0, error(nil)
	for i := range at.signatures {
		g := &at.signatures[i]
		code := codeValueCount
		if len(values) == len(at.signatures) {
			code = codeValueWrong
			err := at.prepared[i].CheckValue(values[i])
			if err == nil {
				good++
				g.Value, g.SignedAt = values[i], t.now
				t.signature(g, SignatureSigned, t.now.Add(finishWait), "signature.sign")
				t.job(FinishSignature{Signature: g.ID}, t.now.Add(spare))
				continue
			}
			cause = err
		}
		g.Reason = code
		t.signature(g, SignatureFailed, time.Time{}, "signature.fail").Outcome = audit.Failed
		s.alarm(ctx, "a value from the signing service was discarded", "signature", g.ID, "code", code, "error", cause)
	}
	if good == 0 {
		at.c.Reason = at.signatures[0].Reason
		t.ceremony(&at.c, CeremonyFailed, time.Time{}, "ceremony.fail").Outcome = audit.Failed
	} else {
		t.ceremony(&at.c, CeremonyUsed, time.Time{}, "ceremony.used")
	}
	if err := at.insist(ctx, t); err != nil {
		s.alarm(ctx, "signed values could not be stored", "ceremony", at.c.ID, "error", err)
		return fail(codeOutcomeUnknown, err)
	}
	if good == 0 {
		return fail(at.c.Reason, cause)
	}
	return nil
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
			if try > 1 && rerr == nil && now.State == at.c.State {
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

// finish completes the files at once. What does not get done here is done by the job.
func (at *authorizing) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, inlineWait)
	defer cancel()
	for _, g := range at.signatures {
		if g.State != SignatureSigned || ctx.Err() != nil {
			continue
		}
		if err := at.s.Finish(ctx, g.ID); err != nil {
			at.s.Log.WarnContext(ctx, "finishing is left to the job", "signature", g.ID, "error", err)
		}
	}
}
