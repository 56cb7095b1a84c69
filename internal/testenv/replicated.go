package testenv

import (
	"os"
	"testing"

	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

// StartSentinels starts a Redis master, its replica and three sentinels for
// this test alone, to fail over. It takes about three seconds.
func StartSentinels(t testing.TB) *service.Sentinels {
	t.Helper()
	s, err := service.StartSentinels(t.Context(), t.TempDir())
	t.Cleanup(s.Stop)
	check(t, err)
	return s
}

// StartPgbouncer starts a pooler for this test alone, in front of the database
// of a URL that [Postgres] gave: transactions over three sessions. extra are
// lines of its configuration, such as "ignore_startup_parameters = x".
func StartPgbouncer(t testing.TB, databaseURL string, extra ...string) *service.Server {
	t.Helper()
	s, err := service.StartPgbouncer(t.Context(), openFolder(t), databaseURL, extra...)
	return started(t, s, err)
}

// openFolder is a folder for a server that refuses to run as root. Not
// t.TempDir: its parent is closed to the user whom the server runs as.
func openFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "frontispiece-server-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
