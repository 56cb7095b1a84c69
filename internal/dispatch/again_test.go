package dispatch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// seeded submits a job with a seed.
func (b *bench) seeded(draftID string, seed int64, count int) editorial.Job {
	b.t.Helper()
	job, _, err := b.Submit(b.t.Context(), dispatch.Submission{
		Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: count, Seed: &seed}, DraftID: draftID, Caller: "tester",
	})
	b.must(err)
	return job
}

func seedsOf(job editorial.Job) (seeds []int64) {
	for _, img := range job.Images {
		seeds = append(seeds, img.Seed)
	}
	return seeds
}

func TestAgainSeeds(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		seven := int64(7)
		tests := []struct {
			name   string
			repeat dispatch.Repeat
			want   []int64
		}{
			{"the next seeds", dispatch.Repeat{}, []int64{103, 104, 105}},
			{"the same seeds", dispatch.Repeat{SameSeed: true}, []int64{100, 101, 102}},
			{"a seed of one's own", dispatch.Repeat{Seed: &seven}, []int64{7, 8, 9}},
			{"one candidate's seed", dispatch.Repeat{SameSeed: true, Candidate: 2}, []int64{101}},
			{"another of one candidate", dispatch.Repeat{Candidate: 2}, []int64{103}},
			{"more of one candidate's seed", dispatch.Repeat{SameSeed: true, Candidate: 3, Count: 2}, []int64{102, 103}},
		}
		for _, tt := range tests {
			old := b.seeded("", 100, 3)
			tt.repeat.JobID, tt.repeat.Caller = old.ID, "jane"
			job, _, err := b.Again(t.Context(), tt.repeat)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if diff := cmp.Diff(tt.want, seedsOf(job)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
			if job.ID == old.ID || job.Request.AgainOf != old.ID || job.CreatedBy != "jane" {
				t.Errorf("%s: job %s again of %q by %q, want a new one of %s by jane", tt.name, job.ID, job.Request.AgainOf, job.CreatedBy, old.ID)
			}
		}
	})
}

func TestAgainTwiceIsTwiceNew(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("The keeper", nil)
		first := b.seeded(draft, editorial.MaxSeed-1, 2)
		for round, want := range [][]int64{{0, 1}, {2, 3}} {
			job, _, err := b.Again(t.Context(), dispatch.Repeat{JobID: first.ID}) // of the first each time, as a page that was left open does
			b.must(err)
			if diff := cmp.Diff(want, seedsOf(job)); diff != "" {
				t.Errorf("round %d (-want +got):\n%s", round+2, diff)
			}
			if job.DraftID != draft || job.Round != round+2 || job.LinkedBy != editorial.LinkTaskID {
				t.Errorf("draft %s, round %d, by %s; want the draft's round %d", job.DraftID, job.Round, job.LinkedBy, round+2)
			}
		}
		if got := b.job(first.ID); got.State != editorial.JobSuperseded {
			t.Errorf("the first round is %s, want superseded", got.State)
		}
	})
}

func TestAgainWithChanges(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		old := b.seeded("", 100, 1)
		b.fail(old.Images[0].ID)
		job, _, err := b.Again(t.Context(), dispatch.Repeat{JobID: old.ID, SameSeed: true, Prompt: "a beacon", Width: 1024, Height: 768, Count: 2, Generator: "sdcpp"})
		b.must(err)
		seed := int64(100)
		want := editorial.Request{
			Prompt: "a beacon", Width: 1024, Height: 768, Count: 2, Page: 1, Seed: &seed, UseGeneration: true, AgainOf: old.ID, Generator: "sdcpp",
		}
		if diff := cmp.Diff(want, job.Request); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		if stored := b.job(job.ID).Request; stored.AgainOf != old.ID {
			t.Errorf("the stored row is again of %q", stored.AgainOf)
		}
	})
}

func TestAgainOfStockPhotosTurnsThePage(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		old, _, err := b.Submit(t.Context(), dispatch.Submission{Request: editorial.Request{Prompt: "a lighthouse", UseStock: true, Page: editorial.MaxPage}})
		b.must(err)
		job, _, err := b.Again(t.Context(), dispatch.Repeat{JobID: old.ID})
		b.must(err)
		if job.Request.Page != 1 {
			t.Errorf("page %d after %d, want 1", job.Request.Page, editorial.MaxPage)
		}
	})
}

func TestAgainRefuses(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("The keeper", nil)
		orphan := b.seeded(draft, 1, 1)
		b.must(b.store.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.DeleteDraft(t.Context(), draft)
			return err
		}))
		fine := b.seeded("", 1, 2)
		for _, tt := range []struct {
			name   string
			repeat dispatch.Repeat
			kind   editorial.Kind
			code   string
		}{
			{"no such job", dispatch.Repeat{JobID: "0193e1f0-0000-7000-8000-000000000000"}, editorial.NotFound, "not_found"},
			{"no such candidate", dispatch.Repeat{JobID: fine.ID, Candidate: 3}, editorial.Invalid, "invalid"},
			{"a prompt that is too short", dispatch.Repeat{JobID: fine.ID, Prompt: "a"}, editorial.Invalid, "invalid"},
			{"the draft is gone", dispatch.Repeat{JobID: orphan.ID}, editorial.Conflict, "draft_gone"},
		} {
			if _, _, err := b.Again(t.Context(), tt.repeat); kindOf(err) != tt.kind || codeOf(err) != tt.code {
				t.Errorf("%s: %v, want %s %s", tt.name, err, tt.kind, tt.code)
			}
		}
	})
}

func TestStoringWarnsOfALookalike(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, second := b.seeded("", 1, 1), b.seeded("", 2, 1)
		for _, job := range []editorial.Job{first, second} {
			img, _, err := b.ClaimGenerate(t.Context(), job.Images[0].ID)
			b.must(err)
			made(&img)
			img.Hash = "9d3c61f04b8e27a5"
			b.must(b.Spooled(t.Context(), img))
			b.must(b.upload(img.ID))
		}
		if got := b.job(first.ID).Images[0].Lookalikes; len(got) != 0 {
			t.Errorf("the first picture is like %v", got)
		}
		got := b.job(second.ID).Images[0].Lookalikes
		if len(got) != 1 || got[0].ImageID != first.Images[0].ID || got[0].Distance != 0 {
			t.Errorf("the second picture is like %v, want the first at 0", got)
		}
		if n := b.notes.count("image.lookalike"); n != 1 {
			t.Errorf("%d notes of a lookalike, want 1", n)
		}
		events, err := b.store.Events(t.Context(), second.ID, 0, 100)
		b.must(err)
		said := 0
		for _, e := range events {
			if e.Type == "image.lookalike" && e.ImageID == second.Images[0].ID && e.Data["lookalikes"] != nil {
				said++
			}
		}
		if said != 1 {
			t.Errorf("the job's history says it %d times, want once", said)
		}
	})
}
