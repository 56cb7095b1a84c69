// Package testenv gives tests the real servers that "make test" has started: a
// PostgreSQL database of their own, a Redis database of their own, or a whole
// server that they may kill.
//
// A test that asks for what is not there is skipped with a line that says how
// to run it; under REQUIRE_SERVICES=1 it fails instead, so nothing is skipped
// unseen. Only tests may import this package.
//
// The trap: the numbered databases of one Redis share their publish/subscribe
// channels, so a test that cancels asynq tasks, counts servers or flushes wants
// [StartRedis].
package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

// Missing skips the test, or fails it under REQUIRE_SERVICES=1. what is the
// service or program, as in "PostgreSQL".
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_SERVICES") == "1" {
		t.Fatalf("REQUIRE_SERVICES=1 and there is no %s", what)
	}
	t.Skipf("needs %s: run make test", what)
}

// FreeAddr is a loopback address that nobody listens on at the moment. Its port
// is below those that the system gives to whoever asks for any, as clients do:
// one of them would have it before the program that it is meant for, or while
// that is down.
func FreeAddr(t testing.TB) string {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 12000+mrand.IntN(20000)))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port below 32000 is free")
	return ""
}

// PostgresURL is the server that all tests share, connected to its maintenance
// database as a superuser. Create databases in it, change nothing else; most
// tests want [Postgres].
func PostgresURL(t testing.TB) string {
	t.Helper()
	u := os.Getenv("TEST_POSTGRES_URL")
	if u == "" {
		Missing(t, "PostgreSQL (TEST_POSTGRES_URL)")
	}
	return u
}

// Postgres creates a database and returns its URL. It is dropped when the test
// ends, also with connections left open.
func Postgres(t testing.TB) string {
	t.Helper()
	return PostgresFrom(t, "template0")
}

// PostgresFrom is [Postgres] with a copy of the database template, to which
// nobody may be connected: migrate one once, copy it for each test.
func PostgresFrom(t testing.TB, template string) string {
	t.Helper()
	server := PostgresURL(t)
	name := "test_" + strings.ToLower(rand.Text())
	execute(t, server, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, pgx.Identifier{template}.Sanitize()))
	t.Cleanup(func() { execute(t, server, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name)) })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("TEST_POSTGRES_URL is not a URL")
	}
	u.Path = "/" + name
	return u.String()
}

// execute runs one statement outside any transaction. It has its own deadline,
// because a test's context has ended when its cleanup runs.
func execute(t testing.TB, url, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect to TEST_POSTGRES_URL: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }() // the statement has been answered
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Redis returns the URL of an empty numbered database on the shared Redis,
// which no other test of this run is given.
func Redis(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TEST_REDIS_URL")
	if server == "" {
		Missing(t, "Redis (TEST_REDIS_URL)")
	}
	opts, err := redis.ParseURL(server)
	if err != nil {
		t.Fatal("TEST_REDIS_URL is not a Redis URL")
	}
	client := redis.NewClient(opts)
	defer client.Close()
	// Database 0 only counts: packages test in processes of their own.
	n, err := client.Incr(t.Context(), "testenv:databases").Result()
	if err != nil {
		t.Fatalf("take a database of TEST_REDIS_URL: %v", err)
	}
	if n >= service.RedisDatabases {
		t.Fatalf("all %d databases of TEST_REDIS_URL were given away; start it anew", service.RedisDatabases)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("TEST_REDIS_URL is not a URL")
	}
	u.Path = fmt.Sprintf("/%d", n)
	return u.String()
}

// StartRedis starts a Redis for this test alone, to be killed, frozen, flushed
// or starved with extra settings ("--maxmemory", "2mb"). It is stopped when the
// test ends.
func StartRedis(t testing.TB, extra ...string) *service.Server {
	t.Helper()
	s, err := service.StartRedis(t.Context(), t.TempDir(), extra...)
	return started(t, s, err)
}

// StartPostgres starts a PostgreSQL for this test alone, with extra settings
// such as "max_connections=5". Creating its cluster takes about a second.
func StartPostgres(t testing.TB, extra ...string) *service.Server {
	t.Helper()
	s, err := service.StartPostgres(t.Context(), openFolder(t), extra...)
	return started(t, s, err)
}

// StartNginx starts an nginx for this test alone, with the configuration that is
// made for its address and its folder.
func StartNginx(t testing.TB, config func(addr, dir string) string) *service.Server {
	t.Helper()
	s, err := service.StartNginx(t.Context(), openFolder(t), config)
	return started(t, s, err)
}

func started(t testing.TB, s *service.Server, err error) *service.Server {
	t.Helper()
	check(t, err)
	t.Cleanup(s.Stop)
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, service.ErrMissing) {
		Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Root is the module's folder, where go.mod is.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
