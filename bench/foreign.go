package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// measureForeign: an id of somebody else's must not be told from one that never was by
// how long the answer takes. Both are asked for in turn.
func measureForeign(ctx context.Context, b *bench) error {
	s, err := startSite(ctx, b, "foreign", "")
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	v, err := s.signIn(ctx, "ada")
	if err != nil {
		return err
	}
	other, err := s.signIn(ctx, "ben")
	if err != nil {
		return err
	}
	if err := s.seed(ctx, b.size(100_000, 1000), 16, v.person, other.person); err != nil {
		return err
	}
	var foreign []string
	if err := s.db.Read.SelectContext(ctx, &foreign, s.db.Read.Rebind("SELECT id FROM documents WHERE owner = ? LIMIT 500"), other.person); err != nil {
		return err
	}
	var ratio sample
	for batch := range 6 {
		var there, missing sample
		for i := range b.size(400, 40) {
			id := foreign[i%len(foreign)]
			for _, side := range []struct {
				id   string
				took *sample
			}{{id, &there}, {"x" + id[1:], &missing}} {
				begin := time.Now()
				a, err := v.send(ctx, http.MethodGet, s.url+"/documents/"+side.id, nil, -1, "")
				if err != nil {
					return err
				}
				if a.status != http.StatusNotFound {
					return fmt.Errorf("/documents/%s answered %d", side.id, a.status)
				}
				*side.took = append(*side.took, milliseconds(time.Since(begin)))
			}
		}
		if batch > 0 {
			ratio = append(ratio, max(there.median()/missing.median(), missing.median()/there.median()))
		}
	}
	b.report.atMost("an id of somebody else's against one that never was, slower against quicker", "×", 1.2, ratio)
	return nil
}
