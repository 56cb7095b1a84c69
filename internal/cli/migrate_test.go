package cli_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	says(t, s.mustType("migrate --plan"), "due", "00001_site.sql", "steps to take: frontispiece migrate", "no database at sqlite:")
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("a plan left %s behind", left[0].Name())
	}
	says(t, s.mustType("migrate"), "taken  00001_site.sql", "Done: ")
	says(t, s.mustType("migrate"), "Nothing to do")
	plan := s.mustType("migrate --plan")
	says(t, plan, "taken  00001_site.sql", "Nothing to do.")
	if strings.Contains(plan, "due ") {
		t.Errorf("a migrated database has steps due:\n%s", plan)
	}
}

// The machine's form says the same of a plan, of a run and of one that has
// nothing to do, and a plan of it writes nothing either.
func TestMigrateForPrograms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked := func(line string) (m struct {
		Database        string
		New             bool
		Taken, Due, Now []string
	},
	) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.mustType(line)), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return m
	}
	plan := asked("migrate --plan --json")
	if !plan.New || len(plan.Taken) > 0 || len(plan.Due) == 0 || plan.Due[0] != "00001_site.sql" || !strings.HasPrefix(plan.Database, "sqlite:") {
		t.Errorf("before there is a database the plan is %+v", plan)
	}
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("a plan left %s behind", left[0].Name())
	}
	run := asked("migrate --json")
	same(t, "steps taken by the run", plan.Due, run.Now)
	same(t, "steps that the database has", plan.Due, run.Taken)
	for _, line := range []string{"migrate --json", "migrate --plan --json"} {
		if again := asked(line); again.New || len(again.Now)+len(again.Due) > 0 || len(again.Taken) != len(run.Taken) {
			t.Errorf("%s of a database of this version says %+v", line, again)
		}
	}
}

// A site's database has tables of its own: the plan says that they are left
// alone, and changes nothing, not even to note the version.
func TestMigrateBesideTheSite(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	db, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.DB().ExecContext(t.Context(), `CREATE TABLE authors (id uuid PRIMARY KEY, name text); CREATE TABLE posts (id uuid PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "DATABASE_URL="+url)
	says(t, s.mustType("migrate --plan"), "due", "posts, authors are there: no column of theirs is changed or dropped",
		"content_tasks, categories, tags, post_tags are missing and would be made")
	var tables int
	if err := db.DB().GetContext(t.Context(), &tables, `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`); err != nil {
		t.Fatal(err)
	}
	if tables != 2 {
		t.Errorf("after a plan there are %d tables, want the site's 2", tables)
	}
	// The site's posts lack what publishing needs: refused by name.
	a := s.types("migrate")
	says(t, a.errors, "DATABASE_URL", "posts has no column")
	if strings.Count(a.errors, "\n") != 1 || a.code != 1 {
		t.Errorf("exit %d: %q", a.code, a.errors)
	}
}

func TestMigrateAhead(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	if _, err := s.store.DB().ExecContext(t.Context(), `INSERT INTO frontispiece_migrations (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"migrate", "migrate --plan", "jobs"} {
		a := s.types(command)
		says(t, a.errors, "DATABASE_URL", "newer version")
		if a.code != 1 || strings.Count(a.errors, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", command, a.code, a.errors)
		}
	}
}

// Beside a running API nothing is due; and should something be, it is not done
// under the API's feet.
func TestMigrateBesideARunningAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := runningAPI(t, s)
	defer a.Close()
	says(t, s.mustType("migrate"), "Nothing to do")
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(s.dir, "frontispiece.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.DB().ExecContext(t.Context(), `DELETE FROM frontispiece_migrations WHERE version_id > 1`); err != nil {
		t.Fatal(err)
	}
	got := s.types("migrate")
	says(t, got.errors, "DATA_DIR", "the API is running here; stop it")
	if got.code != 1 {
		t.Errorf("exit %d", got.code)
	}
}

// runningAPI is an embedded API, open and holding its folder.
func runningAPI(t *testing.T, s *site) *app.App {
	t.Helper()
	cfg, err := config.Load(s.environ)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), app.API, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}
