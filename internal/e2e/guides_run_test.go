package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
)

// The two guides that somebody with a production follows, typed at one: a
// database and a Redis of its own, an S3 server with the module's rights, and
// the cache that readers ask. A backup is taken back while nothing runs, as
// operations.md says.
func TestCommandsWorkInProduction(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"production", "operations"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, plan{
				workers: 1, env: []string{"JWT_SECRET_KEY=" + strings.Repeat("0123456789abcdef", 2), "EDITORS=7", "OPERATORS=1"},
				uploader: func(t testing.TB, gw blobtest.Gateway) blobtest.Gateway {
					uploader := gw.User(t, "uploader")
					grantModuleRights(t, gw, uploader.AccessKeyID, "*")
					return uploader
				},
				readers: startCache,
			})
			dir, env := t.TempDir(), append(slices.Clone(s.workers[0].env), "API="+s.base)
			for _, b := range blocks(t, guide(t, name)) {
				switch b.mark {
				case "":
					shell(t, dir, env, b.script)
				case "needs=postgres":
					for _, p := range []*program{s.workers[0], s.api} {
						if code := p.stop(syscall.SIGTERM, soon); code != 0 {
							t.Errorf("%s ended with %d", p.name, code)
						}
					}
					shell(t, dir, env, b.script)
					s.api.start()
					s.api.awaitReady(s.base)
					s.workers[0].start()
				}
			}
		})
	}
}

var (
	exported = regexp.MustCompile(`(?m)^export ([A-Z_]+)=`)
	listedID = regexp.MustCompile(`(?m)^[0-9a-f]{8}-[0-9a-f-]{27}`)
)

// moving.md from its first command to its last, on the site's database of
// August 2026: the posts get pictures, and undoing both runs gives every row
// back as it was.
func TestCommandsOfTheMove(t *testing.T) {
	t.Parallel()
	s := newOldSite(t, "2026_08")
	close(s.photos.held)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(backend.Close)
	values := map[string]string{
		"DATABASE_URL": s.url, "SITE_BACKEND_URL": backend.URL, "REVALIDATE_URL": backend.URL,
		"JWT_SECRET_KEY": strings.Repeat("0123456789abcdef", 2), "EDITORS": "7",
	}
	dir, before := t.TempDir(), s.posts()
	for _, b := range blocks(t, guide(t, "moving")) {
		if b.mark == "" {
			s.typeEach(dir, b.script)
			continue
		}
		for _, m := range exported.FindAllStringSubmatch(b.script, -1) {
			if values[m[1]] == "" {
				t.Fatalf("moving.md sets %s, and this test has no value for it", m[1])
			}
			s.api.env = append(s.api.env, m[1]+"="+values[m[1]])
		}
		if strings.HasSuffix(b.script, "\napi\n") {
			s.start()
			s.get("/api/metrics").want(http.StatusTeapot) // the backend's own answer
		}
	}
	if diff := cmp.Diff(before, s.posts()); diff != "" {
		t.Errorf("after the undo (-before +now):\n%s", diff)
	}
	backup, err := os.ReadFile(filepath.Join(dir, "before.sql"))
	if err != nil || !strings.Contains(string(backup), "COPY public.posts") || strings.Contains(string(backup), "image_jobs") {
		t.Errorf("before.sql is not the database before us: %d bytes, %v", len(backup), err)
	}
}

// typeEach types one command after the other, with what an earlier one listed in
// the place of RUN, and a picture that is there in that of PICTURE.
func (s *oldSite) typeEach(dir, script string) {
	s.t.Helper()
	t := s.t.(*testing.T)
	var runs []string
	for line := range strings.Lines(script) {
		switch {
		case strings.Contains(line, " RUN"):
			if len(runs) != 2 {
				t.Errorf("%d runs are listed, want that of backfill and that of backfill --generate", len(runs))
			}
			for _, id := range runs {
				shell(t, dir, s.api.env, strings.Replace(line, "RUN", id, 1))
			}
		case strings.Contains(line, " PICTURE"):
			var picture struct{ ID, Key string }
			s.must(s.db.GetContext(t.Context(), &picture, `SELECT id, key FROM images WHERE state = 'stored' LIMIT 1`))
			shell(t, dir, s.api.env, strings.Replace(line, "PICTURE", picture.ID, 1))
			s.get("/images/" + picture.Key).want(http.StatusNotFound)
		default:
			runs = listedID.FindAllString(shell(t, dir, s.api.env, line), -1)
		}
	}
}
