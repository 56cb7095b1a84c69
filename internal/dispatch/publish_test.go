package dispatch_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

func (b *bench) jobs() []editorial.Job {
	b.t.Helper()
	jobs, err := b.store.Jobs(b.t.Context(), store.JobFilter{Limit: 1000})
	b.must(err)
	return jobs
}

func (b *bench) updateDraft(id string, columns map[string]any) {
	b.t.Helper()
	b.must(b.store.InTx(b.t.Context(), func(tx *store.Tx) error {
		_, err := tx.UpdateDraft(b.t.Context(), id, columns)
		return err
	}))
}

// existingPost makes the post that the site's own pipeline would have made.
func (b *bench) existingPost(draftID string, tied bool) editorial.Post {
	b.t.Helper()
	p := editorial.Post{ID: uuid.NewString(), Title: "Old", Slug: "old-" + uuid.NewString()[:8], Content: "Old.", Status: "draft"}
	if tied {
		p.TaskID = draftID
	}
	b.must(b.store.InTx(b.t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertPost(b.t.Context(), p)
		return err
	}))
	return p
}

// assertPublished checks the post of a draft column by column (promise P8), and
// that there is one.
func assertPublished(t *testing.T, b *bench, draftID, imageID string) editorial.Post {
	t.Helper()
	state, err := b.store.DraftImages(t.Context(), draftID)
	b.must(err)
	if state.PublishedImageID != imageID {
		t.Fatalf("published image is %q, want %q", state.PublishedImageID, imageID)
	}
	img, err := b.store.Image(t.Context(), imageID)
	b.must(err)
	p, err := b.store.Post(t.Context(), state.PostID)
	b.must(err)
	for name, value := range map[string]string{
		"author_id": p.AuthorID, "category_id": p.CategoryID, "created_by": p.CreatedBy, "updated_by": p.UpdatedBy,
		"slug": p.Slug, "title": p.Title, "content": p.Content, "seo_title": p.SEOTitle,
	} {
		if value == "" && name != "created_by" {
			t.Errorf("posts.%s is empty", name)
		}
	}
	if p.FeaturedImageURL != img.URL || p.CoverImageURL != img.URL {
		t.Errorf("featured %q, cover %q, want %q", p.FeaturedImageURL, p.CoverImageURL, img.URL)
	}
	if p.PublishedAt.IsZero() || p.Status != "published" {
		t.Errorf("status %q, published at %s", p.Status, p.PublishedAt)
	}
	tags, err := b.store.PostTags(t.Context(), p.ID)
	b.must(err)
	if len(p.TagIDs) == 0 || len(tags) != len(p.TagIDs) {
		t.Errorf("%d tag_ids and %d post_tags, want the same number and at least one", len(p.TagIDs), len(tags))
	}
	d, err := b.store.Draft(t.Context(), draftID)
	b.must(err)
	if d.Status != editorial.DraftPublished || d.FeaturedImageURL != img.URL {
		t.Errorf("draft is %s with picture %q", d.Status, d.FeaturedImageURL)
	}
	return p
}

func TestEveryColumnOfAPublishedPostIsFilled(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Scaling Kubernetes on a budget", map[string]any{
			"excerpt": "How.", "category": "DevOps", "tags": []string{"kubernetes", "cost"},
			"task_metadata": map[string]any{"author": "Ann Author", "seo_keywords": `["scaling","cost"]`},
		})
		job := b.submit(draft, 1)
		b.must(b.storeImage(job.Images[0].ID))
		b.approve(draft)
		p := assertPublished(t, b, draft, job.Images[0].ID)
		author, err := b.store.Author(t.Context(), p.AuthorID)
		b.must(err)
		category, err := b.store.Category(t.Context(), p.CategoryID)
		b.must(err)
		if author.Name != "Ann Author" || category.Name != "DevOps" || p.SEOKeywords != "scaling, cost" {
			t.Errorf("author %q, category %q, keywords %q", author.Name, category.Name, p.SEOKeywords)
		}
		if p.CreatedBy != editorial.DefaultAuthorID || p.Metadata["reviewer"] != "jane" {
			t.Errorf("created_by %q, reviewer %v; want the site's own id and the name kept", p.CreatedBy, p.Metadata["reviewer"])
		}
		if p.Slug != "scaling-kubernetes-on-a-budget" {
			t.Errorf("slug %q", p.Slug)
		}
	})
}

func TestEqualTitlesGetSlugsOfTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		slugs := map[string]bool{}
		for range 3 {
			draft := b.draft("The same title", nil)
			img := b.submit(draft, 1).Images[0]
			b.must(b.storeImage(img.ID))
			b.approve(draft)
			slugs[assertPublished(t, b, draft, img.ID).Slug] = true
		}
		if len(slugs) != 3 {
			t.Fatalf("slugs %v, want three", slugs)
		}
	})
}

// An approval and a store that commit at the same moment must see each other.
// Without the lock on the draft's row, READ COMMITTED lets each miss the other
// and nothing is ever published: drop {lock} in store.LockDraft to see it.
func TestApprovalAndStoreAtTheSameMomentPublish(t *testing.T) {
	t.Parallel()
	const drafts = 1000
	b := newBench(t, storetest.Postgres(t))
	for i := range drafts {
		draft := b.draft(fmt.Sprintf("Draft %d", i), nil)
		img := b.spool(b.submit(draft, 1).Images[0].ID)
		start := make(chan struct{})
		var both sync.WaitGroup
		var storeErr, approveErr error
		both.Go(func() { <-start; storeErr = b.upload(img.ID) })
		both.Go(func() {
			<-start
			_, approveErr = b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane"})
		})
		close(start)
		both.Wait()
		if storeErr != nil || approveErr != nil {
			t.Fatalf("draft %d: store %v, approve %v", i, storeErr, approveErr)
		}
		state, err := b.store.DraftImages(t.Context(), draft)
		b.must(err)
		if state.PublishedImageID != img.ID {
			t.Fatalf("draft %d was approved and its picture stored, and nothing was published", i)
		}
	}
	if n := b.notes.count("post.published"); n != drafts {
		t.Fatalf("%d publish events for %d drafts", n, drafts)
	}
}

// Fifty goroutines at one draft: whatever the order, one post and one event.
func TestOneApprovalOnePost(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Everybody at once", nil)
		job := b.submit(draft, 3)
		var all sync.WaitGroup
		for _, img := range job.Images {
			all.Go(func() {
				if err := b.storeImage(img.ID); err != nil {
					t.Errorf("store: %v", err)
				}
			})
		}
		for range 20 {
			all.Go(func() {
				_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane"})
				if err != nil {
					t.Errorf("approve: %v", err)
				}
			})
		}
		all.Wait()
		assertPublished(t, b, draft, job.Images[0].ID)
		_, total, err := b.store.Posts(t.Context(), store.PostFilter{Limit: 10})
		b.must(err)
		if total != 1 || b.notes.count("post.published") != 1 || b.notes.count("post.updated") != 0 {
			t.Fatalf("%d posts, %d published, %d updated; want 1, 1, 0", total, b.notes.count("post.published"), b.notes.count("post.updated"))
		}
	})
}
