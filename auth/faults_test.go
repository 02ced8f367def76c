package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/auth"
	"countersign/idpsim"
	"countersign/people"
)

// failingStore fails at the n-th call, without effect or with it.
type failingStore struct {
	auth.Store
	n     int
	after bool

	mu   sync.Mutex
	made int
}

var errTrouble = errors.New("trouble that the test made")

func (f *failingStore) call(do func() error) error {
	f.mu.Lock()
	f.made++
	now := f.made == f.n
	f.mu.Unlock()
	if now && !f.after {
		return errTrouble
	}
	err := do()
	if now {
		return errors.Join(errTrouble, err)
	}
	return err
}

func (f *failingStore) SignIn(ctx context.Context, in auth.SignIn) (p people.Person, err error) {
	err = f.call(func() (err error) { p, err = f.Store.SignIn(ctx, in); return err })
	return p, err
}

func (f *failingStore) Session(ctx context.Context, hash []byte) (s auth.Session, p people.Person, err error) {
	err = f.call(func() (err error) { s, p, err = f.Store.Session(ctx, hash); return err })
	return s, p, err
}

func (f *failingStore) Touch(ctx context.Context, hash []byte, seen, ends time.Time) error {
	return f.call(func() error { return f.Store.Touch(ctx, hash, seen, ends) })
}

func (f *failingStore) End(ctx context.Context, hash []byte, e audit.Entry) error {
	return f.call(func() error { return f.Store.End(ctx, hash, e) })
}

func (f *failingStore) UseAttempt(ctx context.Context, attempt string, expires time.Time) error {
	return f.call(func() error { return f.Store.UseAttempt(ctx, attempt, expires) })
}

func (f *failingStore) Record(ctx context.Context, e audit.Entry) error {
	return f.call(func() error { return f.Store.Record(ctx, e) })
}

// C12: whichever call to the database fails while somebody signs in, looks, and signs out,
// they are signed in as nobody else, can do it again, and are signed out when told so.
func TestSigningInAndOutOutlivesTroubleAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			where := fmt.Sprintf("call %d, after=%v", n, after)
			f := &failingStore{n: n, after: after}
			s := newSite(t, func(c *auth.Config, _ *idpsim.Options) { f.Store = c.Store; c.Store = f })
			b := s.browser()
			in := func() bool { return strings.HasPrefix(b.who(), "Ada") }
			for tries := 0; !in(); tries++ {
				require.Less(t, tries, 3, where)
				if _, page := b.get("/login?return_to=/who"); hidden.MatchString(page) {
					b.choose(page, "ada")
				}
			}
			s.clock.move(2 * time.Minute) // activity is written down
			for tries := 0; !in(); tries++ {
				require.Less(t, tries, 3, where)
			}
			cookie := b.sessionCookie()
			for tries := 0; ; tries++ {
				require.Less(t, tries, 3, where)
				if status, _, _ := b.logout(); status == http.StatusOK {
					break
				}
			}
			_, body := s.raw("GET", "/who", cookie)
			if strings.Contains(body, "could not be read") { // the n-th call was this one
				_, body = s.raw("GET", "/who", cookie)
			}
			require.Equal(t, "nobody", body, "%s: whoever was told that they are signed out is", where)
			var sessions int
			require.NoError(t, s.db.Read.Get(&sessions, "SELECT COUNT(*) FROM sessions"))
			require.LessOrEqual(t, sessions, 1, "%s: but for one whose cookie nobody ever got", where)
			if !after {
				require.Zero(t, sessions, where)
			}
			if f.made < n {
				require.Greater(t, n, 6)
				break
			}
		}
	}
}
