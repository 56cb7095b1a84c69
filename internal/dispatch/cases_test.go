package dispatch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// The doubtful cases that DESIGN §5 settles, one test each, by its number.

func TestCase1BlindApprovalPublishesTheLowestStoredCandidateOnceAllAreFinal(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 3)
		if o := b.approve(draft); o.Post != nil || o.Draft.Status != editorial.DraftApproved {
			t.Fatalf("approved before any picture: status %s, post %v; want approved and no post", o.Draft.Status, o.Post)
		}
		b.must(b.storeImage(job.Images[2].ID))
		b.must(b.storeImage(job.Images[1].ID))
		if d, _ := b.store.DraftImages(t.Context(), draft); d.PostID != "" {
			t.Fatal("published while candidate 1 was still to come")
		}
		b.fail(job.Images[0].ID)
		assertPublished(t, b, draft, job.Images[1].ID)
	})
}

func TestCase1BoundApprovalPublishesThatImageAndNoOther(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 2)
		b.must(b.storeImage(job.Images[0].ID))
		second := b.spool(job.Images[1].ID)
		_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane", ImageID: second.ID})
		b.must(err)
		if d, _ := b.store.DraftImages(t.Context(), draft); d.PostID != "" {
			t.Fatal("published another picture than the one that was approved")
		}
		b.must(b.upload(second.ID))
		assertPublished(t, b, draft, second.ID)
	})
}

func TestCase1NewRoundCarriesABlindApprovalOver(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		b.submit(draft, 1)
		b.approve(draft)
		second := b.submit(draft, 1)
		b.must(b.storeImage(second.Images[0].ID))
		assertPublished(t, b, draft, second.Images[0].ID)
	})
}

func TestCase1NewRoundVoidsABoundApproval(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		first := b.spool(b.submit(draft, 1).Images[0].ID)
		_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane", ImageID: first.ID})
		b.must(err)
		second := b.submit(draft, 1)
		b.must(b.upload(first.ID)) // spooled before: ends in the history
		b.must(b.storeImage(second.Images[0].ID))
		if d, _ := b.store.DraftImages(t.Context(), draft); d.PostID != "" {
			t.Fatal("published although the approval had named a picture of the old round")
		}
		_, err = b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane", ImageID: first.ID})
		if codeOf(err) != "picture_superseded" {
			t.Fatalf("approving the old round's picture again: %v, want picture_superseded", err)
		}
	})
}

func TestCase2ApprovedWithoutAnyPictureStartsARound(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		o := b.approve(draft)
		if o.JobID == "" {
			t.Fatal("the approval started no round")
		}
		job := b.job(o.JobID)
		if job.Request.Prompt != "A quiet harbour" || job.LinkedBy != editorial.LinkApproval {
			t.Fatalf("prompt %q by %q, want the title by approval", job.Request.Prompt, job.LinkedBy)
		}
		b.must(b.storeImage(job.Images[0].ID))
		assertPublished(t, b, draft, job.Images[0].ID)
	})
}

func TestCase2FailedRoundStaysApprovedAndARetryPublishes(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 1)
		b.approve(draft)
		b.fail(job.Images[0].ID)
		d, err := b.store.Draft(t.Context(), draft)
		b.must(err)
		if d.Status != editorial.DraftApproved || b.job(job.ID).State != editorial.JobFailed {
			t.Fatalf("draft %s, job %s; want approved and failed", d.Status, b.job(job.ID).State)
		}
		retried, err := b.Retry(t.Context(), job.ID, "op")
		b.must(err)
		if retried.State != editorial.JobQueued {
			t.Fatalf("retried job is %s, want queued", retried.State)
		}
		b.must(b.storeImage(job.Images[0].ID))
		assertPublished(t, b, draft, job.Images[0].ID)
	})
}

func TestCase2EmptyContentIsAConflict(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", map[string]any{"content": " \n"})
		_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane"})
		if codeOf(err) != "empty_content" {
			t.Fatalf("got %v, want empty_content", err)
		}
	})
}

