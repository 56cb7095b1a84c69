package repair

import (
	"context"
	"slices"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Undoer puts posts back as they were, one transaction each.
type Undoer interface {
	UndoBackfill(ctx context.Context, changeID, caller string) (editorial.BackfillChange, error)
	EndUndo(ctx context.Context, run editorial.BackfillRun) error
}

// Undo undoes a run, the newest change first, and hands what became of each to
// fn. It may be stopped and run again. The run counts as undone when no change
// of it is left in the rows.
func Undo(ctx context.Context, posts Posts, undoer Undoer, run editorial.BackfillRun, caller string, fn func(editorial.BackfillChange)) error {
	changes, err := posts.BackfillChanges(ctx, run.ID)
	if err != nil {
		return err
	}
	left := 0
	for _, c := range slices.Backward(changes) {
		if err := ctx.Err(); err != nil {
			return err
		}
		after, err := undoer.UndoBackfill(ctx, c.ID, caller)
		if err != nil {
			return err
		}
		if after.State == editorial.BackfillApplied {
			left++
		}
		fn(after)
	}
	if left > 0 && run.State != editorial.RunRunning {
		return nil
	}
	return undoer.EndUndo(ctx, run)
}
