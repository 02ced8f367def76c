package main

import (
	"context"
	"fmt"
	"time"

	"countersign/db/pgcluster"
)

// measureGrowth: the same pages of the same people with a hundred times more around them.
func measureGrowth(ctx context.Context, b *bench, database string) error {
	newAddress := func(int) (string, error) { return "", nil }
	if database == "PostgreSQL" {
		cluster, err := pgcluster.Start(false)
		if err != nil {
			return err
		}
		defer cluster.Close()
		newAddress = func(n int) (string, error) {
			name := fmt.Sprintf("growth_%d", n)
			return cluster.URL(name), cluster.Exec("CREATE DATABASE " + name)
		}
	}
	var crowds []*crowd
	for _, n := range []int{b.size(10_000, 1000), b.size(1_000_000, 10_000)} {
		address, err := newAddress(n)
		if err != nil {
			return err
		}
		c, err := startCrowd(ctx, b, database, address, n)
		if err != nil {
			return err
		}
		defer func() { _ = c.site.stop() }()
		crowds = append(crowds, c)
	}
	return compare(ctx, b, database, crowds[0], crowds[1])
}

// crowd is a site with n documents.
type crowd struct {
	site         *site
	light, heavy *visitor
	deep         string // a place far down the heavy owner's list
}

func startCrowd(ctx context.Context, b *bench, database, address string, n int) (*crowd, error) {
	s, err := startSite(ctx, b, fmt.Sprintf("growth-%s-%d", database, n), address)
	if err != nil {
		return nil, err
	}
	c := &crowd{site: s}
	if c.light, err = s.signIn(ctx, "ada"); err != nil {
		return nil, err
	}
	if c.heavy, err = s.signIn(ctx, "ben"); err != nil {
		return nil, err
	}
	if err := s.seed(ctx, n, 16, c.light.person, c.heavy.person); err != nil {
		return nil, err
	}
	const oldest = "SELECT created_at || '_' || id FROM documents WHERE owner = ? ORDER BY created_at, id LIMIT 1 OFFSET 100"
	return c, s.db.Read.GetContext(ctx, &c.deep, s.db.Read.Rebind(oldest), c.heavy.person)
}

// compare asks both in turn for each page. One ratio is of the medians of a batch.
func compare(ctx context.Context, b *bench, database string, small, large *crowd) error {
	pages := []struct {
		name string
		ask  func(*crowd) error
	}{
		{"list", func(c *crowd) error { return c.light.page(ctx, "/documents") }},
		{"list of the heavy owner", func(c *crowd) error { return c.heavy.page(ctx, "/documents") }},
		{"list of the heavy owner, filtered", func(c *crowd) error { return c.heavy.page(ctx, "/documents?show=signed") }},
		{"list of the heavy owner, far down", func(c *crowd) error { return c.heavy.page(ctx, "/documents?after="+c.deep) }},
		{"home", func(c *crowd) error { return c.light.page(ctx, "/") }},
		{"search by the heavy owner, a page of hits", func(c *crowd) error { return c.heavy.page(ctx, "/documents?q=agreement+1") }},
	}
	for _, p := range pages {
		var ratio, slow sample
		for batch := range 6 {
			var s, l sample
			for range b.size(80, 10) {
				for _, side := range []struct {
					c    *crowd
					took *sample
				}{{small, &s}, {large, &l}} {
					begin := time.Now()
					if err := p.ask(side.c); err != nil {
						return err
					}
					*side.took = append(*side.took, milliseconds(time.Since(begin)))
				}
			}
			if batch > 0 { // the first warms up
				ratio, slow = append(ratio, l.median()/s.median()), append(slow, l.median())
			}
		}
		b.report.tell(p.name+", "+database+", with a million documents, median", "ms", slow)
		b.report.atMost(p.name+", "+database+", a million against ten thousand", "×", 1.1, ratio)
	}
	return nil
}
