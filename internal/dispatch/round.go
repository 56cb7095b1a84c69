package dispatch

import (
	"context"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// startRound makes job the next round of a draft whose row is locked, and
// changes p accordingly; the caller saves it.
//
// Of the round before, queued images are superseded, the ones being generated
// canceled, and spooled ones go on: they are paid for and end in the history.
// An approval that waits for its picture carries over when it was blind and is
// void when it had named a picture of the old round.
func startRound(ctx context.Context, tx *store.Tx, p *publication, job *editorial.Job, after *aftermath) error {
	if err := supersede(ctx, tx, p, job.ID, after); err != nil {
		return err
	}
	state := p.state
	waiting := state.Approved() && state.ApprovedRound > state.PublishedRound
	state.Round++
	p.round = nil
	switch {
	case waiting && !state.Bound():
		state.ApprovedRound = state.Round
	case waiting:
		state.ApprovalID, state.ApprovedImageID = "", ""
		if err := awaitApprovalAgain(ctx, tx, p.row); err != nil {
			return err
		}
	}
	if job.LinkedBy == editorial.LinkTaskID || job.LinkedBy == editorial.LinkReject {
		// Whoever names the draft and asks for pictures wants to see them.
		state.HandPicked = false
	}
	job.Round = state.Round
	for i := range job.Images {
		job.Images[i].DraftID, job.Images[i].Round = job.DraftID, job.Round
	}
	if err := tx.InsertJob(ctx, job); err != nil {
		return err
	}
	after.submitted(*job)
	return nil
}

func awaitApprovalAgain(ctx context.Context, tx *store.Tx, row *draftRow) error {
	draft, err := row.lock(ctx, tx)
	if err != nil || draft.Status != editorial.DraftApproved {
		return err
	}
	row.set(map[string]any{
		"status": string(editorial.DraftAwaitingApproval), "approval_status": "pending_human_review",
	})
	return nil
}

// supersede ends the job of the draft's present round at once, so that whoever
// waits for it hears so and learns where to look instead.
func supersede(ctx context.Context, tx *store.Tx, p *publication, byJobID string, after *aftermath) error {
	round, err := p.candidates(ctx, tx)
	if err != nil || len(round) == 0 {
		return err
	}
	old, err := tx.LockJob(ctx, round[0].JobID)
	if err != nil || old.State.IsFinal() {
		return err
	}
	for _, img := range old.Images {
		next := editorial.StateSuperseded
		switch img.State {
		case editorial.StateQueued:
		case editorial.StateGenerating:
			next = editorial.StateCanceled
		default:
			continue
		}
		moved, err := tx.MoveImage(ctx, img.ID, img.State, next, nil)
		if err != nil {
			return err
		}
		if moved {
			after.event(img, "image."+string(next), map[string]any{"superseded_by": byJobID})
		}
	}
	after.jobEvent(old.ID, old.DraftID, "", "job.superseded", map[string]any{"superseded_by": byJobID})
	return tx.FinishJob(ctx, old.ID, editorial.JobSuperseded, nil, byJobID)
}
