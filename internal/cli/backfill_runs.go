package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/repair"
	"github.com/glad-labs/frontispiece/internal/store"
)

func (c *backfillCmd) undo(ctx context.Context, s *session, o *app.Operator) error {
	run, err := o.Store.BackfillRun(ctx, c.Undo)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("--undo %s: there is no such run; frontispiece backfill --runs lists them", oneLine(c.Undo))
	}
	if err != nil {
		return err
	}
	changes, err := o.Store.BackfillChanges(ctx, run.ID)
	if err != nil {
		return err
	}
	bar := newProgress(ctx, s, "undoing", len(changes))
	err = repair.Undo(ctx, o.Store, o, run, operatorName(), func(editorial.BackfillChange) { bar.step() })
	bar.done()
	if err != nil {
		return fmt.Errorf("stopped; run it again for the rest: %w", err)
	}
	if changes, err = o.Store.BackfillChanges(ctx, run.ID); err != nil {
		return err
	}
	sum := summary(run, changes, false)
	if c.JSON {
		err = printJSON(s.out, sum)
	} else {
		for _, ch := range sum.Changes {
			if ch.State == string(editorial.BackfillApplied) {
				s.out.line("left     %s  %s", ch.PostID, oneLine(ch.Note))
			}
		}
		s.out.line("Run %s: %s as before, %d changed since and left. Authors, categories and tags that it made stay.", run.ID,
			plural(sum.Undone, "post is", "posts are"), sum.Applied)
	}
	if err == nil && sum.Applied > 0 {
		return code(exitFailed)
	}
	return err
}

const maxRuns = 50

func (c *backfillCmd) list(ctx context.Context, s *session, o *app.Operator) error {
	runs, err := o.Store.BackfillRuns(ctx, maxRuns)
	if err != nil {
		return err
	}
	sums := make([]runJSON, len(runs))
	for i, r := range runs {
		changes, err := o.Store.BackfillChanges(ctx, r.ID)
		if err != nil {
			return err
		}
		sums[i] = summary(r, changes, false)
		sums[i].Changes = nil
	}
	if c.JSON {
		return printJSON(s.out, sums)
	}
	if len(runs) == 0 {
		s.out.line("There has been no backfill.")
		return nil
	}
	s.table("RUN\tSTATE\tBEGUN\tBY\tMENDED\tLEFT\tWAITING\tUNDONE", func(row func(cells ...any)) {
		for i, r := range runs {
			row(r.ID, r.State, r.CreatedAt.Format(time.DateTime), oneLine(r.StartedBy),
				sums[i].Applied, sums[i].Kept, sums[i].Waiting, sums[i].Undone)
		}
	})
	return nil
}
