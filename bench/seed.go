package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"countersign/db"
)

// The heavy owner has a fifth of all documents, the light one the newest few, the rest
// belong to people with ten each. Ids are scattered over the index as random ones are.
const seeding = `
INSERT INTO people (id, issuer, subject, name, created_at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < ALL_N / 10)
	SELECT 'p' || i, 'seed', 's' || i, 'Name ' || i, i FROM g;
INSERT INTO documents (id, owner, name, size, pages, sha256, state, revisions, signed, created_at, since) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < ALL_N)
	SELECT ID('d'), OWNER, 'Agreement ' || i || '.pdf', 100000 + i % 900000, 1 + i % 30, DIGEST,
	CASE i % 50 WHEN 7 THEN 'refused' WHEN 8 THEN 'erased' ELSE 'ready' END, 1, SIGNED, AT, AT FROM g;
INSERT INTO revisions (document, number, start, size, blob, created_at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < ALL_N)
	SELECT ID('d'), 1, 0, 100000 + i % 900000, ID('b'), AT FROM g;
INSERT INTO ceremonies (id, owner, credential, state, created_at, since) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < ALL_N)
	SELECT ID('y'), OWNER, 'c1', 'used', AT, AT FROM g WHERE i % 2 = 0;
INSERT INTO signatures (id, ceremony, document, owner, base, state, level, signer_name, released_at, created_at, since) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < ALL_N)
	SELECT ID('s'), ID('y'), ID('d'), OWNER, 1, 'released', 'B-T', 'Ada Example', AT, AT, AT FROM g WHERE i % 2 = 0`

// seed fills the database with n documents.
func (s *site) seed(ctx context.Context, n, few int, light, heavy string) error {
	scattered := "printf('%08x', i * 2654435761 % 4294967296)"
	digest, signed := "unhex(printf('%064x', i * 2654435761))", "1 - i % 2"
	if s.db.Dialect == db.Postgres {
		scattered = "lpad(to_hex(i::bigint * 2654435761 % 4294967296), 8, '0')"
		digest, signed = "sha256(i::text::bytea)", "i % 2 = 0"
	}
	text := seeding
	for _, kind := range []string{"d", "b", "y", "s"} {
		text = strings.ReplaceAll(text, "ID('"+kind+"')", "'"+kind+"' || "+scattered)
	}
	text = strings.NewReplacer(
		"OWNER", fmt.Sprintf("CASE WHEN i <= %d THEN '%s' WHEN i %% 5 = 0 THEN '%s' ELSE 'p' || (i %% (ALL_N / 10) + 1) END", few, light, heavy),
		"AT", fmt.Sprintf("%d - i * 1000", time.Now().UnixMilli()), "DIGEST", digest, "SIGNED", signed,
	).Replace(text)
	text = strings.ReplaceAll(text, "ALL_N", strconv.Itoa(n))
	for statement := range strings.SplitSeq(text, ";\n") {
		if _, err := s.db.Write.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.60s…: %w", strings.TrimSpace(statement), err)
		}
	}
	after := "PRAGMA wal_checkpoint(TRUNCATE)"
	if s.db.Dialect == db.Postgres {
		after = "VACUUM ANALYZE"
	}
	_, err := s.db.Write.ExecContext(ctx, after)
	return err
}
