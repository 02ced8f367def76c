package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"countersign/blob"
	"countersign/db"
)

// fullBelow is how many bytes must be free where documents are kept.
const fullBelow = 64 << 20

// parts looks at what every page stands on.
type parts struct {
	store  *db.DB
	folder blob.Bucket
	late   *warnings
}

// Warnings names work that waits longer than it should.
func (p parts) Warnings(ctx context.Context) map[string]string { return p.late.tell(ctx) }

// Problems names the parts that do not work. DTM and the login provider are not among
// them: pages that do not need them still work while they are away.
func (p parts) Problems(ctx context.Context) map[string]string {
	problems := map[string]string{}
	if err := p.store.Ping(ctx); err != nil {
		problems["database"] = "does not answer"
	}
	if free, err := p.folder.Free(ctx); err != nil {
		problems["documents"] = "the place for documents cannot be read"
	} else if free >= 0 && free < fullBelow {
		problems["documents"] = "the place for documents is full"
	}
	return problems
}

// health asks a running site whether it is ready: the check of the container.
func health(ctx context.Context, args []string) error {
	address := "http://127.0.0.1:8080/readyz"
	if c, err := readConfig(environment()); err == nil {
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return fmt.Errorf("LISTEN: %w", err)
		}
		if host == "" { // every address, and so this one
			host = "127.0.0.1"
		}
		address = "http://" + net.JoinHostPort(host, port) + "/readyz"
	}
	if len(args) > 0 {
		address = args[0]
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("the site does not answer: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New("not ready: " + string(text))
	}
	return nil
}

// version names the build and the toolchain, which matters for the faults of net/http.
func version() string { return revision() + " (" + runtime.Version() + ")" }

// revision is the commit the program was built from.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "devel"
}