func TestCase3APublishedPostGetsANewPictureThroughTheSameApproval(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		first := b.submit(draft, 1)
		b.must(b.storeImage(first.Images[0].ID))
		b.approve(draft)
		post := assertPublished(t, b, draft, first.Images[0].ID)
		second := b.submit(draft, 1)
		b.must(b.storeImage(second.Images[0].ID))
		if p, _ := b.store.Post(t.Context(), post.ID); p.FeaturedImageURL != post.FeaturedImageURL {
			t.Fatal("the new picture went live without an approval")
		}
		b.approve(draft)
		again := assertPublished(t, b, draft, second.Images[0].ID)
		if again.ID != post.ID || again.Slug != post.Slug || !again.PublishedAt.Equal(post.PublishedAt) {
			t.Fatalf("the post changed identity: %s %s %s, was %s %s %s", again.ID, again.Slug, again.PublishedAt, post.ID, post.Slug, post.PublishedAt)
		}
		if p, u := b.notes.count("post.published"), b.notes.count("post.updated"); p != 1 || u != 1 {
			t.Fatalf("%d post.published and %d post.updated, want 1 and 1", p, u)
		}
	})
}

func TestCase4NewRoundSupersedesCancelsAndLetsSpooledOnesFinish(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		old := b.submit(draft, 3)
		working, _, err := b.ClaimGenerate(t.Context(), old.Images[1].ID)
		b.must(err)
		spooled := b.spool(old.Images[2].ID)
		next := b.submit(draft, 1)

		got := b.job(old.ID)
		if got.State != editorial.JobSuperseded || got.SupersededBy != next.ID {
			t.Fatalf("old job is %s by %q, want superseded by the new one at once", got.State, got.SupersededBy)
		}
		want := []editorial.ImageState{editorial.StateSuperseded, editorial.StateCanceled, editorial.StateUploading}
		for i, img := range got.Images {
			if img.State != want[i] {
				t.Errorf("image %d is %s, want %s", i+1, img.State, want[i])
			}
		}
		made(&working)
		if err := b.Spooled(t.Context(), working); !errors.Is(err, dispatch.ErrLostClaim) {
			t.Errorf("the canceled worker's report: %v, want a lost claim", err)
		}
		b.must(b.upload(spooled.ID))
		if d, _ := b.store.Draft(t.Context(), draft); d.FeaturedImageURL != "" {
			t.Errorf("the old round's late picture %s displaced the new round", d.FeaturedImageURL)
		}
		if got := b.job(old.ID); got.State != editorial.JobSuperseded {
			t.Errorf("old job became %s after its late picture, want superseded for good", got.State)
		}
	})
}

func TestCase4APlainRejectStopsNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 1)
		_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Reviewer: "jane", Feedback: "too dark"})
		b.must(err)
		b.must(b.storeImage(job.Images[0].ID))
		if s := b.job(job.ID).State; s != editorial.JobStored {
			t.Fatalf("job is %s, want stored", s)
		}
	})
}

func TestCase4CancelingTheJobOfAnApprovedDraftIsAConflict(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 1)
		b.approve(draft)
		if _, err := b.Cancel(t.Context(), job.ID, "ann"); codeOf(err) != "draft_approved" {
			t.Fatalf("got %v, want draft_approved", err)
		}
	})
}

func TestCase5TheDraftsExistingPostIsUpdated(t *testing.T) {
	t.Parallel()
	for _, tie := range []string{"post_id", "cms_post_id", "posts.task_id"} {
		t.Run(tie, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				metadata := map[string]any{"title": "A quiet harbour"}
				draft := b.draft("A quiet harbour", nil)
				post := b.existingPost(draft, tie == "posts.task_id")
				if tie != "posts.task_id" {
					metadata[tie] = post.ID
					b.updateDraft(draft, map[string]any{"task_metadata": metadata})
				}
				job := b.submit(draft, 1)
				b.must(b.storeImage(job.Images[0].ID))
				b.approve(draft)
				if got := assertPublished(t, b, draft, job.Images[0].ID); got.ID != post.ID || got.Slug != post.Slug {
					t.Fatalf("published as %s %q, want the post that was there: %s %q", got.ID, got.Slug, post.ID, post.Slug)
				}
			})
		})
	}
}

func TestCase6NothingConfiguredThatMayAnswerMakesNoJob(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.can.none = true
		_, _, err := b.Submit(t.Context(), dispatch.Submission{Request: editorial.Request{Prompt: "a lighthouse", UseStock: true}})
		if kindOf(err) != editorial.Unavailable || codeOf(err) != "no_generator" {
			t.Fatalf("got %v, want no_generator", err)
		}
		if jobs := b.jobs(); len(jobs) != 0 {
			t.Fatalf("%d jobs were made", len(jobs))
		}
	})
}

