package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"

	"countersign/auth"
)

const (
	heartbeat  = 15 * time.Second // keeps proxies from closing a quiet stream
	lookEvery  = 5 * time.Second  // reads again even when nothing was announced
	streamLife = 30 * time.Minute // then the browser opens a new one, and the session is read again
)

// part is the live part of a page, and whether it can still change.
type part func(ctx context.Context) (content templ.Component, changing bool, err error)

// stream sends the part whenever one of the topics is announced and its HTML has
// changed, as an unnamed server-sent event that the page morphs in. It ends with the
// request, with the session, with the server, and when the part can change no more.
func (a *App) stream(w http.ResponseWriter, r *http.Request, render part, topics ...string) error {
	ctx, cancel := context.WithTimeout(a.textContext(r), streamLife)
	defer cancel()
	defer context.AfterFunc(a.stop, cancel)()

	session, _ := auth.FromContext(r.Context())
	changed, unsubscribe := a.Changes.Subscribe(ctx, append(topics, auth.SessionTopic(session.ID))...)
	defer unsubscribe()
	control := http.NewResponseController(w)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")

	beat, look := time.NewTicker(heartbeat), time.NewTicker(lookEvery)
	defer beat.Stop()
	defer look.Stop()
	var last [sha256.Size]byte
	for {
		if !a.stillIn(r) {
			return nil // the browser asks again, and is told to sign in
		}
		content, changing, err := render(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		var buffer bytes.Buffer
		if err := content.Render(ctx, &buffer); err != nil {
			return err
		}
		if sum := sha256.Sum256(buffer.Bytes()); sum != last {
			last = sum
			if err := sendEvent(w, "", buffer.Bytes()); err != nil {
				return nil // the visitor has gone
			}
		}
		if !changing {
			_ = sendEvent(w, "done", []byte("done")) // the name is in layout.templ
			_ = control.Flush()
			return nil
		}
		if err := control.Flush(); err != nil {
			return nil
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-beat.C:
				if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
					return nil
				}
				if err := control.Flush(); err != nil {
					return nil
				}
			case <-look.C:
				waiting = false
			case _, ok := <-changed:
				if !ok {
					return nil
				}
				waiting = false
			}
		}
	}
}

// stillIn reports whether the session of a stream lives and its person may still do what
// they could when it was opened: a stream outlives many requests that would have told.
func (a *App) stillIn(r *http.Request) bool {
	// Without the request's own context, which remembers the session as it was.
	ctx, cancel := context.WithTimeout(a.stop, 5*time.Second)
	defer cancel()
	rec := recordOf(r)
	again := r.WithContext(auth.WithClient(ctx, auth.Client{Address: rec.address, Request: rec.reference}))
	_, now, err := a.Auth.Current(again)
	return err == nil && now != nil && slices.Equal(now.Roles, personOf(r).Roles)
}

// sendEvent writes one event; every line of the data needs its own prefix.
func sendEvent(w http.ResponseWriter, name string, data []byte) error {
	var out bytes.Buffer
	if name != "" {
		fmt.Fprintf(&out, "event: %s\n", name)
	}
	for line := range bytes.Lines(data) {
		out.WriteString("data: ")
		out.Write(bytes.TrimRight(line, "\r\n"))
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	_, err := w.Write(out.Bytes())
	return err
}
