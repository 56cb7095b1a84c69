package store_test

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
	"github.com/glad-labs/frontispiece/migrations"
)

func TestBothDatabasesHaveTheSameMigrations(t *testing.T) {
	t.Parallel()
	names := func(files fs.FS, dir string) []string {
		list, err := fs.Glob(files, dir+"/*.sql")
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %v, %v", dir, list, err)
		}
		for i := range list {
			list[i] = filepath.Base(list[i])
		}
		return list
	}
	if diff := cmp.Diff(names(migrations.Postgres(), "postgres"), names(migrations.SQLite(), "sqlite")); diff != "" {
		t.Errorf("migrations (-postgres +sqlite):\n%s", diff)
	}
}

// schema is every table with its columns, and every index that has a name.
func (b *bench) schema() map[string][]string {
	b.t.Helper()
	query := `SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'
		UNION ALL SELECT 'indexes', name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`
	if b.Dialect() == "postgres" {
		query = `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
			UNION ALL SELECT 'indexes', indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT IN
				(SELECT conname FROM pg_constraint)`
	}
	rows, err := b.DB().QueryxContext(b.t.Context(), query)
	b.must(err)
	defer rows.Close()
	schema := map[string][]string{}
	for rows.Next() {
		var table, column string
		b.must(rows.Scan(&table, &column))
		if !strings.HasPrefix(table, "sqlite_") && table != "frontispiece_migrations" {
			schema[table] = append(schema[table], column)
		}
	}
	b.must(rows.Err())
	for _, columns := range schema {
		slices.Sort(columns)
	}
	return schema
}

func TestBothDatabasesEndInTheSameSchema(t *testing.T) {
	t.Parallel()
	postgres, sqlite := &bench{storetest.Postgres(t), t}, &bench{storetest.SQLite(t), t}
	want, got := postgres.schema(), sqlite.schema()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables, columns and indexes (-postgres +sqlite):\n%s", diff)
	}
	for _, table := range []string{"image_jobs", "images", "draft_images", "content_tasks", "posts"} {
		if !slices.Contains(slices.Collect(maps.Keys(got)), table) {
			t.Errorf("there is no table %s", table)
		}
	}
}

func TestMigratingTwiceIsMigratingOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		taken, err := b.Migrate(t.Context())
		if len(taken) != 0 || err != nil {
			t.Errorf("Migrate = %v, %v; want nothing to do", taken, err)
		}
		b.must(b.CheckSchema(t.Context()))
		list, err := b.Migrations(t.Context())
		b.must(err)
		for _, m := range list {
			if !m.Applied {
				t.Errorf("%s is not applied", m.Name)
			}
		}
	})
}

func TestASchemaOfAnotherAge(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(`DELETE FROM frontispiece_migrations WHERE version_id = (SELECT MAX(version_id) FROM frontispiece_migrations)`)
		if err := b.CheckSchema(t.Context()); !errors.Is(err, store.ErrSchemaBehind) {
			t.Errorf("with a step missing: %v, want ErrSchemaBehind", err)
		}
		applied := "1"
		if b.Dialect() == "postgres" {
			applied = "true"
		}
		b.exec(`INSERT INTO frontispiece_migrations (version_id, is_applied) VALUES (99999, ` + applied + `)`)
		for name, check := range map[string]func() error{
			"CheckSchema": func() error { return b.CheckSchema(t.Context()) },
			"Migrate":     func() error { return ignoring(b.Migrate(t.Context())) },
		} {
			if err := check(); !errors.Is(err, store.ErrSchemaAhead) || !strings.Contains(err.Error(), "99999") {
				t.Errorf("%s of a newer schema: %v, want ErrSchemaAhead with its number", name, err)
			}
		}
	})
}

func TestARequiredColumnThatIsMissingIsNamed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(`ALTER TABLE posts DROP COLUMN featured_image_url`)
		err := b.Detect(t.Context())
		if err == nil || !strings.Contains(err.Error(), "posts") || !strings.Contains(err.Error(), "featured_image_url") {
			t.Errorf("Detect = %v, want it to name posts and featured_image_url", err)
		}
	})
}

// The site's versions differ: what a table lacks is neither needed nor added.
func TestOptionalColumnsMayBeMissing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, column := range []string{"view_count", "metadata", "created_by", "updated_by", "cover_image_url", "tag_ids"} {
			b.exec(`ALTER TABLE posts DROP COLUMN ` + column)
		}
		b.exec(`ALTER TABLE content_tasks DROP COLUMN category`)
		b.must(b.Detect(t.Context()))
		post := editorial.Post{ID: newPostID(), Title: "T", Slug: "t", Content: "C", Status: "published", CreatedBy: "someone", TagIDs: []string{newPostID()}}
		b.tx(func(tx *store.Tx) error {
			_, err := tx.InsertPost(t.Context(), post)
			return errors.Join(err, tx.UpdatePost(t.Context(), post), tx.InsertDraft(t.Context(), newID(), map[string]any{
				"topic": "T", "category": "kept nowhere",
			}))
		})
		if got, err := b.Post(t.Context(), post.ID); err != nil || got.Title != "T" || got.CreatedBy != "" {
			t.Errorf("post %+v, %v", got, err)
		}
		if drafts, n, err := b.Drafts(t.Context(), store.DraftFilter{Category: "any", Limit: 5}); n != 1 || len(drafts) != 1 || err != nil {
			t.Errorf("%d drafts, %v; a filter on a column that is missing is no filter", n, err)
		}
	})
}
