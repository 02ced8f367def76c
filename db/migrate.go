package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"database/sql"
)

//go:embed migrations
var migrations embed.FS

// migrationLock is the PostgreSQL advisory lock that replicas take in turn: "countsgn".
const migrationLock = 0x636f756e7473676e

// NewerSchemaError says that the database was migrated by a later release.
type NewerSchemaError struct {
	Has, Knows int64  // schema versions
	Part       string // "tables" or "job queue"
}

// Error is a sentence for the operator.
func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("The database was set up by a later release (%s at step %d; this program knows up to step %d). "+
		"Start that release, or restore the backup made before it.", e.Part, e.Has, e.Knows)
}

// Migrate brings tables and job queue up to date, one process at a time, and refuses a
// newer schema with a *NewerSchemaError before anything is changed.
func (d *DB) Migrate(ctx context.Context) error {
	if d.Dialect == Postgres {
		conn, err := d.Write.Connx(ctx)
		if err != nil {
			return fmt.Errorf("connect to migrate: %w", err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
			return fmt.Errorf("wait for another process that migrates: %w", err)
		}
		defer func() {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
		}()
	}
	tables, err := d.gooseProvider()
	if err != nil {
		return err
	}
	queue, err := d.riverMigrator()
	if err != nil {
		return err
	}
	if err := checkSchema(ctx, tables, queue); err != nil {
		return err
	}
	if _, err := tables.Up(ctx); err != nil {
		return fmt.Errorf("migrate the tables: %w", err)
	}
	if err := queue.up(ctx); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	return nil
}

// Pending reports whether Migrate would change something; a newer schema is an error.
func (d *DB) Pending(ctx context.Context) (bool, error) {
	tables, err := d.gooseProvider()
	if err != nil {
		return false, err
	}
	queue, err := d.riverMigrator()
	if err != nil {
		return false, err
	}
	if err := checkSchema(ctx, tables, queue); err != nil {
		return false, err
	}
	pending, err := tables.HasPending(ctx)
	if err != nil || pending {
		return pending, err
	}
	has, knows, err := queue.versions(ctx)
	return has < knows, err
}

func checkSchema(ctx context.Context, tables *goose.Provider, queue migrator) error {
	has, knows, err := tables.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if has > knows {
		return &NewerSchemaError{Has: has, Knows: knows, Part: "tables"}
	}
	if has == 0 {
		return nil
	}
	has, knows, err = queue.versions(ctx)
	if err != nil {
		return fmt.Errorf("read the job queue's version: %w", err)
	}
	if has > knows {
		return &NewerSchemaError{Has: has, Knows: knows, Part: "job queue"}
	}
	return nil
}

func (d *DB) gooseProvider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+string(d.Dialect))
	if err != nil {
		return nil, fmt.Errorf("find the migrations: %w", err)
	}
	dialect := goose.DialectSQLite3
	if d.Dialect == Postgres {
		dialect = goose.DialectPostgres
	}
	p, err := goose.NewProvider(dialect, d.Write.DB, dir, goose.WithDisableGlobalRegistry(true), goose.WithSlog(quiet(d.log)))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return p, nil
}

// migrator hides that River's migrator is generic over the driver.
type migrator interface {
	up(ctx context.Context) error
	versions(ctx context.Context) (has, knows int64, err error)
}

func (d *DB) riverMigrator() (migrator, error) {
	var driver riverdriver.Driver[*sql.Tx] = riversqlite.New(d.Write.DB)
	if d.Dialect == Postgres {
		driver = riverdatabasesql.New(d.Write.DB)
	}
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet(d.log)})
	if err != nil {
		return nil, fmt.Errorf("read the job queue's migrations: %w", err)
	}
	return river{m}, nil
}

type river struct {
	*rivermigrate.Migrator[*sql.Tx]
}

func (r river) up(ctx context.Context) error {
	_, err := r.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

func (r river) versions(ctx context.Context) (has, knows int64, err error) {
	existing, err := r.ExistingVersions(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, v := range existing {
		has = max(has, int64(v.Version))
	}
	for _, v := range r.AllVersions() {
		knows = max(knows, int64(v.Version))
	}
	return has, knows, nil
}

// quiet lets only warnings of a library through.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(atLeast{log.Handler(), slog.LevelWarn}) }

type atLeast struct {
	slog.Handler
	level slog.Level
}

func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

func (h atLeast) WithAttrs(a []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(a), h.level}
}
func (h atLeast) WithGroup(n string) slog.Handler { return atLeast{h.Handler.WithGroup(n), h.level} }

var _ error = (*NewerSchemaError)(nil)

// IsNewerSchema reports whether err is the refusal of a newer schema.
func IsNewerSchema(err error) bool {
	var e *NewerSchemaError
	return errors.As(err, &e)
}
