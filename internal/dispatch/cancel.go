package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Cancel stops what is not finished of a job. A job that is canceled already
// is answered as it is; the job of an approved draft is not canceled, because
// the approval waits for its picture.
func (d *Dispatch) Cancel(ctx context.Context, jobID, caller string) (editorial.Job, error) {
	err := d.withJob(ctx, jobID, func(tx *store.Tx, job editorial.Job, state *editorial.DraftImages, after *aftermath) error {
		switch {
		case job.State == editorial.JobCanceled:
			return nil
		case job.State.IsFinal():
			return editorial.Conflictf("job_final", "the job is %s already; there is nothing to cancel", job.State)
		case state != nil && state.Approved() && state.ApprovedRound > state.PublishedRound && job.Round == state.Round:
			return editorial.Conflictf("draft_approved", "the draft is approved and waits for this picture; reject it first")
		}
		return cancelJob(ctx, tx, job.ID, caller, after)
	})
	if err != nil {
		return editorial.Job{}, err
	}
	return d.Store.Job(ctx, jobID)
}

// cancelJob ends what is live of a job; what is stored stays.
func cancelJob(ctx context.Context, tx *store.Tx, jobID, by string, after *aftermath) error {
	job, err := tx.LockJob(ctx, jobID)
	if err != nil || job.State.IsFinal() {
		return err
	}
	end := editorial.JobCanceled
	for _, img := range job.Images {
		if img.State.IsFinal() {
			if img.State == editorial.StateStored {
				end = editorial.JobStored
			}
			continue
		}
		if _, err := tx.MoveImage(ctx, img.ID, img.State, editorial.StateCanceled, nil); err != nil {
			return err
		}
		after.event(img, "image.canceled", map[string]any{"by": by})
	}
	after.jobEvent(job.ID, job.DraftID, "", "job."+string(end), map[string]any{"canceled_by": by})
	return tx.FinishJob(ctx, job.ID, end, nil, "")
}

// Retry sends the failed images of a job back to the stage at which each
// failed: an upload is retried alone, with the bytes that are paid for.
func (d *Dispatch) Retry(ctx context.Context, jobID, caller string) (editorial.Job, error) {
	err := d.withJob(ctx, jobID, func(tx *store.Tx, job editorial.Job, state *editorial.DraftImages, after *aftermath) error {
		if state != nil && job.Round != state.Round {
			e := editorial.Conflictf("job_superseded", "a newer round of pictures has taken this job's place")
			e.Details = map[string]any{"superseded_by": job.SupersededBy}
			return e
		}
		retried := 0
		for _, img := range job.Images {
			if img.State != editorial.StateFailed {
				continue
			}
			next := editorial.StateQueued
			if img.RawSHA256 != "" && img.SpoolID != "" {
				next = editorial.StateUploading
			}
			if _, err := tx.MoveImage(ctx, img.ID, img.State, next, nil); err != nil {
				return err
			}
			if err := tx.ClearSteps(ctx, img.ID, next); err != nil {
				return err
			}
			if err := tx.RenewDeadline(ctx, img.ID, time.Duration(job.Request.Timeout)*time.Second); err != nil {
				return err
			}
			img.State, img.Epoch = next, img.Epoch+1
			after.event(img, "image.retried", map[string]any{"by": caller, "stage": string(next)})
			after.bells = append(after.bells, bellOf(img, job.Kind).of(job.Trace))
			retried++
		}
		if retried == 0 {
			return editorial.Conflictf("nothing_failed", "no picture of this job has failed; the job is %s", job.State)
		}
		return tx.FinishJob(ctx, job.ID, editorial.JobQueued, nil, "")
	})
	if err != nil {
		return editorial.Job{}, err
	}
	return d.Store.Job(ctx, jobID)
}

// withJob locks a job, after the draft it belongs to, and runs fn. state is nil
// for a job without a draft; fn's changes to it are saved.
func (d *Dispatch) withJob(ctx context.Context, jobID string,
	fn func(*store.Tx, editorial.Job, *editorial.DraftImages, *aftermath) error,
) error {
	job, err := d.Store.Job(ctx, jobID)
	if errors.Is(err, store.ErrNotFound) {
		return editorial.NotFoundf("there is no job with this id")
	}
	if err != nil {
		return err
	}
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		if job.DraftID == "" {
			locked, err := tx.LockJob(ctx, jobID)
			if err != nil {
				return err
			}
			return fn(tx, locked, nil, after)
		}
		state, err := tx.LockDraft(ctx, job.DraftID)
		if err != nil {
			return err
		}
		locked, err := tx.LockJob(ctx, jobID)
		if err != nil {
			return err
		}
		if err := fn(tx, locked, &state, after); err != nil {
			return err
		}
		return tx.SaveDraftImages(ctx, state)
	})
}
