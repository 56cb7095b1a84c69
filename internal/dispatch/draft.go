package dispatch

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// CreateDraft inserts a draft under a new id and returns its row. Columns that
// this database lacks are passed over, so whatever must not be lost belongs in
// task_metadata as well.
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

// EditDraft changes a draft's row under the lock that every decision takes, and
// returns it. change sees the row as it is and names the columns to set, none
// to leave it alone; it may run more than once.
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
	draft, err := d.Store.Draft(ctx, draftID)
	if errors.Is(err, store.ErrNotFound) {
		return draft, editorial.NotFoundf("there is no task with this id")
	}
	return draft, err
}

// DeleteDraft removes a draft's row; its post and its pictures stay. One that
// is approved and waits to be published is not deleted: the approval would be
// lost without a word.
func (d *Dispatch) DeleteDraft(ctx context.Context, draftID string) error {
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		if _, err := lockExistingDraft(ctx, tx, draftID); err != nil {
			return err
		}
		draft, err := tx.LockContent(ctx, draftID)
		if err != nil {
			return err
		}
		if draft.Status == editorial.DraftApproved {
			return editorial.Conflictf("draft_approved", "the task is approved and about to be published; reject it first")
		}
		after.notes = append(after.notes, Note{DraftID: draftID, Type: "draft.deleted"})
		_, err = tx.DeleteDraft(ctx, draftID)
		return err
	})
}
