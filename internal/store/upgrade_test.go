package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/migrations"
)

// A database that an older version left behind, at whichever step, ends where
// an empty one does; also one whose last step is ours and that lacks another.
func TestEachOlderDatabaseIsLifted(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		want := (&bench{storetest.SQLite(t), t}).schema()
		eachOlder(t, migrations.SQLite(), "sqlite", goose.DialectSQLite3, want, func(t *testing.T) string {
			return "sqlite:" + filepath.Join(t.TempDir(), "old.db")
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		want := (&bench{storetest.Postgres(t), t}).schema()
		eachOlder(t, migrations.Postgres(), "postgres", goose.DialectPostgres, want, func(t *testing.T) string { return testenv.Postgres(t) })
	})
}

func eachOlder(t *testing.T, files fs.FS, dir string, dialect goose.Dialect, want map[string][]string, empty func(*testing.T) string) {
	t.Helper()
	names, err := fs.Glob(files, dir+"/*.sql")
	if err != nil || len(names) < 2 {
		t.Fatalf("migrations: %v, %v", names, err)
	}
	known := fstest.MapFS{} // to the older version: one step more each time
	for i, name := range names {
		if i == len(names)-1 { // a version between two releases, in which a later step came first
			delete(known, path.Base(names[i/2]))
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		known[path.Base(name)] = &fstest.MapFile{Data: text}
		t.Run(fmt.Sprintf("with %d of %d, to %s", len(known), len(names), path.Base(name)), func(t *testing.T) {
			s, err := store.Open(t.Context(), empty(t), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() }) // its database goes as well
			b := &bench{s, t}
			versions, err := database.NewStore(dialect, "frontispiece_migrations")
			b.must(err)
			older, err := goose.NewProvider("", s.DB().DB, known, goose.WithStore(versions), goose.WithDisableGlobalRegistry(true))
			b.must(err)
			_, err = older.Up(t.Context())
			b.must(err)
			if err := s.CheckSchema(t.Context()); !errors.Is(err, store.ErrSchemaBehind) {
				t.Errorf("CheckSchema = %v, want ErrSchemaBehind", err)
			}
			taken, err := s.Migrate(t.Context())
			b.must(err)
			if len(taken) != len(names)-len(known) {
				t.Errorf("%d steps were taken, want the %d that the older version did not know", len(taken), len(names)-len(known))
			}
			b.must(s.CheckSchema(t.Context()))
			if diff := cmp.Diff(want, b.schema()); diff != "" {
				t.Errorf("the schema (-of an empty database +of this one):\n%s", diff)
			}
		})
	}
}
