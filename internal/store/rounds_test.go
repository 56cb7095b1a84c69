package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// What lists read in one statement for many says the same as asking for each.
func TestManyDraftsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		for id, status := range map[string]string{"d-1": "awaiting_approval", "d-2": "completed", "d-3": "rejected"} {
			b.tx(func(tx *store.Tx) error {
				return tx.InsertDraft(ctx, id, map[string]any{"topic": id, "status": status, "content": "text"})
			})
		}
		old := b.job(editorial.KindGenerate, "d-1", 1, 1)
		now := b.job(editorial.KindGenerate, "d-1", 2, 3)
		post := newID()
		b.tx(func(tx *store.Tx) error {
			d, err := tx.LockDraft(ctx, "d-1")
			if err != nil {
				return err
			}
			d.Round, d.ChosenImageID, d.PostID = 2, now.Images[1].ID, post
			if err := tx.AddEvents(ctx, editorial.JobEvent{JobID: old.ID, Type: "job.queued"}, editorial.JobEvent{JobID: now.ID, Type: "job.queued"}); err != nil {
				return err
			}
			return tx.SaveDraftImages(ctx, d)
		})

		states, err := b.DraftImagesOf(ctx, []string{"d-1", "d-2"})
		b.must(err)
		if len(states) != 1 || states["d-1"].Round != 2 {
			t.Errorf("states %+v", states)
		}
		byPost, err := b.DraftImagesOfPosts(ctx, []string{post, newID()})
		b.must(err)
		if byPost[post].DraftID != "d-1" {
			t.Errorf("by post %+v", byPost)
		}
		rounds, err := b.PresentRounds(ctx, []string{"d-1", "d-2"})
		b.must(err)
		if len(rounds) != 1 || rounds["d-1"].ID != now.ID || len(rounds["d-1"].Images) != 3 {
			t.Errorf("present rounds %+v", rounds)
		}
		images, err := b.Images(ctx, []string{now.Images[1].ID, newID()})
		b.must(err)
		if len(images) != 1 || images[now.Images[1].ID].Number != 2 {
			t.Errorf("images %+v", images)
		}
		head, err := b.QueueHead(ctx)
		b.must(err)
		if len(head) != 4 || !slices.Contains(head, old.Images[0].ID) {
			t.Errorf("the queue's head is %v", head)
		}
		events, err := b.DraftEvents(ctx, "d-1", 10)
		b.must(err)
		if len(events) != 2 || events[0].JobID != now.ID {
			t.Errorf("events %+v", events)
		}
		counts, err := b.DraftCounts(ctx)
		b.must(err)
		if counts["completed"] != 1 || counts["awaiting_approval"] != 1 || len(counts) != 3 {
			t.Errorf("counts %v", counts)
		}
	})
}

func TestJobsByStageAndAge(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		job := b.job(editorial.KindGenerate, "", 0, 1)
		now := time.Now()
		for name, f := range map[string]store.JobFilter{
			"queued is of generating": {Stage: editorial.StageGenerate}, "young": {CreatedAfter: now.Add(-time.Hour)}, "not in the future": {CreatedBefore: now.Add(time.Hour)},
		} {
			f.Limit = 5
			list, err := b.Jobs(ctx, f)
			b.must(err)
			if len(list) != 1 || list[0].ID != job.ID {
				t.Errorf("%s: %d jobs", name, len(list))
			}
		}
		for name, f := range map[string]store.JobFilter{
			"not of uploading": {Stage: editorial.StageUpload}, "by nobody": {Backend: "card"}, "not old": {CreatedBefore: now.Add(-time.Hour)},
		} {
			f.Limit = 5
			list, err := b.Jobs(ctx, f)
			b.must(err)
			if len(list) != 0 {
				t.Errorf("%s: %d jobs", name, len(list))
			}
		}
		b.tx(func(tx *store.Tx) error { return tx.FinishJob(ctx, job.ID, editorial.JobFailed, nil, "") })
		if n, err := b.CountFailed(ctx); err != nil || n != 1 {
			t.Errorf("%d failed, %v", n, err)
		}
	})
}
