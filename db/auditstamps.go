package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
)

// TakeTurn gives a periodic work of the log to one of all processes until the time; false
// when another has it.
func (t AuditTree) TakeTurn(ctx context.Context, name string, now, until time.Time) (bool, error) {
	res, err := t.db.Write.ExecContext(ctx, t.db.Write.Rebind(`INSERT INTO audit_turns (name, until) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE audit_turns.until <= ?`), name, ms(until), ms(now))
	if err != nil {
		return false, fmt.Errorf("take a turn at the log: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

type stampRow struct {
	Size  int64  `db:"size"`
	Token []byte `db:"token"`
	At    int64  `db:"at"`
	Asked int64  `db:"asked"`
}

func (r stampRow) stamp() audit.Stamp {
	return audit.Stamp{Size: r.Size, Token: r.Token, At: at(r.At)}
}

// LastStamp is the newest one, and when it was asked for; zero when there is none.
func (t AuditTree) LastStamp(ctx context.Context) (s audit.Stamp, asked time.Time, err error) {
	var row stampRow
	err = t.db.Read.GetContext(ctx, &row, "SELECT size, token, at, asked FROM audit_stamps ORDER BY size DESC LIMIT 1")
	if missing(err) {
		return audit.Stamp{}, time.Time{}, nil
	}
	if err != nil {
		return audit.Stamp{}, time.Time{}, fmt.Errorf("read the last stamp: %w", err)
	}
	return row.stamp(), at(row.Asked), nil
}

// KeepStamp keeps a checkpoint and its stamp for good. Two stamps of one checkpoint are one
// too many: the first stays.
func (t AuditTree) KeepStamp(ctx context.Context, cp audit.Checkpoint, s audit.Stamp, asked time.Time) error {
	return t.db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := keepCheckpoint(ctx, tx, cp); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, tx.Rebind(`INSERT INTO audit_stamps (size, token, at, asked)
			SELECT CAST(? AS BIGINT), ?, CAST(? AS BIGINT), CAST(? AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM audit_stamps WHERE size = ?)`),
			cp.Size, s.Token, ms(s.At), ms(asked), cp.Size)
		if err != nil {
			return fmt.Errorf("keep a stamp: %w", err)
		}
		return nil
	})
}

// StampedFrom is the smallest stamped checkpoint of at least size entries; zero: none yet.
func (t AuditTree) StampedFrom(ctx context.Context, size int64) (audit.Checkpoint, audit.Stamp, error) {
	var row stampRow
	err := t.db.Read.GetContext(ctx, &row, t.db.Read.Rebind("SELECT size, token, at, asked FROM audit_stamps WHERE size >= ? ORDER BY size LIMIT 1"), size)
	if missing(err) {
		return audit.Checkpoint{}, audit.Stamp{}, nil
	}
	if err != nil {
		return audit.Checkpoint{}, audit.Stamp{}, fmt.Errorf("read a stamp: %w", err)
	}
	cp, err := t.checkpoint(ctx, "audit_checkpoints WHERE size = ?", row.Size)
	return cp, row.stamp(), err
}

// Stamps answers the stamps of checkpoints from size first to size last.
func (t AuditTree) Stamps(ctx context.Context, first, last int64) (map[int64]audit.Stamp, error) {
	var rows []stampRow
	err := t.db.Read.SelectContext(ctx, &rows, t.db.Read.Rebind("SELECT size, token, at, asked FROM audit_stamps WHERE size >= ? AND size <= ?"), first, last)
	if err != nil {
		return nil, fmt.Errorf("read the stamps: %w", err)
	}
	out := map[int64]audit.Stamp{}
	for _, r := range rows {
		out[r.Size] = r.stamp()
	}
	return out, nil
}
