package signing

import (
	"context"
	"errors"
	"time"
)

// inRow are the limits of wrong tries without a right one between, however many ceremonies
// and sessions they are spread over. Those of codes and PINs are lower than where the
// service locks, so that nobody locks anything there through us. A PIN is the person's, for
// all their credentials.
func (s *Service) inRow(c Ceremony, now time.Time) []Limit {
	limits := []Limit{{Action: "otp.try", Except: "otp.back", After: "otp.right", Subject: c.Credential, Since: now.Add(-rest), Max: s.Limits.TriesInRow}}
	for _, f := range rows(c) {
		limits = append(limits, Limit{Action: f.name + ".try", Except: f.name + ".back", After: f.name + ".right", Subject: f.of,
			Since: now.Add(-rest), Max: s.Limits.LocksAfter - 1})
	}
	return limits
}

type counted struct{ name, of string }

// rows are what is counted in a row of a ceremony's factors.
func rows(c Ceremony) (of []counted) {
	if c.Factor.NeedsOTP() {
		of = append(of, counted{"code", c.Credential})
	}
	if c.Factor.NeedsPIN() {
		of = append(of, counted{"pin", string(c.Owner)})
	}
	return of
}

func row(c Ceremony, what string, now time.Time) (made []Attempt) {
	for _, f := range rows(c) {
		made = append(made, Attempt{Action: f.name + "." + what, Subject: f.of, At: now})
	}
	return made
}

// rests tells whether it was one of those limits which refused a change, or would.
func (s *Service) rests(ctx context.Context, c Ceremony, now time.Time, cause error) *Error {
	if err := s.Store.Apply(ctx, Change{Limits: s.inRow(c, now)}); !errors.Is(err, ErrLimited) {
		return nil
	}
	f := fail(codeTriesRow, cause)
	f.RetryAfter = time.Hour
	return f
}

func (at *authorizing) takenOff(now time.Time) Attempt {
	return Attempt{Action: "otp.back", Subject: at.c.Credential, At: now}
}
