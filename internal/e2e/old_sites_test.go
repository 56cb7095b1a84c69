package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/cli"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/migrations"
)

// ages are the shapes in which the site's database is met.
var ages = []string{"2025_12", "2026_01", "2026_02", "2026_08"}

// oldSite is a site of some age with its 35 broken posts, an embedded API before
// its PostgreSQL, and a server that plays the stock photos' one.
type oldSite struct {
	*embedded
	url    string
	photos *photoServer
	env    []string
}

func newOldSite(t testing.TB, age string) *oldSite {
	t.Helper()
	url := testenv.Postgres(t)
	rows, err := os.ReadFile(filepath.Join("testdata", "site_"+age+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	photos := startPhotos(t)
	s := &oldSite{url: url, photos: photos, env: []string{
		"DATABASE_URL=" + url, "RENDITIONS=64", "TRUSTED_PICTURE_HOSTS=" + strings.TrimPrefix(photos.url, "http://"),
	}}
	s.embedded = newEmbedded(t, filepath.Join(t.TempDir(), "data"), s.env...)
	s.embedded.db = openDB(t, url)
	if _, err := s.db.ExecContext(t.Context(), strings.ReplaceAll(string(rows), "https://images.pexels.com", photos.url)); err != nil {
		t.Fatalf("site_%s.sql: %v", age, err)
	}
	return s
}

// photoServer answers every path that ends in pexels-photo-<id>.jpeg with a
// picture of its own.
type photoServer struct {
	url   string
	held  chan struct{} // while it is open nobody is answered; nil: everybody is
	asked atomic.Int64
}

func startPhotos(t testing.TB) *photoServer {
	t.Helper()
	p := &photoServer{held: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		select {
		case <-p.held:
		case <-r.Context().Done():
			return
		}
		if !strings.Contains(r.URL.Path, "/pexels-photo-") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		w.Write(photoOf(r.URL.Path))
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// photoOf is a picture that no other path has.
func photoOf(path string) []byte {
	sum := fnv.New64a()
	sum.Write([]byte(path))
	dice := rand.New(rand.NewPCG(sum.Sum64(), 1))
	img := image.NewRGBA(image.Rect(0, 0, 320, 256))
	base := color.RGBA{uint8(dice.IntN(200)), uint8(dice.IntN(200)), uint8(dice.IntN(200)), 255}
	for y := range 256 {
		for x := range 320 {
			img.SetRGBA(x, y, color.RGBA{base.R + uint8(x/8), base.G + uint8(y/8), base.B + uint8(dice.IntN(40)), 255})
		}
	}
	var b bytes.Buffer
	if png.Encode(&b, img) != nil {
		return nil // unreachable: a buffer takes everything
	}
	return b.Bytes()
}

// types runs the operators' command beside the API.
func (s *oldSite) types(ctx context.Context, line string) (code int, out, errs string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code = cli.Run(ctx, strings.Fields(line), append([]string{"DATA_DIR=" + s.data}, s.env...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func (s *oldSite) mustType(line string) string {
	s.t.Helper()
	code, out, errs := s.types(s.t.Context(), line)
	if code != 0 || errs != "" {
		s.t.Fatalf("frontispiece %s: exit %d\n%s%s", line, code, out, errs)
	}
	return out
}

// schema is every column of every table, as the database itself describes it.
func (s *oldSite) schema() map[string][]string {
	s.t.Helper()
	var rows []struct {
		Table  string `db:"table_name"`
		Column string `db:"description"`
	}
	s.must(s.db.SelectContext(s.t.Context(), &rows, `SELECT table_name, concat_ws(' ', column_name, data_type, character_maximum_length,
			is_nullable, column_default) AS description FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
		ORDER BY 1, 2`))
	schema := make(map[string][]string)
	for _, r := range rows {
		schema[r.Table] = append(schema[r.Table], r.Column)
	}
	return schema
}

// posts are the whole rows of the posts that the site had, as JSON text by slug.
func (s *oldSite) posts() map[string]string {
	s.t.Helper()
	var rows []struct {
		Slug string `db:"slug"`
		Row  string `db:"row"`
	}
	s.must(s.db.SelectContext(s.t.Context(), &rows, `SELECT slug, to_jsonb(p)::text AS row FROM posts p WHERE slug LIKE 'topic-number-__' OR slug LIKE 'topic-number-_'`))
	list := make(map[string]string, len(rows))
	for _, r := range rows {
		list[r.Slug] = r.Row
	}
	return list
}

func (s *oldSite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

var created = regexp.MustCompile(`CREATE TABLE (?:IF NOT EXISTS )?(\w+)`)

// knownTables are those that the migrations say they make, the site's where it
// has none included, and the one that counts them.
func knownTables(t testing.TB) map[string]bool {
	t.Helper()
	known := map[string]bool{"frontispiece_migrations": true}
	names, err := fs.Glob(migrations.Postgres(), "postgres/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations: %v, %v", names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrations.Postgres(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range created.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
	}
	return known
}

func TestMigratingASiteAddsOnlyOurTables(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			s := newOldSite(t, age)
			before := s.schema()
			plan := s.mustType("migrate --plan")
			if !strings.Contains(plan, "no column of theirs is changed or dropped") || !strings.Contains(plan, "due") {
				t.Errorf("the plan says:\n%s", plan)
			}
			if diff := cmp.Diff(before, s.schema()); diff != "" {
				t.Fatalf("the plan changed the schema:\n%s", diff)
			}
			rows := s.posts()
			s.mustType("migrate")
			after := s.schema()
			for table, columns := range before {
				if diff := cmp.Diff(columns, after[table]); diff != "" {
					t.Errorf("migrating changed the site's table %s (-before +after):\n%s", table, diff)
				}
				delete(after, table)
			}
			for table := range after {
				if !knownTables(t)[table] {
					t.Errorf("migrating made a table %s, which no migration names", table)
				}
			}
			if diff := cmp.Diff(rows, s.posts()); diff != "" {
				t.Errorf("migrating changed the site's posts:\n%s", diff)
			}
		})
	}
}

// A draft of the site is approved with the picture that its row names, and a new
// one is made and published, on every version of the database.
func TestEveryAgeOfTheSitePublishes(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			s := newOldSite(t, age)
			close(s.photos.held)
			s.start()
			const theirs = "a0000000-0000-4000-8000-000000000040"
			for _, draft := range []string{theirs, s.newDraft("A lighthouse at dawn")} {
				s.approve(draft)
				s.awaitStatus(draft, "published", embeddedBound)
				task := s.get("/api/tasks/" + draft).want(http.StatusOK).object()
				post := s.get("/api/posts/" + task["post_slug"].(string)).want(http.StatusOK).object()["data"].(map[string]any)
				for _, column := range []string{"featured_image_url", "author_id", "category_id", "published_at", "created_by", "updated_by"} {
					if post[column] == nil {
						t.Errorf("%s of %v is null", column, post["title"])
					}
				}
				if tags, _ := post["tag_ids"].([]any); len(tags) == 0 {
					t.Errorf("%v has no tags", post["title"])
				}
				if _, err := fetch(s.base + post["featured_image_url"].(string)); err != nil {
					t.Errorf("the picture of %v: %v", post["title"], err)
				}
			}
			if list := s.get("/api/posts?limit=100").want(http.StatusOK).object()["data"].([]any); len(list) != 37 {
				t.Errorf("the public list has %d posts, want the site's 35 and ours", len(list))
			}
		})
	}
}

// The whole of a backfill, on every version of the database: a plan that
// changes nothing, a run that is killed with the API in the middle of it, the
// rest, and the undo that leaves every row as it was.
func TestBackfillOfASiteAndItsUndo(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			s := newOldSite(t, age)
			s.start()
			before := s.posts()
			var plan []struct {
				Slug     string
				Findings []editorial.Finding
			}
			s.must(json.Unmarshal([]byte(s.mustType("backfill --plan --json")), &plan))
			if diff := cmp.Diff(before, s.posts()); len(plan) != 35 || diff != "" {
				t.Fatalf("the plan is about %d posts, want 35; it changed:\n%s", len(plan), diff)
			}

			s.interrupted()
			close(s.photos.held)
			out := s.mustType("backfill")
			run := s.finishedRun(out)
			s.wantMended()
			if jobs := s.count(`SELECT COUNT(*) FROM image_jobs`); jobs != 33 {
				t.Errorf("%d jobs, want one for each picture that can be copied", jobs)
			}
			if again := s.mustType("backfill --post topic-number-1"); !strings.Contains(again, "No published post lacks anything") {
				t.Errorf("a second run says:\n%s", again)
			}

			s.mustType("backfill --undo " + run)
			if diff := cmp.Diff(before, s.posts()); diff != "" {
				t.Errorf("after the undo (-before +now):\n%s", diff)
			}
			s.must(s.wantStatus("undone", run))
		})
	}
}