func TestCase7ATitleFindsItsDraftOnlyWhenExactlyOneAwaitsApproval(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		one := b.draft("The only one", nil)
		b.draft("Twins", nil)
		b.draft("Twins", nil)
		b.draft("Published already", map[string]any{"status": "published"})
		picked := b.draft("Hand-picked", nil)
		img := b.submit(picked, 1).Images[0]
		b.must(b.storeImage(img.ID))
		b.must(b.Choose(t.Context(), picked, img.ID, "jane"))

		for _, c := range []struct{ prompt, draft string }{
			{"The only one", one}, {"Twins", ""}, {"Published already", ""}, {"Hand-picked", ""}, {"the only one", ""}, {"Nobody's", ""},
		} {
			job, _, err := b.Submit(t.Context(), dispatch.Submission{
				Request: editorial.Request{Prompt: c.prompt, UseStock: true}, LinkTitle: true,
			})
			b.must(err)
			if job.DraftID != c.draft {
				t.Errorf("%q was linked to draft %q, want %q", c.prompt, job.DraftID, c.draft)
			}
			if c.draft != "" && job.LinkedBy != editorial.LinkTitle {
				t.Errorf("%q is recorded as linked by %q, want title", c.prompt, job.LinkedBy)
			}
		}
		job, _, err := b.Submit(t.Context(), dispatch.Submission{Request: editorial.Request{Prompt: "The only one", UseStock: true}})
		b.must(err)
		if job.DraftID != "" {
			t.Error("linked by title for a caller who may not write drafts")
		}
	})
}

func TestCase8AnURLSentByAClient(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		img := b.submit(draft, 2).Images[1]
		b.must(b.storeImage(img.ID))
		stored, err := b.store.Image(t.Context(), img.ID)
		b.must(err)

		jobID, err := b.SetPicture(t.Context(), draft, stored.URL, "jane")
		b.must(err)
		if d, _ := b.store.DraftImages(t.Context(), draft); jobID != "" || d.ChosenImageID != img.ID || !d.HandPicked {
			t.Fatalf("our own URL: job %q, state %+v; want that image chosen by hand", jobID, d)
		}
		jobID, err = b.SetPicture(t.Context(), draft, "https://images.pexels.com/photos/1/x.jpeg", "jane")
		b.must(err)
		if job := b.job(jobID); job.Kind != editorial.KindImport || job.Request.SourceURL == "" || job.DraftID != draft {
			t.Fatalf("a foreign URL made %+v, want an import for the draft", job)
		}
		for _, bad := range []string{"data:image/png;base64,AAAA", "/home/me/Downloads/x.png", "ftp://host/x.png", "https://cdn.test/never-issued"} {
			if _, err := b.SetPicture(t.Context(), draft, bad, "jane"); kindOf(err) != editorial.Invalid {
				t.Errorf("%s: %v, want invalid", bad, err)
			}
		}
	})
}

func TestCase9IdempotencyKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		send := func(scope, body string, count int) (editorial.Job, bool, error) {
			return b.Submit(t.Context(), dispatch.Submission{
				Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: count},
				Key:     &dispatch.IdempotencyKey{Scope: scope, BodySHA256: body},
			})
		}
		if _, _, err := send("key", "body", 9); kindOf(err) != editorial.Invalid {
			t.Fatalf("nine candidates: %v, want invalid", err)
		}
		first, replayed, err := send("key", "body", 1)
		if err != nil || replayed {
			t.Fatalf("after a refusal the key must be free: replayed %v, %v", replayed, err)
		}
		second, replayed, err := send("key", "body", 1)
		if err != nil || !replayed || second.ID != first.ID {
			t.Fatalf("same key, same body: job %s, replayed %v, %v; want %s again", second.ID, replayed, err, first.ID)
		}
		if _, _, err := send("key", "other", 1); kindOf(err) != editorial.Mismatch {
			t.Fatalf("same key, other body: %v, want mismatch", err)
		}
		if third, _, err := send("other", "body", 1); err != nil || third.ID == first.ID {
			t.Fatalf("another scope: %v %v, want a job of its own", third.ID, err)
		}
		if n := len(b.jobs()); n != 2 {
			t.Fatalf("%d jobs, want 2", n)
		}
	})
}

