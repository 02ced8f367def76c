package main

import (
	"context"
	"log/slog"
	"time"

	"countersign/audit"
)

// flushing stores what is counted now and then, and once more when the site drains.
func flushing(ctx context.Context, tally *audit.Tally, log *slog.Logger) {
	soon := time.NewTicker(10 * time.Second)
	defer soon.Stop()
	for ended := false; !ended; {
		select {
		case <-soon.C:
		case <-ctx.Done():
			ended = true
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if err := tally.Flush(last); err != nil {
			log.Warn("refusals were not counted", "cause", err)
		}
		cancel()
	}
}