// interrupted runs a backfill until every place for pictures under way is
// taken, stops it there and kills the API.
func (s *oldSite) interrupted() {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	ended := make(chan string, 1)
	go func() {
		code, out, errs := s.types(ctx, "backfill")
		ended <- fmt.Sprintf("exit %d\n%s%s", code, out, errs)
	}()
	eventually(s.t, embeddedBound, func() error {
		if n := s.count(`SELECT COUNT(*) FROM backfill_changes WHERE state = 'waiting'`); n < 16 || s.photos.asked.Load() == 0 {
			return fmt.Errorf("%d posts wait", n)
		}
		return nil
	})
	stop()
	if said := <-ended; !strings.Contains(said, "exit 1") || !strings.Contains(said, "running it again") {
		s.t.Errorf("a backfill that was stopped says:\n%s", said)
	}
	s.api.kill()
	s.start()
}

func (s *oldSite) count(query string) (n int) {
	s.t.Helper()
	s.must(s.db.GetContext(s.t.Context(), &n, query))
	return n
}

// finishedRun is the id in a run's report, of which the dead link is a part.
func (s *oldSite) finishedRun(out string) string {
	s.t.Helper()
	if !strings.Contains(out, "Continuing run") || !strings.Contains(out, "answers 404") || !strings.Contains(out, "35 posts mended") {
		s.t.Fatalf("the backfill says:\n%s", out)
	}
	_, rest, _ := strings.Cut(out, "--undo ")
	return strings.TrimSpace(rest)
}

