package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// serveHello is the limit pages are held against: net/http with nothing behind it.
func serveHello(address string) {
	server := &http.Server{Addr: address, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("Hello\n"))
	})}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
}

// startHello starts it as a process of its own.
func startHello(ctx context.Context) (address string, pid int, stop func(), err error) {
	l, err := listeners(ctx, 1)
	if err != nil {
		return "", 0, nil, err
	}
	l[0].Close()
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	c := exec.CommandContext(ctx, self, "hello", l[0].Addr().String())
	if err := c.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() { _ = c.Process.Kill(); _ = c.Wait() }
	address = local(l[0]) + "/"
	for range 500 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return "", 0, stop, err
		}
		if a, err := http.DefaultClient.Do(r); err == nil {
			a.Body.Close()
			return address, c.Process.Pid, stop, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", 0, stop, errors.New("the hello server did not answer")
}

var perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// closed asks for one address over 32 connections as fast as answers come, with Debian's
// wrk, and answers how many came in a second.
func closed(ctx context.Context, address, cookie string, d time.Duration) (float64, error) {
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c32", "-d"+strconv.Itoa(int(d.Seconds()))+"s", "-H", "Cookie: "+cookie, address).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk, which `make bench` installs: %w\n%s", err, out)
	}
	m := perSecond.FindSubmatch(out)
	if m == nil || strings.Contains(string(out), "Non-2xx") {
		return 0, fmt.Errorf("wrk did not get pages:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// open sends requests when they are due, whether or not earlier ones were answered, and
// answers how long each took from when it was due, in milliseconds: a stall counts.
func open(ctx context.Context, v *visitor, path string, rate int, d time.Duration) (sample, error) {
	n := rate * int(d.Seconds())
	took, failed := make(sample, n), make(chan error, n)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		all.Add(1)
		go func() {
			defer all.Done()
			if err := v.page(ctx, path); err != nil {
				failed <- err
			}
			took[i] = milliseconds(time.Since(due))
		}()
	}
	all.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return took, nil
	}
}
