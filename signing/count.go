package signing

import (
	"context"
	"errors"

	"countersign/people"
)

// AtStake is what hangs on a credential when it is to sign no more, each counted to 1000.
type AtStake struct {
	Stops    int // signatures of ceremonies that nobody has authorized yet
	OnTheWay int // signatures that the remote key may be at work on, or that are being finished
	Released int // signatures that stay provable
	// Ceremonies are those that stop, newest first, some tens at most.
	Ceremonies []Ceremony
}

// AtStake tells what hangs on a credential before it is suspended or revoked, or its owner
// switched off. Whoever may see the credential may know; the pages find it through the person first.
func (s *Service) AtStake(ctx context.Context, a people.Actor, credential string) (AtStake, error) {
	if err := s.may(ctx, a, people.ReadOwnCredentials, "credential", credential); err != nil {
		return AtStake{}, err
	}
	all, err := s.Store.AtStake(ctx, credential)
	return all, ofStore(err)
}

// reasonAccountOff is why an admin's act ended a ceremony that was somebody else's.
const reasonAccountOff = "account_off"

// StopWith cancels what nobody has authorized yet with a credential of somebody who was switched
// off: its owner cannot come back to it. What has gone further is finished or told by itself.
// It answers how many ceremonies it ended; one that moved meanwhile is left alone.
func (s *Service) StopWith(ctx context.Context, a people.Actor, credential string) (stopped int, err error) {
	if err := s.may(ctx, a, people.ManagePeople, "credential", credential); err != nil {
		return 0, err
	}
	for {
		all, err := s.Store.AtStake(ctx, credential)
		if err != nil || len(all.Ceremonies) == 0 {
			return stopped, ofStore(err)
		}
		before := stopped
		for _, c := range all.Ceremonies {
			signatures, err := s.Store.Signatures(ctx, c.ID)
			if err != nil {
				return stopped, ofStore(err)
			}
			t := s.step(a)
			s.cancel(t, &c, signatures).Reason = reasonAccountOff
			switch err := s.apply(ctx, t); {
			case errors.Is(err, ErrConflict):
				continue
			case err != nil:
				return stopped, ofStore(err)
			}
			s.dropPrepared(ctx, signatures)
			stopped++
		}
		if stopped == before {
			return stopped, nil // all of them are somebody else's work now
		}
	}
}
