package dtmsim

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// faultKey is where a call finds the fault that it meets.
type faultKey struct{}

// faultOf is the fault that a call meets; a zero one when it meets none.
func faultOf(ctx context.Context) *Fault {
	if f, ok := ctx.Value(faultKey{}).(*Fault); ok {
		return f
	}
	return &Fault{}
}

// faulty lets calls meet what is scripted for them.
func (s *Sim) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isAPI(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		var body []byte
		if s.wantsBody() {
			body, _ = io.ReadAll(io.LimitReader(r.Body, maxBody+1)) // one that breaks off here does so for the call as well
			r.Body = rest{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
		}
		f := s.takeFault(r, string(body)+"\n"+r.URL.Path)
		if f == nil {
			next.ServeHTTP(w, r)
			return
		}
		noteTrouble(r.Context(), f)
		late := f.lateness()
		if !f.After && !sleep(r.Context(), late) {
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), faultKey{}, f))
		if f.onCredential() && !f.After {
			s.changeBehind(f, body)
		}
		var real *answer
		if f.After || (!f.another() && !f.Drop && (f.Drip > 0 || f.Reset > 0)) {
			real = &answer{header: http.Header{}, status: http.StatusOK}
			next.ServeHTTP(real, r.WithContext(context.WithoutCancel(r.Context())))
			if f.onCredential() && f.After {
				s.changeBehind(f, body)
			}
		}
		if f.After && !sleep(r.Context(), late) {
			return
		}
		switch {
		case f.Drop:
			dropConnection(w)
			return
		case f.another():
			real = f.scripted()
		case real == nil:
			s.shiftDate(w, f)
			next.ServeHTTP(w, r)
			return
		}
		s.shiftDate(w, f)
		real.deliver(w, r, f)
	})
}

// rest is a body that was read in part.
type rest struct {
	io.Reader
	io.Closer
}

// lateness is Delay and what is drawn for Spread.
func (f *Fault) lateness() time.Duration {
	d := time.Duration(f.Delay)
	if f.Spread > 0 {
		drawn := rand.New(rand.NewPCG(f.Seed, uint64(f.Hits))).ExpFloat64() //nolint:gosec // drawn again from the same seed, and no secret
		d += time.Duration(min(drawn, 10) * float64(f.Spread))
	}
	return d
}

// sleep tells whether somebody still waits afterwards.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// shiftDate moves the Date header; net/http leaves one alone that is there.
func (s *Sim) shiftDate(w http.ResponseWriter, f *Fault) {
	if f.Effect == EffectDate {
		s.mu.Lock()
		at := s.now().Add(time.Duration(f.Shift))
		s.mu.Unlock()
		w.Header().Set("Date", at.Format(http.TimeFormat))
	}
}

// scripted is the answer in place of the real one.
func (f *Fault) scripted() *answer {
	a := &answer{header: http.Header{"Content-Type": {cmpOr(f.ContentType, "application/json")}}, status: f.Status}
	for k, v := range f.Header {
		a.header.Set(k, v)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	switch {
	case f.Garbage:
		a.body.WriteString("{\"SAD\": \x00\xff not JSON <html>")
	case a.status != http.StatusNoContent:
		a.body.WriteString(f.Body)
	}
	return a
}

// answer holds a reply back.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// deliver sends an answer as the fault will have it.
func (a *answer) deliver(w http.ResponseWriter, r *http.Request, f *Fault) {
	for k, v := range a.header {
		w.Header()[k] = slices.Clone(v)
	}
	whole := a.body.Bytes()
	cut := f.Truncate || f.Drip > 0 || (f.Reset > 0 && f.Reset < len(whole))
	if cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
	}
	w.WriteHeader(a.status)
	switch {
	case f.Truncate:
		_, _ = w.Write(whole[:len(whole)/2])
		panic(http.ErrAbortHandler)
	case f.Reset > 0:
		_, _ = w.Write(whole[:min(f.Reset, len(whole))])
		_ = http.NewResponseController(w).Flush()
		sleep(r.Context(), 20*time.Millisecond) // a reset overtakes what was sent just before
		dropConnection(w)
	case f.Drip > 0:
		drip(w, r, whole, f.Drip)
	default:
		_, _ = w.Write(whole)
	}
}

// drip writes so many bytes a second, twenty times a second at the most.
func drip(w http.ResponseWriter, r *http.Request, whole []byte, perSecond int) {
	every, n := 50*time.Millisecond, perSecond/20
	if n == 0 {
		every, n = time.Second/time.Duration(perSecond), 1
	}
	out := http.NewResponseController(w)
	for part := range slices.Chunk(whole, n) {
		if _, err := w.Write(part); err != nil || out.Flush() != nil || !sleep(r.Context(), every) {
			return
		}
	}
}

// dropConnection resets the connection, so that the client sees it break rather than end.
func dropConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // only decides how it breaks
	}
	conn.Close()
}
