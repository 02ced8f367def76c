package main

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// measureStart: from exec to the first answer that it is ready, on a database that is
// there already; memory when nothing happens; the size of the program.
func measureStart(ctx context.Context, b *bench) error {
	info, err := os.Stat(b.portal)
	if err != nil {
		return err
	}
	database := "sqlite:" + filepath.Join(b.dir, "start.db")
	var cold, idle sample
	for i := range 11 {
		s, err := startSite(ctx, b, "start", database)
		if err != nil {
			return err
		}
		if i > 0 { // the first makes the database
			cold = append(cold, milliseconds(s.started))
		}
		if i >= 8 {
			v, err := s.signIn(ctx, "ada")
			if err != nil {
				return err
			}
			for _, path := range []string{"/", "/documents", "/credentials", "/account"} {
				if err := v.page(ctx, path); err != nil {
					return err
				}
			}
			time.Sleep(5 * time.Second)
			now, _, err := s.resident()
			if err != nil {
				return err
			}
			idle = append(idle, now/1e6)
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	b.report.atMost("cold start, exec to ready, SQLite", "ms", 100, cold)
	b.report.atMost("idle memory, resident, after a sign-in and four pages", "MB", 40, idle)
	b.report.atMost("program, stripped", "MB", 30, sample{float64(info.Size()) / 1e6})
	return nil
}
