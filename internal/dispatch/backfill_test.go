package dispatch_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/tasks"
)

// brokenPost is a post as the site left 35 of them: hot-linked, and NULL
// wherever a column may be.
func (b *bench) brokenPost(title string, columns map[string]any) string {
	b.t.Helper()
	id := uuid.NewString()
	b.sql(`INSERT INTO posts (id, title, slug, content, status) VALUES (?, ?, ?, ?, 'published')`, id, title, "slug-of-"+id, "About "+title+".")
	for name, value := range columns {
		b.sql(`UPDATE posts SET `+name+` = ? WHERE id = ?`, value, id)
	}
	return id
}

// sql changes rows behind the service's back, as the site does.
func (b *bench) sql(query string, args ...any) {
	b.t.Helper()
	if b.store.Dialect() == "postgres" {
		query = sqlx.Rebind(sqlx.DOLLAR, query)
	}
	_, err := b.store.DB().ExecContext(b.t.Context(), query, args...)
	b.must(err)
}

func (b *bench) run(generate bool) editorial.BackfillRun {
	b.t.Helper()
	run, _, err := b.StartBackfill(b.t.Context(), generate, "operator ann")
	b.must(err)
	return run
}

func (b *bench) backfill(run editorial.BackfillRun, postID string) editorial.BackfillChange {
	b.t.Helper()
	c, _, err := b.Backfill(b.t.Context(), run, postID, "operator ann")
	b.must(err)
	return c
}

func (b *bench) row(postID string) map[string]any {
	b.t.Helper()
	var row store.PostRow
	b.must(b.store.InTx(b.t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.LockPost(b.t.Context(), postID)
		return err
	}))
	return row.Columns
}

func (b *bench) post(id string) editorial.Post {
	b.t.Helper()
	p, err := b.store.Post(b.t.Context(), id)
	b.must(err)
	return p
}

const (
	hotlink   = "https://images.pexels.com/photos/1181671/pexels-photo-1181671.jpeg?auto=compress&cs=tinysrgb&h=650&w=940"
	corrupted = `[,",w,i,t,h,",,, ,",c,l,o,u,d,"`
)

func TestBackfillMendsAPostOfTheSite(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.draft("Sailing", map[string]any{"featured_image_url": hotlink, "category": "Sports", "task_metadata": map[string]any{
			"featured_image_photographer": "Ann Lens", "featured_image_source": "pexels", "featured_image_url": hotlink,
		}})
		id := b.brokenPost("Sailing home", map[string]any{"featured_image_url": hotlink, "seo_keywords": corrupted})
		before := b.row(id)
		run := b.run(false)

		c := b.backfill(run, id)
		if c.State != editorial.BackfillWaiting || c.JobID == "" {
			t.Fatalf("change is %+v, want one that waits for a copy", c)
		}
		if diff := cmp.Diff(before, b.row(id)); diff != "" {
			t.Errorf("the row changed before its picture was there:\n%s", diff)
		}
		job := b.job(c.JobID)
		want := &editorial.Credit{Author: "Ann Lens", Provider: "Pexels", License: "Pexels License", PageURL: "https://www.pexels.com/photo/1181671/"}
		if diff := cmp.Diff(want, job.Request.Credit); diff != "" {
			t.Errorf("credit (-want +got):\n%s", diff)
		}
		if job.Request.SourceURL != hotlink || job.Request.UseGeneration || job.Request.UseStock {
			t.Errorf("request is %+v, want a copy and nothing else", job.Request)
		}
		if bell := b.queue.rung[0]; bell.Queue != tasks.QueueBackfill {
			t.Errorf("rung in %s, want it behind fresh jobs", bell.Queue)
		}

		b.must(b.storeImage(job.Images[0].ID))
		c, err := b.FinishBackfill(t.Context(), c.ID)
		b.must(err)
		p := b.post(id)
		if c.State != editorial.BackfillApplied || !strings.HasPrefix(p.FeaturedImageURL, "https://cdn.test/generated/") || p.CoverImageURL != p.FeaturedImageURL {
			t.Errorf("%s: featured %q, cover %q", c.State, p.FeaturedImageURL, p.CoverImageURL)
		}
		if p.AuthorID != editorial.DefaultAuthorID || p.CreatedBy == "" || p.UpdatedBy == "" || !p.PublishedAt.Equal(p.CreatedAt.Truncate(time.Millisecond)) {
			t.Errorf("author %q, created_by %q, updated_by %q, published_at %v", p.AuthorID, p.CreatedBy, p.UpdatedBy, p.PublishedAt)
		}
		category, err := b.store.Category(t.Context(), p.CategoryID)
		b.must(err)
		tags, err := b.store.PostTags(t.Context(), id)
		b.must(err)
		if category.Name != "Sports" || p.SEOKeywords != "with, cloud" || len(tags) != 2 || len(p.TagIDs) != 2 {
			t.Errorf("category %q, keywords %q, tags %v, %v", category.Name, p.SEOKeywords, tags, p.TagIDs)
		}
		facts, _ := p.Metadata["featured_image"].(map[string]any)
		if facts["image_id"] != job.Images[0].ID {
			t.Errorf("metadata says %v", p.Metadata)
		}
		if told := b.queue.told(); len(told) != 1 {
			t.Errorf("the site was told %d times, want once", len(told))
		}

		c, err = b.UndoBackfill(t.Context(), c.ID, "operator ann")
		b.must(err)
		if diff := cmp.Diff(before, b.row(id)); diff != "" || c.State != editorial.BackfillUndone {
			t.Errorf("%s; after the undo (-before +now):\n%s", c.State, diff)
		}
	})
}