func TestDecisionsSentTwiceAnswerTheRealState(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		reject := dispatch.Decision{DraftID: draft, Reviewer: "jane", Feedback: "too dark, try again"}
		for range 2 {
			o, err := b.Decide(t.Context(), reject)
			if err != nil || o.Draft.Status != editorial.DraftRejected {
				t.Fatalf("reject: %s, %v", o.Draft.Status, err)
			}
		}
		job := b.submit(draft, 1)
		b.must(b.storeImage(job.Images[0].ID))
		one, two := b.approve(draft), b.approve(draft)
		if one.Post == nil || two.Post == nil || one.Post.Slug != two.Post.Slug || one.Post.ID != two.Post.ID {
			t.Fatalf("two approvals: %v and %v, want the same post", one.Post, two.Post)
		}
		if !two.Repeated || two.DecidedAt != one.DecidedAt {
			t.Errorf("the second approval counts as repeated %v at %s, want the first one's %s", two.Repeated, two.DecidedAt, one.DecidedAt)
		}
		if _, err := b.Decide(t.Context(), reject); codeOf(err) != "already_published" {
			t.Errorf("rejecting a published draft: %v, want already_published", err)
		}
		if n := b.notes.count("post.published"); n != 1 {
			t.Errorf("%d publish events, want 1", n)
		}
	})
}

func TestOnlyTheStatusesThatTheRulesNameCanBeDecided(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for status, wantErr := range map[string]bool{
			"awaiting_approval": false, "completed": false, "generated": false, "ready_to_publish": false, "rejected": false,
			"pending": true, "in_progress": true, "failed": true, "cancelled": true, "whatever": true,
		} {
			draft := b.draft("Draft "+status, map[string]any{"status": status})
			_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane"})
			if (err != nil) != wantErr || wantErr && kindOf(err) != editorial.Conflict {
				t.Errorf("approving a %s draft: %v, want error %v", status, err, wantErr)
			}
		}
		if _, err := b.Decide(t.Context(), dispatch.Decision{DraftID: "nobody", Approved: true}); kindOf(err) != editorial.NotFound {
			t.Errorf("approving what is not there: %v, want not found", err)
		}
	})
}

func TestApprovalBoundToADigestRefusesAnotherPicture(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		img := b.submit(draft, 1).Images[0]
		b.must(b.storeImage(img.ID))
		_, err := b.Decide(t.Context(), dispatch.Decision{
			DraftID: draft, Approved: true, Reviewer: "jane", ImageID: img.ID, SHA256: strings.Repeat("a", 64),
		})
		if codeOf(err) != "picture_changed" {
			t.Fatalf("got %v, want picture_changed", err)
		}
		stored, err := b.store.Image(t.Context(), img.ID)
		b.must(err)
		_, err = b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane", SHA256: stored.SHA256})
		b.must(err)
		assertPublished(t, b, draft, img.ID)
	})
}

func TestRejectingWithANewRoundPutsTheReasonIntoThePrompt(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		b.submit(draft, 2)
		o, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Reviewer: "jane", Feedback: "warmer light", NewRound: true})
		b.must(err)
		job := b.job(o.JobID)
		if job.Request.Instruction != "warmer light" || job.Round != 2 || len(job.Images) != 2 {
			t.Fatalf("round %d of %d pictures, instruction %q; want round 2 of 2 with the reason", job.Round, len(job.Images), job.Request.Instruction)
		}
		if o.Draft.Status != editorial.DraftAwaitingApproval {
			t.Fatalf("draft is %s, want awaiting_approval", o.Draft.Status)
		}
	})
}

// A request may name the generator; one that there is not is the request's
// fault, and no reason to wait.
func TestAGeneratorThatThereIsNot(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.can.none = true
		_, _, err := b.Submit(t.Context(), dispatch.Submission{Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Generator: "dalle"}})
		var e *editorial.Error
		if !errors.As(err, &e) || e.Kind != editorial.Invalid || e.Field != "generator" {
			t.Fatalf("got %v, want generator to be blamed", err)
		}
	})
}
