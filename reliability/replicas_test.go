package reliability

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

// replicas are several portals on one database and one folder of bytes, behind one address
// that gives each request to one of them that lives.
type replicas struct {
	*world
	all     []*replica
	next    atomic.Int64
	reached int // deaths at the point they were meant for
}

type replica struct {
	address string
	crash   string // the file that tells this one where to die
	child   atomic.Pointer[child]
}

func (r *replica) lives() bool {
	c := r.child.Load()
	if c == nil {
		return false
	}
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

func newReplicas(t testing.TB, n int) *replicas {
	t.Helper()
	s := &replicas{}
	s.world = prepared(t, options{postgres: true, env: []string{"DATABASE_CONNECTIONS=6"}})
	t.Cleanup(func() {
		for _, r := range s.all {
			if c := r.child.Load(); c != nil {
				c.kill()
			}
		}
		s.tellLog()
	})
	for i := range n {
		s.all = append(s.all, &replica{address: free(t), crash: filepath.Join(s.dir, fmt.Sprint("crash-at-", i))})
		s.startReplica(i) // all at once, on a database that is empty
	}
	for _, r := range s.all {
		s.ready(r.child.Load(), "http://"+r.address)
	}
	door, err := net.Listen("tcp", s.address)
	require.NoError(t, err)
	front := &http.Server{Handler: s.balancer()}
	go func() { _ = front.Serve(door) }()
	t.Cleanup(func() { front.Close() })
	s.settle()
	return s
}

func (s *replicas) startReplica(i int) {
	s.t.Helper()
	r := s.all[i]
	arm(s.t, r.crash, "")
	env := append(slices.Clone(s.env), "LISTEN="+r.address, "CRASH_AT="+r.crash) // the last one counts
	r.child.Store(s.run(env))
}

// balancer takes one after the other, and passes over those that are dead. A request that
// was given to one is not given to another when that one dies.
func (s *replicas) balancer() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			for range s.all {
				r := s.all[int(s.next.Add(1))%len(s.all)]
				if r.lives() {
					p.SetURL(&url.URL{Scheme: "http", Host: r.address})
					break
				}
			}
			p.Out.Host = p.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// working has everybody work until stop, and answers how often somebody came to an end.
func (s *replicas) working() (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var done atomic.Int64
	for _, who := range s.people {
		all.Go(func() {
			for ctx.Err() == nil {
				switch err := who.work(context.Background(), 1); { // what was begun is answered
				case err == nil:
					done.Add(1)
				case errors.Is(err, errResting):
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	return func() int {
		cancel()
		all.Wait()
		return int(done.Load())
	}
}

// lose kills some of the replicas while everybody works: at a point, or at any moment when
// there is none or the replica does not come by it. The others go on, and without a restart
// bring to its end whatever the dead ones had begun.
func (s *replicas) lose(at string, which ...int) {
	t := s.t
	t.Helper()
	where := fmt.Sprintf("%q, replicas %v", at, which)
	stop := s.working()
	if at != "" {
		arm(t, s.all[which[0]].crash, at)
		if s.all[which[0]].child.Load().died(8*time.Second) == nil {
			s.reached++
		}
	} else {
		time.Sleep(time.Duration(s.rng.Int64N(int64(700 * time.Millisecond))))
	}
	for _, i := range which {
		s.all[i].child.Load().kill()
		s.kills++
	}
	time.Sleep(300 * time.Millisecond)
	stop()
	require.NoError(t, s.people[0].work(context.Background(), 1), "%s: the others go on (seed %d, kill %d)", where, s.seed, s.kills)
	s.sound(where + ", just after")
	s.pass(false)
	s.recovered(false)
	s.sound(where + ", taken over")
	s.outcomes()
	for _, i := range which {
		s.startReplica(i)
	}
	for _, i := range which {
		s.ready(s.all[i].child.Load(), "http://"+s.all[i].address)
	}
}

// Several portals share a database and the bytes; some are killed, and the others go on
// and finish what those had begun. Nothing is signed twice, lost, or given out half.
func TestReplicasGoOnAndFinishWhatADeadOneHadBegun(t *testing.T) {
	t.Parallel()
	var sum tally
	s := newReplicas(t, 3)
	s.floods()
	s.pass(false)
	if !soak() {
		s.lose(string(signing.PointRecord)+":after", 0)
		s.lose("", 1, 2)
		sum.add(t, s.world)
		require.Equal(t, 1, s.reached)
		require.Equal(t, 3, s.kills)
		return
	}
	for _, at := range points() {
		s.lose(string(at.p)+map[bool]string{true: ":after", false: ":before"}[at.done], s.rng.IntN(3))
	}
	for range 40 {
		first := s.rng.IntN(3)
		which := []int{first}
		if s.rng.IntN(3) == 0 {
			which = append(which, (first+1)%3)
		}
		s.lose("", which...)
	}
	sum.add(t, s.world)
	t.Logf("%d of %d points were reached by the replica that was to die there", s.reached, len(points()))
}

// arm tells the portal that reads the file where to die; empty: nowhere.
func arm(t testing.TB, file, at string) {
	t.Helper()
	temp := file + ".new" // it is read all the time
	require.NoError(t, os.WriteFile(temp, []byte(at), 0o600))
	require.NoError(t, os.Rename(temp, file))
}
