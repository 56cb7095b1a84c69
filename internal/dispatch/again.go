package dispatch

import (
	"context"
	"errors"
	"slices"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Repeat asks for a job another time. What is zero stays as it was.
type Repeat struct {
	JobID string
	// Candidate is the picture that is meant, by its number: its seed is the one
	// to keep or to go on from, and one picture is asked for. 0: all of them.
	Candidate int
	// SameSeed makes the same pictures again, as far as the generator can, or
	// with a change below what the same seed makes of it.
	SameSeed bool
	// Seed is one of the caller's choice. Without either the job goes on with
	// seeds that it, or its draft, has not had yet.
	Seed   *int64
	Prompt string
	Width  int
	Height int
	Count  int
	// Generator names the one that is to answer.
	Generator string
	Caller    string
	Key       *IdempotencyKey
}

// Again makes a new job of an old one, whatever became of that: for a draft its
// next round. replayed is as of [Dispatch.Submit].
func (d *Dispatch) Again(ctx context.Context, r Repeat) (job editorial.Job, replayed bool, err error) {
	old, err := d.Store.Job(ctx, r.JobID)
	if errors.Is(err, store.ErrNotFound) {
		return editorial.Job{}, false, editorial.NotFoundf("there is no job with this id")
	}
	if err != nil {
		return editorial.Job{}, false, err
	}
	req, err := d.repeated(ctx, old, r)
	if err != nil {
		return editorial.Job{}, false, err
	}
	kind := old.Kind
	if kind == editorial.KindBackfill {
		kind = editorial.KindGenerate // a person is waiting for this one
	}
	job, replayed, err = d.Submit(ctx, Submission{Kind: kind, Request: req, DraftID: old.DraftID, Caller: r.Caller, Key: r.Key})
	var e *editorial.Error
	if errors.As(err, &e) && e.Kind == editorial.NotFound && e.Field == "task_id" {
		err = editorial.Conflictf("draft_gone", "the draft that the job's pictures were for has been deleted; ask for them without one")
	}
	return job, replayed, err
}

// repeated is the old request with the changes in it.
func (d *Dispatch) repeated(ctx context.Context, old editorial.Job, r Repeat) (editorial.Request, error) {
	req := old.Request
	req.AgainOf = old.ID
	if r.Prompt != "" {
		// Who writes another prompt has said in it what should be different.
		req.Prompt, req.Instruction = r.Prompt, ""
	}
	if r.Generator != "" {
		req.Generator = r.Generator
	}
	if r.Width != 0 {
		req.Width = r.Width
	}
	if r.Height != 0 {
		req.Height = r.Height
	}
	if r.Candidate != 0 {
		req.Count = 1
	}
	if r.Count != 0 {
		req.Count = r.Count
	}
	seed, err := seedOf(old, r.Candidate)
	if err != nil {
		return req, err
	}
	switch {
	case r.Seed != nil:
		seed = *r.Seed
	case r.SameSeed:
	default:
		if seed, err = d.freshSeed(ctx, old, seed, req.Count); err != nil {
			return req, err
		}
		if req.UseStock { // it has no seeds; its next page is what is new
			req.Page = req.Page%editorial.MaxPage + 1
		}
	}
	req.Seed = &seed
	return req, nil
}

// seedOf is the seed of a job's candidate, of its first for 0.
func seedOf(job editorial.Job, candidate int) (int64, error) {
	// From behind: of a number whose picture was made again the latest counts.
	for _, img := range slices.Backward(job.Images) {
		if img.Number == max(candidate, 1) {
			return img.Seed, nil
		}
	}
	return 0, editorial.Invalidf("candidate", "the job has no candidate %d; it has %d", candidate, len(job.Images))
}

// freshSeed is the first seed from seed on that opens a run of count which the
// job and its draft's other rounds have not had: to press the same button twice
// is to want something new twice.
func (d *Dispatch) freshSeed(ctx context.Context, job editorial.Job, seed int64, count int) (int64, error) {
	had := job.Images
	if job.DraftID != "" {
		var err error
		if had, err = d.Store.ImagesOfDraft(ctx, job.DraftID); err != nil {
			return 0, err
		}
	}
	used := make(map[int64]bool, len(had))
	for _, img := range had {
		used[img.Seed] = true
	}
	for run := 0; run < count; seed = nextSeed(seed) {
		run++
		if used[seed] {
			run = 0
		}
	}
	return (seed - int64(count) + editorial.MaxSeed + 1) % (editorial.MaxSeed + 1), nil
}

func nextSeed(seed int64) int64 { return (seed + 1) % (editorial.MaxSeed + 1) }
