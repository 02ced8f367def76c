package handlers

import (
	"io"
	"net/http"
	"time"
)

const (
	paceBytes = 120 << 10        // of a body come within paceTime, or it is cut off: 4 KiB a second
	paceTime  = 30 * time.Second // also what a small form has in all
)

// paced is a body that has to come at a pace. Many senders of one byte now and then would
// otherwise hold a connection and a place on the disk each, for as long as they like.
type paced struct {
	io.ReadCloser
	control *http.ResponseController
	within  time.Duration
	since   time.Time
	n       int
}

// pace also bounds how long net/http reads what a handler has left unread. At the end of a
// body net/http lifts the deadline: what is done with it may take its time.
func (a *App) pace(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return
	}
	p := &paced{ReadCloser: r.Body, control: http.NewResponseController(w), within: a.Pace, since: time.Now()}
	if p.within <= 0 {
		p.within = paceTime
	}
	if p.control.SetReadDeadline(p.since.Add(p.within)) == nil {
		r.Body = p
	}
}

func (p *paced) Read(b []byte) (int, error) {
	if p.n >= paceBytes {
		p.n, p.since = 0, time.Now()
		if err := p.control.SetReadDeadline(p.since.Add(p.within)); err != nil {
			return 0, err
		}
	}
	n, err := p.ReadCloser.Read(b)
	p.n += n
	return n, err
}
