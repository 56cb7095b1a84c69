package dispatch_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// openStore opens and migrates the database of a URL.
func openStore(t *testing.T, url string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test has said what it had to
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if err := s.Detect(t.Context()); err != nil {
		t.Fatalf("detect the site's tables: %v", err)
	}
	return s
}

// Twenty who store and approve fifty drafts, over a pooler that gives all of
// them three sessions and each of them another one for every transaction.
func TestOnePostADraftThroughAPooler(t *testing.T) {
	t.Parallel()
	pooler := testenv.StartPgbouncer(t, testenv.Postgres(t))
	b := newBench(t, openStore(t, pooler.URL+"&default_query_exec_mode=exec", store.Options{}))
	const drafts, workers = 50, 20
	work := make(chan func() error, 2*drafts)
	pictures := map[string]string{}
	for i := range drafts {
		draft := b.draft(fmt.Sprintf("Draft %d", i), nil)
		img := b.spool(b.submit(draft, 1).Images[0].ID)
		pictures[draft] = img.ID
		work <- func() error { return b.upload(img.ID) }
		work <- func() error {
			_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane"})
			return err
		}
	}
	close(work)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for do := range work {
				if err := do(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for draft, img := range pictures {
		assertPublished(t, b, draft, img)
	}
	_, posts, err := b.store.Posts(t.Context(), store.PostFilter{Limit: 1})
	b.must(err)
	if events := b.notes.count("post.published"); posts != drafts || events != drafts {
		t.Errorf("%d posts and %d events for %d drafts, want one each", posts, events, drafts)
	}
}
