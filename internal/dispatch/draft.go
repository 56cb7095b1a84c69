package dispatch

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// CreateDraft inserts a row of content_tasks with the given columns.
func (d *Dispatch) CreateDraft(ctx context.Context, columns map[string]any) (editorial.Draft, error) {
	id := uuid.NewString()
	err := d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		after.notes = append(after.notes, Note{DraftID: id, Type: "draft.created"})
		return tx.InsertDraft(ctx, id, columns)
	})
	if err != nil {
		return editorial.Draft{}, err
	}
	return d.Store.Draft(ctx, id)
}

// EditDraft lets change look at a draft whose row is locked and sets the
// columns that it returns; none is no change. An editorial.Error from change is
// passed on and nothing is written.
func (d *Dispatch) EditDraft(ctx context.Context, draftID string, change func(editorial.Draft) (map[string]any, error)) (editorial.Draft, error) {
	err := d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		if _, err := lockExistingDraft(ctx, tx, draftID); err != nil {
			return err
		}
		draft, err := tx.LockContent(ctx, draftID)
		if err != nil {
			return err
		}
		columns, err := change(draft)
		if err != nil || len(columns) == 0 {
			return err
		}
		after.notes = append(after.notes, Note{DraftID: draftID, Type: "draft.changed"})
		return tx.UpdateDraft(ctx, draftID, columns)
	})
	if err != nil {
		return editorial.Draft{}, err
	}
	return d.Store.Draft(ctx, draftID)
}

// DeleteDraft deletes a draft's row and cancels what is being made for it. A
// post that it became stays. An approved draft that is not published yet is
// refused: somebody was told that it will be, so it is rejected first, which
// leaves a record of who took that back.
func (d *Dispatch) DeleteDraft(ctx context.Context, draftID string) error {
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		state, err := lockExistingDraft(ctx, tx, draftID)
		if err != nil {
			return err
		}
		draft, err := tx.LockContent(ctx, draftID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if draft.Status == editorial.DraftApproved {
			return editorial.Conflictf("draft_approved", "the task is approved and about to be published; reject it before deleting it")
		}
		job, err := tx.JobOfRound(ctx, draftID, state.Round)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		default:
			if err := cancelJob(ctx, tx, job.ID, "the draft was deleted", after); err != nil {
				return err
			}
		}
		after.notes = append(after.notes, Note{DraftID: draftID, Type: "draft.deleted"})
		_, err = tx.DeleteDraft(ctx, draftID)
		return err
	})
}
