package app_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, environ ...string) (*app.App, error) {
	t.Helper()
	cfg, err := config.Load(environ)
	if err != nil {
		t.Fatalf("the configuration itself is refused: %v", err)
	}
	return app.Open(t.Context(), app.API, cfg, slog.New(slog.DiscardHandler))
}

// A configuration that cannot work ends with one line that names the variable,
// what is wrong and the fix, and holds no secret.
func TestOpenRefusesWithOneLine(t *testing.T) {
	t.Parallel()
	const secret = "hunter2secret"
	tests := []struct {
		name    string
		environ func(t *testing.T) []string
		want    []string
	}{
		{"nothing listens at the database's port", func(*testing.T) []string {
			return []string{"DATABASE_URL=postgres://me:" + secret + "@127.0.0.1:1/site?sslmode=disable"}
		}, []string{"DATABASE_URL", "nothing listens", "running"}},
		{"the database's host does not exist", func(*testing.T) []string {
			return []string{"DATABASE_URL=postgres://me:" + secret + "@no-such-host.invalid/site"}
		}, []string{"DATABASE_URL", "no host of this name"}},
		{"the database does not exist", func(t *testing.T) []string {
			return []string{"DATABASE_URL=" + strings.Replace(testenv.PostgresURL(t), "/postgres?", "/no_such_site?", 1)}
		}, []string{"DATABASE_URL", "no database of this name"}},
		{"the file is no database", func(t *testing.T) []string {
			file := filepath.Join(t.TempDir(), "site.db")
			if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"DATABASE_URL=sqlite:" + file}
		}, []string{"DATABASE_URL", "no SQLite database"}},
		{"the schema is ahead", func(t *testing.T) []string {
			file := filepath.Join(t.TempDir(), "site.db")
			migrated(t, file, `INSERT INTO frontispiece_migrations (version_id, is_applied) VALUES (9999, 1)`)
			return []string{"DATABASE_URL=sqlite:" + file}
		}, []string{"DATABASE_URL", "newer version"}},
		{"a column is missing", func(t *testing.T) []string {
			file := filepath.Join(t.TempDir(), "site.db")
			migrated(t, file, `ALTER TABLE posts DROP COLUMN featured_image_url`)
			return []string{"DATABASE_URL=sqlite:" + file}
		}, []string{"DATABASE_URL", "posts", "featured_image_url"}},
		{"the workflow is not there", func(*testing.T) []string {
			return []string{"GENERATORS=card:,comfyui+http://u:" + secret + "@127.0.0.1:1?workflow=/no/such/workflow.json"}
		}, []string{"GENERATORS", "comfyui+http://", "/no/such/workflow.json"}},
		{"the workflow has no place for the prompt", func(t *testing.T) []string {
			file := filepath.Join(t.TempDir(), "w.json")
			if err := os.WriteFile(file, []byte(`{"1":{"class_type":"X","inputs":{"seed":"{{seed}}"}}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"GENERATORS=comfyui+http://127.0.0.1:1?workflow=" + file}
		}, []string{"GENERATORS", "has no {{prompt}}"}},
		{"a generator's setting that there is not", func(*testing.T) []string {
			return []string{"GENERATORS=sdcpp+http://u:" + secret + "@127.0.0.1:1?model=x"}
		}, []string{"GENERATORS", `setting "model"`}},
		{"the spool is a file", func(t *testing.T) []string {
			file := filepath.Join(t.TempDir(), "spool")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{"SPOOL_DIR=" + file}
		}, []string{"SPOOL_DIR"}},
		{"Redis wants another password", func(t *testing.T) []string {
			server := testenv.StartRedis(t)
			client := redis.NewClient(&redis.Options{Addr: server.Addr})
			defer client.Close()
			if err := client.ConfigSet(t.Context(), "requirepass", "another").Err(); err != nil {
				t.Fatal(err)
			}
			return []string{"DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "x.db"), "REDIS_URL=redis://:" + secret + "@" + server.Addr}
		}, []string{"REDIS_URL", "refuses"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := open(t, append(tt.environ(t), "DATA_DIR="+t.TempDir())...)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it opened"), a.Close()))
			}
			line := err.Error()
			for _, want := range tt.want {
				if !strings.Contains(line, want) {
					t.Errorf("%q does not say %q", line, want)
				}
			}
			if strings.Contains(line, secret) || strings.Contains(line, "\n") {
				t.Errorf("a secret or a second line: %q", line)
			}
		})
	}
}

// migrated makes a database and changes it.
func migrated(t *testing.T, file, change string) {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB().ExecContext(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

// Redis may be away when a process starts: the rows are elsewhere.
func TestOpenWithoutRedis(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := open(t, "DATA_DIR="+dir, "DATABASE_URL=sqlite:"+filepath.Join(dir, "x.db"), "REDIS_URL=redis://127.0.0.1:1")
	if err != nil {
		t.Fatalf("refused to start: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestOneProcessAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := open(t, "DATA_DIR="+dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, "DATA_DIR="+dir); err == nil || !strings.Contains(err.Error(), "DATA_DIR") {
		t.Errorf("a second process: %v, want a refusal that names DATA_DIR", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := open(t, "DATA_DIR="+dir)
	if err != nil {
		t.Fatalf("after the first has closed: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
