package dispatch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// The answer to a submission is not read back from the database; it must be
// what a client that asks right afterwards gets, or its ETag would lie.
func TestSubmitAnswersWhatTheRowsSay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		seed := int64(42)
		for name, s := range map[string]dispatch.Submission{
			"alone":        {Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: 3, Seed: &seed}, Caller: "jane"},
			"for a draft":  {Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true}, DraftID: b.draft("Lighthouses", nil)},
			"as a backlog": {Kind: editorial.KindBackfill, Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, AltText: "A lighthouse"}},
		} {
			answered, _, err := b.Submit(t.Context(), s)
			b.must(err)
			if diff := cmp.Diff(b.job(answered.ID), answered, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-row +answer):\n%s", name, diff)
			}
		}
	})
}

func TestQueuePositionCountsToAHundred(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var jobs []editorial.Job
		for range 21 {
			jobs = append(jobs, b.submit(b.draft("Lighthouses", nil), editorial.MaxCount))
		}
		want := 0
		for _, job := range jobs {
			for _, img := range job.Images {
				// A job's own candidates stand in the order of their ids.
				got, err := b.store.QueuePosition(t.Context(), img)
				b.must(err)
				if want = min(want+1, store.MaxQueuePosition); got != want {
					t.Fatalf("candidate %d of job %s stands at %d, want %d", img.Number, job.ID, got, want)
				}
			}
		}
		b.storeImage(jobs[0].Images[0].ID)
		if got, err := b.store.QueuePosition(t.Context(), jobs[0].Images[1]); got != 1 || err != nil {
			t.Errorf("after the first was made the second stands at %d, %v", got, err)
		}
		if got, err := b.store.QueuePosition(t.Context(), b.job(jobs[0].ID).Images[0]); got != 0 || err != nil {
			t.Errorf("a stored picture stands at %d, %v", got, err)
		}
	})
}