func (s *oldSite) wantMended() {
	s.t.Helper()
	list := s.get("/api/posts?limit=100").want(http.StatusOK).object()["data"].([]any)
	copied := 0
	for _, item := range list {
		post := item.(map[string]any)
		for _, column := range []string{"author_id", "category_id", "published_at", "created_by", "updated_by"} {
			if post[column] == nil {
				s.t.Errorf("%s of %v is null", column, post["slug"])
			}
		}
		if tags, _ := post["tag_ids"].([]any); len(tags) == 0 || post["seo_keywords"] != "with, cloud" {
			s.t.Errorf("%v: tags %v, keywords %v", post["slug"], tags, post["seo_keywords"])
		}
		url, _ := post["featured_image_url"].(string)
		if !strings.HasPrefix(url, "/images/generated/") || post["cover_image_url"] != url {
			continue
		}
		if _, err := fetch(s.base + url); err == nil {
			copied++
		}
	}
	if len(list) != 35 || copied != 32 {
		s.t.Errorf("%d posts, %d with a picture of ours that can be fetched; want 35 and the 32 that could be copied", len(list), copied)
	}
	credits := s.count(`SELECT COUNT(*) FROM images WHERE state = 'stored' AND credit->>'author' LIKE 'Photographer %' AND credit->>'provider' = 'Pexels'`)
	if credits != 32 {
		s.t.Errorf("%d copies have their photographer's credit, want 32", credits)
	}
}

func (s *oldSite) wantStatus(state, run string) error {
	var got string
	err := s.db.GetContext(s.t.Context(), &got, `SELECT state FROM backfill_runs WHERE id = $1`, run)
	if err == nil && got != state {
		err = fmt.Errorf("run %s is %s, want %s", run, got, state)
	}
	return err
}
