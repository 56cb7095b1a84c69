package testenv_test

import (
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	first, second := testenv.Postgres(t), testenv.Postgres(t)
	a, b := connect(t, first), connect(t, second)
	if _, err := a.Exec(t.Context(), "CREATE TABLE mine (n int)"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Exec(t.Context(), "SELECT n FROM mine"); err == nil {
		t.Error("a table of one test is seen by another")
	}
	// Left open on purpose: the drop must not wait for connections.
}

func TestATemplateIsCopied(t *testing.T) {
	t.Parallel()
	template := testenv.Postgres(t)
	conn := connect(t, template)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE migrated (n int)"); err != nil {
		t.Fatal(err)
	}
	name := conn.Config().Database
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	clone := connect(t, testenv.PostgresFrom(t, name))
	if _, err := clone.Exec(t.Context(), "SELECT n FROM migrated"); err != nil {
		t.Errorf("the copy lacks the template's table: %v", err)
	}
}

func TestADatabaseIsGoneAfterItsTest(t *testing.T) { //nolint:tparallel // it waits for its subtest's cleanup
	t.Parallel()
	testenv.PostgresURL(t)
	var url string
	t.Run("inner", func(t *testing.T) { url = testenv.Postgres(t); connect(t, url) })
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a test's database was left behind")
	}
}

func TestRedisDatabasesAreApart(t *testing.T) {
	t.Parallel()
	open := func() *redis.Client {
		opts, err := redis.ParseURL(testenv.Redis(t))
		if err != nil {
			t.Fatal(err)
		}
		c := redis.NewClient(opts)
		t.Cleanup(func() { c.Close() })
		return c
	}
	a, b := open(), open()
	if err := a.Set(t.Context(), "key", 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("a fresh database holds %d keys, %v", n, err)
	}
}

func TestPostgresKeepsCommitsWhenKilled(t *testing.T) {
	t.Parallel()
	s := testenv.StartPostgres(t, "max_connections=20")
	conn := connect(t, s.URL)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(syscall.SIGQUIT); err != nil { // "immediate": no checkpoint
		t.Fatal(err)
	}
	s.Stop()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := connect(t, s.URL).QueryRow(t.Context(), "SELECT n FROM kept").Scan(&n); err != nil || n != 7 {
		t.Errorf("after a crash: %d, %v", n, err)
	}
}
