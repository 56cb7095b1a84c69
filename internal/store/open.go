package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	_ "modernc.org/sqlite" // the "sqlite" driver

	"github.com/glad-labs/frontispiece/migrations"
)

// migrationsTable keeps our numbers apart from those of the site's own tool.
const migrationsTable = "frontispiece_migrations"

// Options are the limits of a database connection.
type Options struct {
	MaxConns         int           // 0: 16
	StatementTimeout time.Duration // PostgreSQL; 0: 15 s
	LockTimeout      time.Duration // PostgreSQL; 0: 5 s
}

// Open connects to the database of a URL: postgres://… or postgresql://…, or
// sqlite:<path>. It neither migrates nor looks at the tables; call
// [Store.Migrate] and then [Store.Detect].
func Open(ctx context.Context, rawURL string, o Options) (*Store, error) {
	var db *sqlx.DB
	var d *dialect
	switch scheme, rest, _ := strings.Cut(rawURL, ":"); scheme {
	case "postgres", "postgresql":
		pg, err := openPostgres(ctx, rawURL, o)
		if err != nil {
			return nil, err
		}
		db, d = sqlx.NewDb(pg, "pgx"), newPostgres()
	case "sqlite":
		lite, err := openSQLite(strings.TrimPrefix(rest, "//"))
		if err != nil {
			return nil, err
		}
		db, d = sqlx.NewDb(lite, "sqlite"), newSQLite()
	default:
		return nil, fmt.Errorf("unknown scheme %q, use postgres or sqlite", scheme)
	}
	conns := o.MaxConns
	if conns == 0 {
		conns = 16
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, connectError(err)
	}
	return &Store{Reader: Reader{ext: db, d: d}, db: db}, nil
}

func openPostgres(ctx context.Context, rawURL string, o Options) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return nil, errors.New("not a PostgreSQL URL; expected postgres://user:password@host:5432/database")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	// Poolers know these two, and refuse whatever else is said at the start of a
	// connection: whoever runs one says default_query_exec_mode=exec in the URL
	// and sets the time-outs on the role.
	cfg.RuntimeParams["application_name"] = "frontispiece"
	cfg.RuntimeParams["timezone"] = "UTC"
	if cfg.DefaultQueryExecMode == pgx.QueryExecModeExec || cfg.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return stdlib.OpenDB(*cfg), nil
	}
	setTimeout(cfg, "statement_timeout", o.StatementTimeout, 15*time.Second)
	setTimeout(cfg, "lock_timeout", o.LockTimeout, 5*time.Second)
	setTimeout(cfg, "idle_in_transaction_session_timeout", 0, 30*time.Second)
	pooled, err := throughPooler(ctx, cfg)
	if err != nil {
		return nil, connectError(err)
	}
	if pooled {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return stdlib.OpenDB(*cfg), nil
}

// throughPooler reports whether something between us and the server hands out
// sessions: the process that greeted us is then not the one that answers. What
// was prepared in one session may be asked of another there, so that nothing
// may be prepared at all.
func throughPooler(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }() // it has answered
	var answers uint32
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&answers)
	return answers != conn.PgConn().PID(), err
}

func setTimeout(cfg *pgx.ConnConfig, name string, wanted, fallback time.Duration) {
	if _, given := cfg.RuntimeParams[name]; given {
		return
	}
	if wanted == 0 {
		wanted = fallback
	}
	cfg.RuntimeParams[name] = fmt.Sprint(wanted.Milliseconds())
}

func openSQLite(path string) (*sql.DB, error) {
	if path == "" {
		return nil, errors.New("sqlite: needs a path, as in sqlite:data/frontispiece.db")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the database's folder: %w", err)
	}
	// _txlock=immediate: a transaction that reads and then writes would be
	// refused at once, without waiting, when another one wrote in between.
	// synchronous=FULL: an accepted job survives a power cut.
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
}

// Migration is one numbered step and whether the database has taken it.
type Migration struct {
	Version int64
	Name    string
	Applied bool
}

