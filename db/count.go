package db

import (
	"context"
	"fmt"

	"countersign/signing"
)

// What may still be cancelled, which signing.CanMoveCeremony says; a test holds both together.
const (
	cancellable   = "c.state IN ('prepared', 'code_sent', 'consenting')"
	withACeremony = "SELECT COUNT(*) FROM (SELECT 1 FROM ceremonies c JOIN signatures s ON s.ceremony = c.id WHERE c.credential = ? AND "
	fewCeremonies = 50
)

// AtStake counts the signatures made with a credential, and lists the ceremonies that may still be cancelled.
func (s signingStore) AtStake(ctx context.Context, credential string) (all signing.AtStake, err error) {
	for _, count := range []struct {
		which string
		n     *int
	}{
		{cancellable + " AND s.state = 'prepared'", &all.Stops},
		{"NOT (" + cancellable + ") AND s.state IN ('prepared', 'intended', 'signed', 'assembled')", &all.OnTheWay},
		{"s.state = 'released'", &all.Released},
	} {
		if err := s.Read.GetContext(ctx, count.n, s.Read.Rebind(withACeremony+count.which+" LIMIT 1000) AS found"), credential); err != nil {
			return all, fmt.Errorf("count a credential's signatures: %w", err)
		}
	}
	rows, err := ceremonies.list(ctx, s.Read, "credential = ? AND state IN ('prepared', 'code_sent', 'consenting') ORDER BY created_at DESC, id LIMIT ?", credential, fewCeremonies)
	if err != nil {
		return all, err
	}
	for _, r := range rows {
		c, err := r.ceremony()
		if err != nil {
			return all, err
		}
		all.Ceremonies = append(all.Ceremonies, c)
	}
	return all, nil
}
