package signing

import (
	"context"

	"countersign/people"
)

// CountWith tells what hangs on a credential before it is revoked: signatures on the way,
// which will stop, and released ones, which stay provable. Whoever may see the credential
// may know; the pages find it through the person first.
func (s *Service) CountWith(ctx context.Context, a people.Actor, credential string) (open, released int, err error) {
	if err := s.may(ctx, a, people.ReadOwnCredentials, "credential", credential); err != nil {
		return 0, 0, err
	}
	open, released, err = s.Store.CountWith(ctx, credential)
	return open, released, ofStore(err)
}