func TestBackfillPlansWithoutChangingAnything(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.brokenPost("A plan", map[string]any{"featured_image_url": "data:image/png;base64,AAAA"})
		before := b.row(id)
		findings, err := b.PlanBackfill(t.Context(), id, true)
		b.must(err)
		would := map[string]string{}
		for _, f := range findings {
			would[f.Column+" "+string(f.Problem)] = f.Would
		}
		author := "set to " + editorial.DefaultAuthorID
		want := map[string]string{
			"featured_image_url data_uri": "generated", "cover_image_url missing": "the same picture",
			"author_id missing": "set to Poindexter AI", "category_id missing": "set to Technology",
			"tag_ids missing": "set to Technology", "post_tags missing": "set to Technology",
			"created_by missing": author, "updated_by missing": author, "published_at missing": would["published_at missing"],
		}
		if diff := cmp.Diff(want, would); diff != "" || !strings.Contains(would["published_at missing"], "when the row was made") {
			t.Errorf("the plan (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, b.row(id)); diff != "" {
			t.Errorf("the plan changed the row:\n%s", diff)
		}
		for _, table := range []string{"authors", "categories", "tags", "image_jobs", "backfill_runs", "backfill_changes"} {
			var n int
			b.must(b.store.DB().GetContext(t.Context(), &n, `SELECT COUNT(*) FROM `+table))
			if n != 0 {
				t.Errorf("the plan left %d rows in %s", n, table)
			}
		}
	})
}

func TestBackfillNeverTouchesAPictureOfOurs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const ours = "https://cdn.test/generated/1702851234-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png"
		for name, tt := range map[string]struct{ featured, cover any }{
			"featured ours, cover missing": {ours, nil},
			"featured ours, cover foreign": {ours, hotlink},
			"cover ours, featured missing": {nil, ours},
			"cover ours, featured foreign": {hotlink, ours},
		} {
			id := b.brokenPost(name, map[string]any{"featured_image_url": tt.featured, "cover_image_url": tt.cover})
			c := b.backfill(b.run(true), id)
			p := b.post(id)
			if c.State != editorial.BackfillApplied || c.JobID != "" || p.FeaturedImageURL != ours || p.CoverImageURL != ours {
				t.Errorf("%s: %s, job %q, featured %q, cover %q", name, c.State, c.JobID, p.FeaturedImageURL, p.CoverImageURL)
			}
		}
	})
}

func TestBackfillWithoutAPictureToCopy(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, url := range []any{nil, "data:image/png;base64,AA", "/images/generated/post-1.png", `C:\Users\ann\sdxl.png`, "~/Downloads/sdxl.png"} {
			id := b.brokenPost("No picture", map[string]any{"featured_image_url": url})
			c := b.backfill(b.run(false), id)
			p := b.post(id)
			if c.State != editorial.BackfillApplied || c.JobID != "" || p.AuthorID == "" {
				t.Errorf("%v: %s, job %q, author %q; want the other columns filled", url, c.State, c.JobID, p.AuthorID)
			}
			if was, _ := url.(string); p.FeaturedImageURL != was || p.CoverImageURL != "" {
				t.Errorf("%v: featured %q, cover %q; want them left", url, p.FeaturedImageURL, p.CoverImageURL)
			}
		}
	})
}

func TestBackfillWhoseCopyFailsFillsTheRest(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.brokenPost("Dead link", map[string]any{"featured_image_url": hotlink})
		c := b.backfill(b.run(false), id)
		b.fail(b.job(c.JobID).Images[0].ID)
		c, err := b.FinishBackfill(t.Context(), c.ID)
		b.must(err)
		p := b.post(id)
		if c.State != editorial.BackfillApplied || !strings.Contains(c.Note, "the provider refuses this prompt") {
			t.Errorf("%s, note %q", c.State, c.Note)
		}
		if p.FeaturedImageURL != hotlink || p.AuthorID == "" {
			t.Errorf("featured %q, author %q", p.FeaturedImageURL, p.AuthorID)
		}
	})
}

