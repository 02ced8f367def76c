package grants

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"countersign/dtmclient"
	"countersign/people"
)

// atHand is how many access tokens are kept in memory; who comes after gets a new one.
const atHand = 1000

// As authenticates with the person's own access and nobody else's. Every request looks at
// the person's row first: one who has disconnected, or was switched off, is ErrNotConnected
// from the next request on, at every replica.
func (s *Service) As(p people.ID) dtmclient.Authenticator { return &speaker{s: s, person: p} }

// Ready gets the access that calls in a person's name need, before anything else is begun:
// ErrNotConnected when the person has to connect.
func (s *Service) Ready(ctx context.Context, p people.ID) error {
	access, err := s.accessOf(ctx, p)
	if err != nil {
		return err
	}
	return access.Ready(ctx)
}

type speaker struct {
	s      *Service
	person people.ID
	last   atomic.Pointer[dtmclient.Access]
}

func (a *speaker) Authenticate(ctx context.Context, r *http.Request) error {
	access, err := a.s.accessOf(ctx, a.person)
	if err != nil {
		return err
	}
	a.last.Store(access)
	return access.Authenticate(ctx, r)
}

func (a *speaker) Refused(r *http.Request) bool {
	access := a.last.Load()
	return access != nil && access.Refused(r)
}

// accessOf is what is kept in memory for the grant that the person has now.
func (s *Service) accessOf(ctx context.Context, p people.ID) (*dtmclient.Access, error) {
	if p == "" {
		return nil, ErrNotConnected // the site's own is nobody's
	}
	g, err := s.Store.Of(ctx, p)
	if errors.Is(err, ErrNotFound) || err == nil && g.State != Open {
		return nil, ErrNotConnected
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.access[g.ID]
	if h == nil {
		s.makeRoom()
		h = &held{Access: dtmclient.Held(func(ctx context.Context, _ *dtmclient.Client) (dtmclient.Tokens, error) {
			return s.renew(ctx, p, g.ID)
		})}
		h.Now = s.Now
		s.access[g.ID] = h
	}
	h.used = s.Now()
	return h.Access, nil
}

// makeRoom forgets what was not used for longest.
func (s *Service) makeRoom() {
	for len(s.access) >= atHand {
		oldest, at := "", time.Time{}
		for id, h := range s.access {
			if oldest == "" || h.used.Before(at) {
				oldest, at = id, h.used
			}
		}
		delete(s.access, oldest)
	}
}

func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.access, id)
}
