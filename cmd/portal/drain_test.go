package main

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// left is how long somebody was given.
type left time.Duration

func (l *left) Wait(ctx context.Context) error {
	end, _ := ctx.Deadline()
	*l = left(time.Until(end))
	return nil
}

func (l *left) Stop(ctx context.Context) error { return l.Wait(ctx) }

// slow takes all of it.
type slow struct{ left }

func (s *slow) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestDrainingWaitsForAPersonWhoIsApproving(t *testing.T) {
	c := config{DrainTime: 30 * time.Second, DTMAuthorize: 2 * time.Minute, DTMSign: 30 * time.Second}
	var approving, working left
	ended := false
	begin := time.Now()
	require.NoError(t, drain(c, &http.Server{}, &approving, &working, func() { ended = true }, slog.New(slog.DiscardHandler)))
	require.True(t, ended)
	require.Less(t, time.Since(begin), time.Second, "nothing is waited for that is not there")
	require.Greater(t, time.Duration(approving), c.DTMAuthorize+2*c.DTMSign, "a minute on the phone, then the signing")
	require.LessOrEqual(t, time.Duration(working), c.DrainTime)

	c.DrainTime, c.DTMAuthorize, c.DTMSign = 50*time.Millisecond, 0, 0
	require.ErrorIs(t, drain(c, &http.Server{}, &slow{}, &working, func() {}, slog.New(slog.DiscardHandler)), context.DeadlineExceeded)
	require.Positive(t, time.Duration(working), "jobs have their own time")
}
