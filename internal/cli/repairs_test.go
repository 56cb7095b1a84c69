package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// stored is a picture whose objects lie in the site's local directory, as old as
// the reaper wants it.
func (s *site) stored(prompt string) editorial.Image {
	s.t.Helper()
	ctx, d := s.t.Context(), s.dispatch()
	img, _, err := d.ClaimGenerate(ctx, s.submitted(prompt).Images[0].ID)
	s.must(err)
	img.SpoolID, img.RawSHA256, img.Key = "00112233445566778899aabbccddeeff", strings.Repeat("a", 64), dispatch.NewKey(img, "png")
	s.must(d.Spooled(ctx, img))
	img, _, err = d.ClaimUpload(ctx, img.ID)
	s.must(err)
	img.SHA256, img.Bytes = strings.Repeat("b", 64), 1000
	img.Renditions = []editorial.Rendition{{Key: img.Key + "-640.webp", Bytes: 24}}
	s.must(d.Finished(ctx, img))
	img.URL = "/images/" + img.Key
	s.must(d.Stored(ctx, img))
	for _, key := range img.Keys() {
		path := filepath.Join(s.dir, "images", key)
		s.must(os.MkdirAll(filepath.Dir(path), 0o755))
		s.must(os.WriteFile(path, []byte("bytes"), 0o644))
	}
	img.State = editorial.StateStored
	s.sql(`UPDATE images SET finalized_at = '2020-01-01T00:00:00.000Z', updated_at = '2020-01-01T00:00:00.000Z' WHERE id = ?`, img.ID)
	return img
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) sql(query string, args ...any) {
	s.t.Helper()
	_, err := s.store.DB().ExecContext(s.t.Context(), query, args...)
	s.must(err)
}

func (s *site) post(slug, picture string) string {
	s.t.Helper()
	id := uuid.NewString()
	s.sql(`INSERT INTO posts (id, title, slug, content, status, featured_image_url, cover_image_url) VALUES (?, ?, ?, 'Text.', 'published', ?, ?)`,
		id, "About "+slug, slug, picture, picture)
	return id
}

func (s *site) objects(img editorial.Image) (n int) {
	s.t.Helper()
	for _, key := range img.Keys() {
		if _, err := os.Stat(filepath.Join(s.dir, "images", key)); err == nil {
			n++
		}
	}
	return n
}

func TestReap(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	shown, loose := s.stored("shown in a post"), s.stored("shown nowhere")
	s.post("a-post", shown.URL)
	says(t, s.mustType("reap"), "Nothing to delete: 1 picture is in use")
	says(t, s.mustType("reap --unlinked"), loose.Key, "no draft asked for it", "1 picture", "With --delete they are")
	if s.objects(loose) != 2 {
		t.Fatal("listing deleted something")
	}
	says(t, s.mustType("reap --unlinked --delete"), "1 picture deleted, 1 KiB freed")
	if s.objects(loose) != 0 || s.objects(shown) != 2 {
		t.Errorf("%d objects of the loose picture are left, %d of the one in use", s.objects(loose), s.objects(shown))
	}
	says(t, s.mustType("reap --unlinked --delete"), "0 pictures deleted")
	img, err := s.store.Image(t.Context(), loose.ID)
	s.must(err)
	if img.State != editorial.StateRemoved || img.DeletedAt.IsZero() || img.Key != loose.Key {
		t.Errorf("the row is %s, deleted %v, key %q; want its key taken for ever", img.State, img.DeletedAt, img.Key)
	}
	for _, bad := range []string{"reap --grace 1m", "reap --max 0", "reap --plan --delete"} {
		if a := s.types(bad); a.code != 2 {
			t.Errorf("%s: exit %d", bad, a.code)
		}
	}
}