// ErrSchemaAhead is returned when the database has taken migrations that this
// program does not know.
var ErrSchemaAhead = errors.New("the database was migrated by a newer version of this program")

// ErrSchemaBehind is returned by [Store.CheckSchema] when migrations are due.
var ErrSchemaBehind = errors.New("the database needs migrating")

func (s *Store) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles(s.d.name), s.d.name)
	if err != nil {
		return nil, err
	}
	gooseDialect := goose.DialectPostgres
	if s.d.name == "sqlite" {
		gooseDialect = goose.DialectSQLite3
	}
	versions, err := database.NewStore(gooseDialect, migrationsTable)
	if err != nil {
		return nil, err
	}
	// Out of order: a step with a lower number may come later, from a branch that
	// was merged after another. Steps only add, so their order does not matter.
	return goose.NewProvider("", s.db.DB, files, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
}

func migrationFiles(dialect string) fs.FS {
	if dialect == "sqlite" {
		return migrations.SQLite()
	}
	return migrations.Postgres()
}

// Migrations lists every step that this program knows.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	p, err := s.provider()
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	status, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	list := make([]Migration, 0, len(status))
	for _, m := range status {
		list = append(list, Migration{
			Version: m.Source.Version,
			Name:    filepath.Base(m.Source.Path),
			Applied: m.State == goose.StateApplied,
		})
	}
	return list, nil
}

// CheckSchema returns ErrSchemaAhead or ErrSchemaBehind when this program and
// the database are not of the same age.
func (s *Store) CheckSchema(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	sources := p.ListSources()
	switch want := sources[len(sources)-1].Version; {
	case have > want:
		return fmt.Errorf("%w (it is at %d, this one knows %d)", ErrSchemaAhead, have, want)
	case have < want:
		return fmt.Errorf("%w (it is at %d, this program needs %d)", ErrSchemaBehind, have, want)
	}
	due, err := p.HasPending(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's steps: %w", err)
	}
	if due {
		return fmt.Errorf("%w (it is at %d and lacks an earlier step)", ErrSchemaBehind, have)
	}
	return nil
}

// migrateLock is the key of the PostgreSQL advisory lock under which processes
// that start together migrate one after the other.
const migrateLock = 0x66726f6e74 // "front"

// Migrate takes every step that is due and returns those it took. Several
// processes may call it at once.
func (s *Store) Migrate(ctx context.Context) ([]Migration, error) {
	if s.d.name == "postgres" {
		unlock, err := s.lockMigrations(ctx)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	if err := s.CheckSchema(ctx); errors.Is(err, ErrSchemaAhead) || err == nil {
		return nil, err
	}
	p, err := s.provider()
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	taken, err := p.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	list := make([]Migration, 0, len(taken))
	for _, m := range taken {
		list = append(list, Migration{Version: m.Source.Version, Name: filepath.Base(m.Source.Path), Applied: true})
	}
	return list, nil
}

// lockMigrations waits for the lock. It asks again and again instead of waiting
// inside a session: where a pooler has few of them, those who wait would take
// them all, and whoever has the lock would get none to migrate in.
func (s *Store) lockMigrations(ctx context.Context) (unlock func(), err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		unlock, err := s.tryLockMigrations(ctx)
		if err != nil {
			return nil, fmt.Errorf("lock migrations: %w", err)
		}
		if unlock != nil {
			return unlock, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock migrations, which another process holds: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// tryLockMigrations takes the lock in a transaction of its own and holds that
// open: unlike a session's lock, this one also works through a pooler that
// shares sessions, and goes with the connection however the process ends. unlock
// is nil when another process has the lock.
func (s *Store) tryLockMigrations(ctx context.Context) (unlock func(), err error) {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return nil, err
	}
	locked := false
	_, err = tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0")
	if err == nil {
		err = tx.GetContext(ctx, &locked, fmt.Sprintf("SELECT pg_try_advisory_xact_lock(%d)", migrateLock))
	}
	if err != nil || !locked {
		_ = tx.Rollback() // it changed nothing
		return nil, err
	}
	return func() { _ = tx.Rollback() }, nil // nor has it now
}
