package dispatch_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

func (b *bench) image(id string) editorial.Image {
	b.t.Helper()
	img, err := b.store.Image(b.t.Context(), id)
	b.must(err)
	return img
}

// published is a post of ours with its draft and its two candidates, of which
// the first is public.
func (b *bench) published(title string) (draft string, post editorial.Post, shown, other editorial.Image) {
	b.t.Helper()
	draft = b.draft(title, nil)
	job := b.submit(draft, 2)
	for _, img := range job.Images {
		b.must(b.storeImage(img.ID))
	}
	o := b.approve(draft)
	return draft, b.post(o.Post.ID), b.image(job.Images[0].ID), b.image(job.Images[1].ID)
}

func TestReapTakesOnlyWhatNobodyUses(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft, post, shown, other := b.published("Reaping")
		if removed, err := b.Reap(t.Context(), shown, "test", "operator"); err != nil || removed {
			t.Errorf("the public picture: removed %v, %v", removed, err)
		}
		removed, err := b.Reap(t.Context(), other, "not chosen", "operator")
		b.must(err)
		if got := b.image(other.ID); !removed || got.State != editorial.StateRemoved || got.RemovedAt.IsZero() || !got.DeletedAt.IsZero() || got.Key != other.Key {
			t.Errorf("removed %v, image %+v", removed, got)
		}
		if again, err := b.Reap(t.Context(), other, "not chosen", "operator"); err != nil || again {
			t.Errorf("a second time: %v, %v", again, err)
		}
		if err := b.Choose(t.Context(), draft, other.ID, "ann"); codeOf(err) != "picture_removed" {
			t.Errorf("choosing it: %v, want picture_removed", err)
		}
		_, err = b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "ann", ImageID: other.ID})
		if codeOf(err) != "picture_removed" {
			t.Errorf("approving it: %v, want picture_removed", err)
		}
		if p := b.post(post.ID); p.FeaturedImageURL != shown.URL {
			t.Errorf("the post shows %q", p.FeaturedImageURL)
		}
	})
}

func TestReapLeavesWhatAnyTextNames(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for name, put := range map[string]func(img editorial.Image){
			"a post's cover": func(img editorial.Image) {
				b.brokenPost("P", map[string]any{"cover_image_url": img.URL})
			},
			"a post's text, through an image proxy": func(img editorial.Image) {
				b.brokenPost("P", map[string]any{"content": `<img src="/_next/image?url=https%3A%2F%2Fcdn.test%2F` + strings.ReplaceAll(img.Key, "/", "%2F") + `&w=640">`})
			},
			"a post's text, as a rendition": func(img editorial.Image) {
				b.brokenPost("P", map[string]any{"content": "![](" + img.URL + "-640.webp)"})
			},
			"a post's metadata": func(img editorial.Image) {
				b.brokenPost("P", map[string]any{"metadata": `{"gallery":["` + img.URL + `"]}`})
			},
			"another draft's text": func(img editorial.Image) {
				b.draft("D", map[string]any{"content": "see " + img.URL})
			},
			"another draft's metadata": func(img editorial.Image) {
				b.draft("D", map[string]any{"task_metadata": map[string]any{"recent": []any{img.URL}}})
			},
			"another draft's choice": func(img editorial.Image) {
				b.must(b.Choose(t.Context(), b.draft("D", nil), img.ID, "ann"))
			},
		} {
			_, _, _, other := b.published(name)
			put(other)
			if removed, err := b.Reap(t.Context(), other, "test", "operator"); err != nil || removed {
				t.Errorf("%s: removed %v, %v", name, removed, err)
			}
			if got := b.image(other.ID); got.State != editorial.StateStored {
				t.Errorf("%s: the image is %s", name, got.State)
			}
		}
	})
}

// Whoever is first wins, and never both: a chosen picture is not deleted, a
// removed one not chosen.
func TestReapAndChooseAtTheSameMoment(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for range 10 {
			_, _, _, img := b.published("A race")
			draft := b.draft("Another draft", nil)
			var removed bool
			var chosen, failed error
			var both sync.WaitGroup
			both.Go(func() { removed, failed = b.Reap(t.Context(), img, "test", "operator") })
			both.Go(func() { chosen = b.Choose(t.Context(), draft, img.ID, "ann") })
			both.Wait()
			b.must(failed)
			if removed == (chosen == nil) {
				t.Fatalf("removed %v, choosing it: %v", removed, chosen)
			}
		}
	})
}

