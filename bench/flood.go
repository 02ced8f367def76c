package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"countersign/pades/pdf/pdftest"
)

// measureFlood: what somebody else notices while one person sends files over eight
// connections without end, as fast as they are answered. Quiet and flood take turns.
func measureFlood(ctx context.Context, b *bench) error {
	s, err := startSite(ctx, b, "flood", "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	one, err := s.signIn(ctx, "ada")
	if err != nil {
		return err
	}
	other, err := s.signIn(ctx, "ben")
	if err != nil {
		return err
	}
	if err := s.seed(ctx, b.size(10_000, 1000), 16, other.person, one.person); err != nil {
		return err
	}
	const rate = 50
	long := time.Duration(b.size(1000, 200)/100) * time.Second
	var quiet, refused, taken, ratio, rateRefused sample
	for range 5 {
		alone, err := open(ctx, other, "/documents", rate, long)
		if err != nil {
			return err
		}
		// First until the limit of an hour is reached, then refused by it.
		if _, err := s.db.Write.ExecContext(ctx, "DELETE FROM attempts"); err != nil {
			return err
		}
		f := startFlood(ctx, one)
		while, err := open(ctx, other, "/documents", rate, 2*time.Second)
		if err != nil {
			f.stop()
			return err
		}
		taken = append(taken, while.quantile(0.99))
		if err := s.exhaust(ctx, one.person); err != nil {
			f.stop()
			return err
		}
		before := f.refused.Load()
		while, err = open(ctx, other, "/documents", rate, long)
		n := f.refused.Load() - before
		f.stop()
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("nothing was refused: %d taken", f.taken.Load())
		}
		rateRefused = append(rateRefused, float64(n)/long.Seconds())
		quiet, refused = append(quiet, alone.quantile(0.99)), append(refused, while.quantile(0.99))
		ratio = append(ratio, while.quantile(0.99)/alone.quantile(0.99))
	}
	b.report.tell("list page at 50/s, 99th percentile, nobody floods", "ms", quiet)
	b.report.tell("same, while one person's uploads are taken over 8 connections", "ms", taken)
	b.report.tell("same, while they are refused", "ms", refused)
	b.report.tell("refusals", "/s", rateRefused)
	b.report.atMost("99th percentile of others while one is refused, against nobody floods", "×", 2, ratio)
	return nil
}

// exhaust counts as many uploads as an hour allows.
func (s *site) exhaust(ctx context.Context, person string) error {
	_, err := s.db.Write.ExecContext(ctx, s.db.Write.Rebind(`INSERT INTO attempts (id, action, subject, at)
		WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 2000) SELECT ? || i, 'document.submit', ?, ? FROM g`),
		fmt.Sprint("flood-", time.Now().UnixNano(), "-"), person, time.Now().UnixMilli())
	return err
}

type flood struct {
	cancel         context.CancelFunc
	all            sync.WaitGroup
	taken, refused atomic.Int64
}

func (f *flood) stop() {
	f.cancel()
	f.all.Wait()
}

func startFlood(ctx context.Context, v *visitor) *flood {
	ctx, cancel := context.WithCancel(ctx)
	f := &flood{cancel: cancel}
	file := pdftest.Plain(3)
	for range 8 {
		f.all.Go(func() {
			for ctx.Err() == nil {
				a, err := v.send(ctx, http.MethodPut, v.site.url+"/documents?name=flood.pdf", bytes.NewReader(file), int64(len(file)), "application/pdf")
				switch {
				case err == nil && a.status == http.StatusCreated:
					f.taken.Add(1)
				case err == nil && a.status == http.StatusTooManyRequests:
					f.refused.Add(1)
				}
			}
		})
	}
	return f
}