// A driver may die after any step: whoever comes next finds the same run, the
// same change and the same job, and a worker's reconciler finishes what has its
// picture.
func TestBackfillIsContinuedAfterADeath(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.brokenPost("Twice", map[string]any{"featured_image_url": hotlink})
		run := b.run(false)
		first := b.backfill(run, id)
		again, continued, err := b.StartBackfill(t.Context(), false, "operator bob")
		b.must(err)
		if !continued || again.ID != run.ID {
			t.Errorf("a second start made run %s, want %s continued", again.ID, run.ID)
		}
		if second := b.backfill(again, id); second.ID != first.ID || second.JobID != first.JobID {
			t.Errorf("the post was begun again: %+v", second)
		}
		b.must(b.storeImage(b.job(first.JobID).Images[0].ID))
		b.reconcile()
		if p := b.post(id); !strings.HasPrefix(p.FeaturedImageURL, "https://cdn.test/") {
			t.Errorf("after the reconciler the post shows %q", p.FeaturedImageURL)
		}
		became := b.row(id)
		c, err := b.FinishBackfill(t.Context(), first.ID)
		b.must(err)
		if diff := cmp.Diff(became, b.row(id)); diff != "" || c.State != editorial.BackfillApplied {
			t.Errorf("finishing twice changed the row:\n%s", diff)
		}
		b.must(b.EndBackfill(t.Context(), run))
		if next := b.run(false); next.ID == run.ID {
			t.Error("a run that has ended was continued")
		}
	})
}

func (b *bench) reconcile() {
	b.t.Helper()
	_, err := b.Reconcile(b.t.Context())
	b.must(err)
}

func TestTwoBackfillsAtOnceAskForOnePicture(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.brokenPost("A race", map[string]any{"featured_image_url": hotlink})
		run := b.run(false)
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if _, _, err := b.Backfill(context.WithoutCancel(t.Context()), run, id, "operator"); err != nil {
					t.Errorf("backfill: %v", err)
				}
			})
		}
		all.Wait()
		var jobs int
		b.must(b.store.DB().GetContext(t.Context(), &jobs, `SELECT COUNT(*) FROM image_jobs`))
		if jobs != 1 {
			t.Errorf("%d jobs, want 1", jobs)
		}
	})
}

func TestUndoLeavesWhatWasChangedSince(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.brokenPost("Edited", nil)
		untouched := b.brokenPost("Viewed", nil)
		run := b.run(false)
		edited, viewed := b.backfill(run, id), b.backfill(run, untouched)
		other := uuid.NewString()
		b.sql(`UPDATE posts SET created_by = ? WHERE id = ?`, other, id)
		b.sql(`UPDATE posts SET view_count = 7 WHERE id = ?`, untouched)
		became := b.row(id)

		c, err := b.UndoBackfill(t.Context(), edited.ID, "operator")
		b.must(err)
		if c.State != editorial.BackfillApplied || c.Note != "not undone: changed since: created_by" {
			t.Errorf("%s, note %q", c.State, c.Note)
		}
		if diff := cmp.Diff(became, b.row(id)); diff != "" {
			t.Errorf("the undo changed it all the same:\n%s", diff)
		}
		c, err = b.UndoBackfill(t.Context(), viewed.ID, "operator")
		b.must(err)
		if p := b.post(untouched); c.State != editorial.BackfillUndone || p.AuthorID != "" || p.ViewCount != 7 {
			t.Errorf("%s: author %q, %d views; want the change undone and the views kept", c.State, p.AuthorID, p.ViewCount)
		}
		c, err = b.UndoBackfill(t.Context(), viewed.ID, "operator")
		b.must(err)
		if c.State != editorial.BackfillUndone {
			t.Errorf("a second undo: %s", c.State)
		}
	})
}

func TestUndoCancelsWhatStillWaits(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.brokenPost("Waiting", map[string]any{"featured_image_url": hotlink})
		before := b.row(id)
		c := b.backfill(b.run(false), id)
		c, err := b.UndoBackfill(t.Context(), c.ID, "operator")
		b.must(err)
		if job := b.job(c.JobID); c.State != editorial.BackfillKept || job.State != editorial.JobCanceled {
			t.Errorf("change %s, job %s", c.State, job.State)
		}
		b.reconcile()
		if diff := cmp.Diff(before, b.row(id)); diff != "" {
			t.Errorf("the row changed:\n%s", diff)
		}
	})
}

// A post of ours takes another picture through a round and an approval only.
func TestBackfillDoesNotPublishPastAnApproval(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Ours", nil)
		b.must(b.storeImage(b.submit(draft, 1).Images[0].ID))
		post := b.approve(draft).Post
		b.sql(`UPDATE posts SET featured_image_url = NULL, cover_image_url = NULL, author_id = NULL WHERE id = ?`, post.ID)
		c := b.backfill(b.run(true), post.ID)
		p := b.post(post.ID)
		if c.JobID != "" || p.FeaturedImageURL != "" || p.AuthorID == "" {
			t.Errorf("job %q, featured %q, author %q", c.JobID, p.FeaturedImageURL, p.AuthorID)
		}
		if !strings.Contains(c.Findings[0].Would, "approval") {
			t.Errorf("it says %q", c.Findings[0].Would)
		}
	})
}

func TestBackfillAsksNobodyWhoCannotAnswer(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.brokenPost("Nobody", nil)
		b.can.none = true
		_, _, err := b.Backfill(t.Context(), b.run(true), id, "operator")
		if codeOf(err) != "no_generator" {
			t.Errorf("error is %v, want no_generator", err)
		}
	})
}