func TestTakedownClearsEverythingThatShowsAPicture(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft, post, shown, other := b.published("Taken down")
		text := b.brokenPost("In the text", map[string]any{"content": "![](" + shown.URL + ")"})
		copied := b.brokenPost("Elsewhere", map[string]any{"featured_image_url": shown.URL, "metadata": `{"note":"kept"}`})

		plan, err := b.PlanTakedown(t.Context(), shown.ID)
		b.must(err)
		if got := b.image(shown.ID); got.State != editorial.StateStored || len(plan.Posts) != 2 || len(plan.Texts) != 1 {
			t.Errorf("after the plan the image is %s; posts %d, texts %d", got.State, len(plan.Posts), len(plan.Texts))
		}
		before := len(b.queue.told())
		done, err := b.TakeDown(t.Context(), shown.ID, "a complaint", "operator")
		b.must(err)
		if len(done.Posts) != 2 || len(done.Texts) != 1 || done.Texts[0].ID != text || !cmp.Equal(done.Drafts, []string{draft}) {
			t.Errorf("posts %d, texts %d, drafts %v", len(done.Posts), len(done.Texts), done.Drafts)
		}
		for _, id := range []string{post.ID, copied} {
			p := b.post(id)
			if p.FeaturedImageURL != "" || p.CoverImageURL != "" || p.Status != "published" || p.Metadata["featured_image"] != nil {
				t.Errorf("post: featured %q, cover %q, status %q, metadata %v", p.FeaturedImageURL, p.CoverImageURL, p.Status, p.Metadata)
			}
		}
		if p := b.post(copied); p.Metadata["note"] != "kept" {
			t.Errorf("metadata of the site's own: %v", p.Metadata)
		}
		if told := len(b.queue.told()) - before; told != 2 {
			t.Errorf("the site was told of %d posts, want 2", told)
		}
		row, err := b.store.Draft(t.Context(), draft)
		b.must(err)
		if row.PictureURL() != "" || row.Columns["featured_image_data"] != nil || row.Metadata["slug"] == nil {
			t.Errorf("the draft shows %q, %v", row.PictureURL(), row.Metadata)
		}
		again, err := b.TakeDown(t.Context(), shown.ID, "a complaint", "operator")
		b.must(err)
		if again.Image.Key != shown.Key || len(again.Posts)+len(again.Drafts) != 0 {
			t.Errorf("a second time: %+v", again)
		}
		// Another picture takes an approval, and has one's place then.
		_, err = b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "ann", ImageID: other.ID})
		b.must(err)
		if p := b.post(post.ID); p.FeaturedImageURL != other.URL {
			t.Errorf("after another approval the post shows %q, want %q", p.FeaturedImageURL, other.URL)
		}
	})
}

func TestTakedownVoidsAnApprovalThatNamedThePicture(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Approved too early", nil)
		job := b.submit(draft, 2)
		b.must(b.storeImage(job.Images[0].ID))
		live := job.Images[1].ID
		if _, err := b.TakeDown(t.Context(), live, "", "operator"); codeOf(err) != "picture_live" {
			t.Errorf("a live picture: %v, want picture_live", err)
		}
		// Chosen by an approval of another draft, which has no content row of ours to publish yet.
		b.must(b.storeImage(live))
		b.sql(`UPDATE content_tasks SET status = 'approved' WHERE task_id = ?`, draft)
		b.sql(`UPDATE draft_images SET approval_id = ?, approved_round = 1, approved_image_id = ? WHERE draft_id = ?`, job.ID, live, draft)
		_, err := b.TakeDown(t.Context(), live, "", "operator")
		b.must(err)
		row, err := b.store.Draft(t.Context(), draft)
		b.must(err)
		state, err := b.store.DraftImages(t.Context(), draft)
		b.must(err)
		if row.Status != editorial.DraftAwaitingApproval || state.Approved() {
			t.Errorf("the draft is %s, approved %v; want it to await another approval", row.Status, state.Approved())
		}
		b.reconcile()
		if row, err = b.store.Draft(t.Context(), draft); err != nil || row.Status == editorial.DraftPublished {
			t.Errorf("the draft is %s, %v", row.Status, err)
		}
	})
}

func TestTwoClicksOfOnePictureAreOneImport(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Clicked twice", nil)
		ids := make([]string, 5)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				id, err := b.SetPicture(t.Context(), draft, hotlink, "ann")
				if err != nil {
					t.Errorf("set picture: %v", err)
				}
				ids[i] = id
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] || id == "" {
				t.Fatalf("jobs %v, want one", ids)
			}
		}
		b.fail(b.job(ids[0]).Images[0].ID)
		if again, err := b.SetPicture(t.Context(), draft, hotlink, "ann"); err != nil || again == ids[0] {
			t.Errorf("after the copy failed: job %s, %v; want a new one", again, err)
		}
	})
}

func TestAnApprovedDraftIsNotDeleted(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("Promised", nil)
		b.submit(draft, 1)
		b.approve(draft)
		if err := b.DeleteDraft(t.Context(), draft); codeOf(err) != "draft_approved" {
			t.Errorf("error is %v, want draft_approved", err)
		}
		_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Reviewer: "ann", Feedback: "not after all"})
		b.must(err)
		b.must(b.DeleteDraft(t.Context(), draft))
		gone, _, _, _ := b.published("Published")
		b.must(b.DeleteDraft(t.Context(), gone))
	})
}
