package db

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"countersign/signing"
)

const countWith = "SELECT COUNT(*) FROM (SELECT 1 FROM ceremonies c JOIN signatures s ON s.ceremony = c.id WHERE c.credential = ? AND s.state IN (?) LIMIT 1000) AS found"

// CountWith counts the signatures made with a credential, open and released.
func (s signingStore) CountWith(ctx context.Context, credential string) (open, released int, err error) {
	for _, count := range []struct {
		states []signing.SignatureState
		n      *int
	}{{openSignatures, &open}, {[]signing.SignatureState{signing.SignatureReleased}, &released}} {
		query, args, err := sqlx.In(countWith, credential, count.states)
		if err != nil {
			return 0, 0, fmt.Errorf("count a credential's signatures: %w", err)
		}
		if err := s.Read.GetContext(ctx, count.n, s.Read.Rebind(query), args...); err != nil {
			return 0, 0, fmt.Errorf("count a credential's signatures: %w", err)
		}
	}
	return open, released, nil
}
