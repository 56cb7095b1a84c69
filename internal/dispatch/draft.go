package dispatch

import (
	"context"
	"errors"
	"maps"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// draftRow is a draft's row of content_tasks in a transaction that holds its row
// of draft_images: locked when it is first needed, and written once.
type draftRow struct {
	id      string
	draft   *editorial.Draft // nil: not locked yet
	changes map[string]any
}

// lock returns the row, with the changes that are not written yet, or
// store.ErrNotFound.
func (r *draftRow) lock(ctx context.Context, tx *store.Tx) (*editorial.Draft, error) {
	if r.draft == nil {
		draft, err := tx.LockContent(ctx, r.id)
		if err != nil {
			return nil, err
		}
		r.draft = &draft
	}
	return r.draft, nil
}

// set changes columns of a row that is locked; save writes them.
func (r *draftRow) set(columns map[string]any) {
	if r.changes == nil {
		r.changes = make(map[string]any)
	}
	maps.Copy(r.changes, columns)
	if status, ok := columns["status"].(string); ok {
		r.draft.Status = editorial.DraftStatus(status)
	}
	if metadata, ok := columns["task_metadata"].(map[string]any); ok {
		r.draft.Metadata = metadata
	}
}

func (r *draftRow) save(ctx context.Context, tx *store.Tx) error {
	if len(r.changes) == 0 {
		return nil
	}
	written, err := tx.UpdateDraft(ctx, r.id, r.changes)
	*r.draft, r.changes = written, nil
	return err
}

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
	var draft editorial.Draft
	err := d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		_, row, err := lockWholeDraft(ctx, tx, draftID)
		if err != nil {
			return err
		}
		draft = *row.draft
		columns, err := change(draft)
		if err != nil || len(columns) == 0 {
			return err
		}
		after.notes = append(after.notes, Note{DraftID: draftID, Type: "draft.changed"})
		draft, err = tx.UpdateDraft(ctx, draftID, columns)
		return err
	})
	return draft, err
}

// DeleteDraft deletes a draft's row and cancels what is being made for it. A
// post that it became stays. An approved draft that is not published yet is
// refused: somebody was told that it will be, so it is rejected first, which
// leaves a record of who took that back.
func (d *Dispatch) DeleteDraft(ctx context.Context, draftID string) error {
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		state, row, err := lockWholeDraft(ctx, tx, draftID)
		if err != nil {
			return err
		}
		if row.draft.Status == editorial.DraftApproved {
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
