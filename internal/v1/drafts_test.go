package v1_test

import (
	"net/http"
	"testing"

	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/v1"
)

func TestDraftFromPictureToPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	golden(t, "draft_awaiting", w.do("GET", "/v1/drafts/draft-1", nil))
	golden(t, "draft_list", w.do("GET", "/v1/drafts", nil))

	job := w.submit(map[string]any{"draft_id": "draft-1", "count": 2, "seed": 3})
	w.finish(job.Candidates[0].ID)
	w.finish(job.Candidates[1].ID)
	golden(t, "draft_chosen", w.do("POST", "/v1/drafts/draft-1/choose", map[string]any{"image_id": job.Candidates[1].ID}))

	approval := map[string]any{"image_id": job.Candidates[1].ID, "sha256": digest(2), "feedback": "good"}
	editor := header{"Authorization", "Bearer editor"}
	golden(t, "draft_approved", w.do("POST", "/v1/drafts/draft-1/approve", approval, editor))
	var again v1.Decision
	w.do("POST", "/v1/drafts/draft-1/approve", approval, editor).decode(t, &again)
	if !again.Repeated || again.Draft.State != "published" || len(again.Draft.Approvals) != 1 {
		t.Errorf("approved again: repeated %v, %s, %d approvals", again.Repeated, again.Draft.State, len(again.Draft.Approvals))
	}

	nobody := header{"Authorization", "Bearer nobody"}
	golden(t, "post", w.do("GET", again.Draft.Post.URL, nil, nobody))
	byID := w.do("GET", "/v1/posts/"+again.Draft.Post.ID, nil, nobody)
	var post v1.Post
	byID.decode(t, &post)
	if post.Slug != again.Draft.Post.Slug || post.CreatedBy != "7a1f0a52-0000-4000-8000-00000000000e" {
		t.Errorf("post by id: slug %q, created by %q", post.Slug, post.CreatedBy)
	}
	golden(t, "problem_already_published", w.do("POST", "/v1/drafts/draft-1/reject", map[string]any{"reason": "too late"}))
}

func TestYouPublishWhatYouSaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	job := w.submit(map[string]any{"draft_id": "draft-1"})
	w.finish(job.Candidates[0].ID)
	p := w.do("POST", "/v1/drafts/draft-1/approve", map[string]any{"image_id": job.Candidates[0].ID, "sha256": digest(9)}).problem(t, http.StatusConflict)
	if p.Code != "picture_changed" {
		t.Errorf("code %q for another digest, want picture_changed", p.Code)
	}
	w.submit(map[string]any{"draft_id": "draft-1"})
	newer := w.submit(map[string]any{"draft_id": "draft-1"})
	w.finish(newer.Candidates[0].ID)
	p = w.do("POST", "/v1/drafts/draft-1/approve", map[string]any{"image_id": job.Candidates[0].ID}).problem(t, http.StatusConflict)
	if p.Code != "picture_superseded" {
		t.Errorf("code %q for an old round's picture, want picture_superseded", p.Code)
	}
}

func TestBlindApprovalWithoutABody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	var d v1.Decision
	a := w.do("POST", "/v1/drafts/draft-1/approve", nil)
	a.decode(t, &d)
	if a.StatusCode != http.StatusOK || d.JobID == "" || d.Draft.State != "approved" || d.Draft.Approvals[0].Reviewer != "Olga" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	w.fail(d.Draft.Rounds[0].Candidates[0].ID)
	for state, want := range map[string]int{"picture_failed": 1, "approved": 0, "awaiting_approval": 0, "all": 1} {
		var list v1.DraftList
		w.do("GET", "/v1/drafts?state="+state, nil).decode(t, &list)
		if len(list.Items) != want {
			t.Errorf("%d drafts listed as %s, want %d", len(list.Items), state, want)
		}
	}
	w.do("POST", d.JobURL+"/retry", nil)
	var draft v1.Draft
	w.do("GET", "/v1/drafts/draft-1", nil).decode(t, &draft)
	if draft.State != "approved" {
		t.Errorf("state %q after the retry, want approved", draft.State)
	}
	w.finish(draft.Rounds[0].Candidates[0].ID)
	w.do("GET", "/v1/drafts/draft-1", nil).decode(t, &draft)
	if draft.State != "published" || draft.Post == nil {
		t.Errorf("state %q after the picture came, want published", draft.State)
	}
}

func TestRejectAsksForAnotherRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	job := w.submit(map[string]any{"draft_id": "draft-1"})
	w.finish(job.Candidates[0].ID)
	var d v1.Decision
	a := w.do("POST", "/v1/drafts/draft-1/reject", map[string]any{"reason": "more sky", "new_round": true})
	a.decode(t, &d)
	if a.StatusCode != http.StatusOK || d.JobURL == "" || d.Draft.Round != 2 || d.Draft.State != "awaiting_approval" {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if got := d.Draft.Rounds[0].Request; got.Prompt != "A lighthouse at dawn" || got.Instruction != "more sky" {
		t.Errorf("the next prompt is %q, instruction %q", got.Prompt, got.Instruction)
	}
}

func TestDraftPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"a", "b", "c"} {
		w.draft(id, "Draft "+id)
	}
	seen := make(map[string]bool)
	path := "/v1/drafts?limit=2"
	for pages := 0; path != ""; pages++ {
		var list v1.DraftList
		w.do("GET", path, nil).decode(t, &list)
		for _, d := range list.Items {
			seen[d.ID] = true
		}
		path = ""
		if list.NextCursor != "" && pages < 3 {
			path = "/v1/drafts?limit=2&cursor=" + list.NextCursor
		}
	}
	if len(seen) != 3 {
		t.Errorf("drafts on all pages: %v, want 3", seen)
	}
}

func TestNotThereAndGoneAreToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	job := w.submit(map[string]any{"draft_id": "draft-1"})
	err := w.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.DeleteDraft(t.Context(), "draft-1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.do("GET", "/v1/drafts/never", nil).problem(t, http.StatusNotFound)
	if p := w.do("GET", "/v1/drafts/draft-1", nil).problem(t, http.StatusGone); p.Code != "draft_deleted" {
		t.Errorf("code %q, want draft_deleted", p.Code)
	}
	w.do("POST", "/v1/drafts/draft-1/approve", nil).problem(t, http.StatusGone)
	if a := w.do("GET", job.URLs.Self, nil); a.StatusCode != http.StatusOK {
		t.Errorf("the job of a deleted draft: %d, want 200", a.StatusCode)
	}
}

func TestUnpublishedPostsAreNotThereForStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.store.DB().ExecContext(t.Context(), `INSERT INTO posts (id, title, slug, content, status)
		VALUES ('7a1f0a52-0000-4000-8000-0000000000aa', 'T', 'hidden', 'C', 'draft')`)
	if err != nil {
		t.Fatal(err)
	}
	w.do("GET", "/v1/posts/hidden", nil, header{"Authorization", "Bearer nobody"}).problem(t, http.StatusNotFound)
	if a := w.do("GET", "/v1/posts/hidden", nil, header{"Authorization", "Bearer author"}); a.StatusCode != http.StatusOK {
		t.Errorf("%d for an author, want 200", a.StatusCode)
	}
}
