// Package store is the SQL, through sqlx, for PostgreSQL and SQLite: one file a
// table, every statement written once with ? and rebound. Methods on [Tx] are
// the steps that package dispatch composes into transactions; methods on
// [Reader] read, inside a transaction or outside.
//
// It holds no rules: what may follow what is editorial's, and which steps
// belong together is dispatch's. Its one trap: on SQLite every transaction is
// immediate, that is a writer, so reading alone never opens one.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
)

// ErrNotFound is returned when there is no such row.
var ErrNotFound = errors.New("no such row")

// ErrLostClaim is returned by every fenced write whose token no longer owns
// the row: somebody else does, and the caller stops quietly.
var ErrLostClaim = errors.New("the claim was lost")

// Store is a database that is migrated and ready. It is safe for concurrent use.
type Store struct {
	Reader
	db *sqlx.DB
	// writer queues the writers of a SQLite database in order of arrival: its
	// own busy handler polls, and under load starves whoever polls late.
	writer sync.Mutex
}

// Reader reads through a database or a transaction.
type Reader struct {
	ext  sqlx.ExtContext
	d    *dialect
	site *siteSchema
}

// Tx is a transaction under way. It must not be kept after [Store.InTx] returns.
type Tx struct {
	Reader
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Ping asks whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// DB is the database itself, for migrations, doctors and tests.
func (s *Store) DB() *sqlx.DB { return s.db }

// Dialect is "postgres" or "sqlite".
func (s *Store) Dialect() string { return s.d.name }

// maxTxTries bounds how often a transaction that the database itself broke off
// (deadlock, serialization, a busy file) is run again.
const maxTxTries = 5

// InTx runs fn in one transaction and commits when it returns nil. It runs fn
// again when the database broke the transaction off, so fn must change nothing
// but the database.
func (s *Store) InTx(ctx context.Context, fn func(*Tx) error) error {
	if s.d.singleWriter {
		s.writer.Lock()
		defer s.writer.Unlock()
	}
	for try := 1; ; try++ {
		err := s.inTxOnce(ctx, fn)
		if err == nil || try == maxTxTries || !s.d.isRetryable(err) {
			return err
		}
		pause := time.Duration(try) * time.Duration(5+rand.IntN(20)) * time.Millisecond
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (s *Store) inTxOnce(ctx context.Context, fn func(*Tx) error) (err error) {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first error is the one to tell
		}
	}()
	if err := fn(&Tx{Reader{ext: tx, d: s.d, site: s.site}}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// exec runs one writing statement outside a transaction.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if s.d.singleWriter {
		s.writer.Lock()
		defer s.writer.Unlock()
	}
	return s.Reader.exec(ctx, query, args...)
}

func (r *Reader) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := r.ext.ExecContext(ctx, r.d.sql(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// one scans the single row of a query; ErrNotFound when there is none.
func (r *Reader) one(ctx context.Context, dest any, query string, args ...any) error {
	err := sqlx.GetContext(ctx, r.ext, dest, r.d.sql(query), args...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

func (r *Reader) all(ctx context.Context, dest any, query string, args ...any) error {
	return sqlx.SelectContext(ctx, r.ext, dest, r.d.sql(query), args...)
}

// allIn is all with slices among args expanded where the query says (?).
func (r *Reader) allIn(ctx context.Context, dest any, query string, args ...any) error {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return err
	}
	return sqlx.SelectContext(ctx, r.ext, dest, r.d.expand(query), args...)
}

func (r *Reader) execIn(ctx context.Context, query string, args ...any) (int64, error) {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return 0, err
	}
	res, err := r.ext.ExecContext(ctx, r.d.expand(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// isUUID keeps PostgreSQL from refusing a comparison with what is no UUID: no
// row has such an id.
func isUUID(id string) bool { return uuid.Validate(id) == nil }

// fenced turns "no row changed" into ErrLostClaim.
func fenced(changed int64, err error) error {
	if err == nil && changed == 0 {
		return ErrLostClaim
	}
	return err
}
