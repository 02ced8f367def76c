package main

import (
	"context"
	"time"
)

// measurePages: the list of documents as a person sees it (session, database, page with
// its policy) against a bare hello, and how long it takes at a steady 500 a second.
func measurePages(ctx context.Context, b *bench) error {
	s, err := startSite(ctx, b, "pages", "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	v, err := s.signIn(ctx, "ada")
	if err != nil {
		return err
	}
	heavy, err := s.signIn(ctx, "ben")
	if err != nil {
		return err
	}
	if err := s.seed(ctx, b.size(10_000, 1000), 16, v.person, heavy.person); err != nil {
		return err
	}
	cookie, err := v.cookie()
	if err != nil {
		return err
	}
	address, pid, stop, err := startHello(ctx)
	if err != nil {
		return err
	}
	defer stop()

	long := time.Duration(b.size(600, 100)/100) * time.Second
	var hello, list, helloWork, listWork sample
	for range 5 {
		for _, side := range []struct {
			address    string
			pid        int
			rate, work *sample
		}{{address, pid, &hello, &helloWork}, {s.url + "/documents", s.child.Process.Pid, &list, &listWork}} {
			before, err := processor(side.pid)
			if err != nil {
				return err
			}
			rate, err := closed(ctx, side.address, cookie, long)
			if err != nil {
				return err
			}
			after, err := processor(side.pid)
			if err != nil {
				return err
			}
			*side.rate = append(*side.rate, rate)
			*side.work = append(*side.work, (after-before).Seconds()*1e6/(rate*long.Seconds()))
		}
	}
	b.report.tell("bare net/http hello, 32 connections", "/s", hello)
	b.report.tell("list page of 16 documents, 32 connections", "/s", list)
	b.report.atLeast("list page against hello", "", 0.12, ratios(list, hello))
	b.report.tell("processor time of the server for a list page", "µs", listWork)
	b.report.tell("processor time, list page against hello", "×", ratios(listWork, helloWork))

	var tail, middle sample
	for range 3 {
		took, err := open(ctx, v, "/documents", 500, 2*long)
		if err != nil {
			return err
		}
		tail, middle = append(tail, took.quantile(0.99)), append(middle, took.median())
	}
	b.report.tell("list page at 500/s, median", "ms", middle)
	b.report.atMost("list page at 500/s, 99th percentile", "ms", 25, tail)
	return nil
}
