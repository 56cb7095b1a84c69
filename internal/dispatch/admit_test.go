package dispatch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// submitAs asks for a picture, and returns the code of the refusal.
func (b *bench) submitAs(caller string, change ...func(*dispatch.Submission)) (job editorial.Job, code string) {
	b.t.Helper()
	s := dispatch.Submission{Caller: caller, Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true}}
	for _, c := range change {
		c(&s)
	}
	job, _, err := b.Submit(b.t.Context(), s)
	var e *editorial.Error
	if err != nil && (!errors.As(err, &e) || e.Kind != editorial.Limited) {
		b.t.Fatalf("Submit = %v", err)
	}
	if e != nil {
		if e.Details["limit"] == nil || e.Details["retry_after"] != 30 || !strings.Contains(e.Message, "MAX_JOBS") {
			b.t.Errorf("the refusal names no limit, or not when to ask again: %q, %v", e.Message, e.Details)
		}
		return job, e.Code
	}
	return job, ""
}

func TestUnfinishedJobsOfACallerAreBounded(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.MaxJobsPerCaller = 2
		first, _ := b.submitAs("ada")
		b.submitAs("ada")
		before := len(b.queue.rung)
		if _, code := b.submitAs("ada"); code != "too_many_jobs" || len(b.queue.rung) != before {
			t.Errorf("the third: %q, and %d bells", code, len(b.queue.rung)-before)
		}
		if _, code := b.submitAs("bob"); code != "" {
			t.Errorf("somebody else: %q", code)
		}
		if n, err := b.store.CountUnfinished(t.Context(), "ada", 10); n != 2 || err != nil {
			t.Errorf("%d jobs, %v; a refused one is no row", n, err)
		}
		if _, code := b.submitAs("ada", func(s *dispatch.Submission) { s.Kind = editorial.KindBackfill }); code != "" {
			t.Errorf("backfill: %q", code)
		}
		b.MaxJobsPerCaller = 3
		if _, err := b.Cancel(t.Context(), first.ID, "ada"); err != nil {
			t.Fatal(err)
		}
		if _, code := b.submitAs("ada"); code != "" {
			t.Errorf("after one has ended: %q", code)
		}
	})
}

// Asking twice with a key is answered with the first job, however many there are.
func TestAKeyIsAnsweredBeyondTheBound(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.MaxJobsPerCaller = 1
		key := func(s *dispatch.Submission) {
			s.Key = &dispatch.IdempotencyKey{Scope: strings.Repeat("a", 64), BodySHA256: strings.Repeat("b", 64)}
		}
		first, _ := b.submitAs("ada", key)
		again, code := b.submitAs("ada", key)
		if code != "" || again.ID != first.ID {
			t.Errorf("asked again: %q, job %s, want %s", code, again.ID, first.ID)
		}
		if _, code := b.submitAs("ada"); code != "too_many_jobs" {
			t.Errorf("another: %q", code)
		}
	})
}

func TestUnfinishedJobsAreBoundedInAll(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.MaxJobs = 3
		for n := range 3 {
			if _, code := b.submitAs("caller " + string(rune('a'+n))); code != "" {
				t.Fatalf("number %d: %q", n, code)
			}
		}
		if _, code := b.submitAs("ada"); code != "too_many_jobs" {
			t.Errorf("the fourth, within the second: %q", code)
		}
		other := newBench(t, b.store)
		other.MaxJobs = 3
		if _, code := other.submitAs("ada"); code != "too_many_jobs" {
			t.Errorf("the fourth, at another process: %q", code)
		}
	})
}
