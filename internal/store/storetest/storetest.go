// Package storetest runs a test on every database: a SQLite file of its own,
// and a PostgreSQL database of its own where a server can be reached.
package storetest

import (
	"context"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// Each runs test once a database, in parallel.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite returns a migrated store on a file that goes with the test.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return open(t, "sqlite:"+filepath.Join(t.TempDir(), "frontispiece.db"))
}

// Postgres returns a migrated store on a database that goes with the test, and
// skips where there is no server. The migrations run once a test binary; every
// database is a copy of the result.
func Postgres(t testing.TB) *store.Store {
	t.Helper()
	return open(t, testenv.PostgresFrom(t, template(t)))
}

var migrated struct {
	sync.Mutex
	name string
}

// template is the name of a migrated database, made at first use. It stays
// until the server goes: another test may be copying it.
func template(t testing.TB) string {
	t.Helper()
	migrated.Lock()
	defer migrated.Unlock()
	if migrated.name != "" {
		return migrated.name
	}
	server := testenv.PostgresURL(t)
	name := "template_" + uuid.NewString()[:8]
	admin, err := sqlx.Open("pgx", server)
	if err != nil {
		t.Fatalf("open %s: %v", server, err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), `CREATE DATABASE `+name); err != nil {
		t.Fatalf("create template: %v", err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("parse %s: %v", server, err)
	}
	u.Path = "/" + name
	s := openAt(t, u.String())
	if err := s.Close(); err != nil { // a template with a connection cannot be copied
		t.Fatalf("close template: %v", err)
	}
	migrated.name = name
	return name
}

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	s := openAt(t, url)
	t.Cleanup(func() { _ = s.Close() }) // the test has said what it had to
	return s
}

func openAt(t testing.TB, url string) *store.Store {
	t.Helper()
	ctx := context.Background() // outlives t.Context in cleanups
	s, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	if _, err := s.Migrate(ctx); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if err := s.Detect(ctx); err != nil {
		t.Fatalf("detect the site's tables: %v", err)
	}
	return s
}