// A process that dies between the row and its objects has the next one finish.
func TestReapFinishesWhatAnotherBegan(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	img := s.stored("half deleted")
	s.post("a-post", "/images/generated/1-"+uuid.NewString()+".png")
	removed, err := s.dispatch().Reap(t.Context(), img, "test", "operator")
	if err != nil || !removed {
		t.Fatalf("removed %v, %v", removed, err)
	}
	says(t, s.mustType("reap"), img.Key, "removed already, its objects may be left")
	says(t, s.mustType("reap --delete"), "1 picture deleted")
	if s.objects(img) != 0 {
		t.Error("the objects are still there")
	}
}

func TestReapRefusesTheWrongDatabase(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	img := s.stored("the only one")
	a := s.types("reap --unlinked --delete")
	says(t, a.errors, "wrong database", "nothing is done")
	if a.code != 1 || s.objects(img) != 2 {
		t.Errorf("exit %d, %d objects", a.code, s.objects(img))
	}
}

func TestTakedown(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	img := s.stored("to be taken down")
	post := s.post("shows-it", img.URL)
	for _, name := range []string{img.ID, img.Key, img.URL, img.Key + "-640.webp"} {
		says(t, s.mustType("takedown "+name), "would be deleted  "+img.Key, "post without a picture  shows-it", "with --yes it is done", "up to a year")
	}
	if s.objects(img) != 2 {
		t.Fatal("saying deleted something")
	}
	says(t, s.mustType("takedown --yes --reason complaint "+img.Key), "deleted  "+img.Key+"-640.webp", "post without a picture  shows-it", "AWS_CLOUDFRONT_DISTRIBUTION_ID")
	p, err := s.store.Post(t.Context(), post)
	s.must(err)
	if s.objects(img) != 0 || p.FeaturedImageURL != "" || p.CoverImageURL != "" || p.Status != "published" {
		t.Errorf("%d objects, featured %q, cover %q, status %q", s.objects(img), p.FeaturedImageURL, p.CoverImageURL, p.Status)
	}
	says(t, s.mustType("takedown --yes "+img.ID), "deleted  "+img.Key)
	for _, unknown := range []string{uuid.NewString(), "generated/1-" + uuid.NewString() + ".png", "https://example.com/a.png", "../etc/passwd"} {
		if a := s.types("takedown --yes " + unknown); a.code != 1 || strings.Count(a.errors, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", unknown, a.code, a.errors)
		}
	}
}

func TestBackfillPlansAndFillsWithoutAWorker(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	s.post("no-picture", "")
	says(t, s.mustType("backfill --plan"), "COLUMN", "post no-picture", "featured_image_url", "missing", "--generate has one made", "set to Poindexter AI",
		"1 post lacks something: 0 pictures to copy, 0 to generate, 7 columns to fill. 2 columns are left. Without --plan it is done.")
	out := s.mustType("backfill")
	says(t, out, "Run ", "1 post mended", "To put everything back: frontispiece backfill --undo ")
	_, run, _ := strings.Cut(out, "--undo ")
	says(t, s.mustType("backfill --runs"), "STATE", "done", strings.TrimSpace(run))
	says(t, s.mustType("backfill --undo "+strings.TrimSpace(run)+" --plan"), "WOULD BE AGAIN", "no-picture", "author_id", "1 post would be as before, unless changed since. Without --plan they are.")
	says(t, s.mustType("backfill --runs"), "done")
	s.sql(`UPDATE posts SET author_id = NULL WHERE slug = 'no-picture'`)
	a := s.types("backfill --undo " + run)
	says(t, a.out, "not undone: changed since: author_id", "0 posts are as before, 1 changed since and left")
	if a.code != 1 {
		t.Errorf("exit %d, want 1: not all of it was undone", a.code)
	}
	for line, want := range map[string]string{
		"backfill --post no-such-post": "no post with this slug or id", "backfill --undo " + uuid.NewString(): "no such run",
	} {
		if a := s.types(line); a.code != 1 || !strings.Contains(a.errors, want) {
			t.Errorf("%s: exit %d, %q", line, a.code, a.errors)
		}
	}
	for _, line := range []string{"backfill --probe", "backfill --undo x --generate", "backfill --runs --generate"} {
		if a := s.types(line); a.code != 2 {
			t.Errorf("%s: exit %d", line, a.code)
		}
	}
}
