package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	if c.Plan {
		return c.planUndo(ctx, s, o, run, changes)
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

// planUndo lists what an undo would put back. Whether a post was changed since
// is looked at when it is done.
func (c *backfillCmd) planUndo(ctx context.Context, s *session, o *app.Operator, run editorial.BackfillRun, changes []editorial.BackfillChange) error {
	if c.JSON {
		return printJSON(s.out, summary(run, changes, false))
	}
	posts := 0
	s.table("  COLUMN\tIS\tWOULD BE AGAIN", func(row func(cells ...any)) {
		for _, ch := range changes {
			if ch.State != editorial.BackfillApplied {
				continue
			}
			posts++
			post := ch.PostID
			if p, err := o.Store.Post(ctx, post); err == nil {
				post = oneLine(p.Slug)
			}
			row("post " + post)
			for _, column := range slices.Sorted(maps.Keys(ch.Became)) {
				row("  "+column, cell(ch.Became[column]), cell(ch.Was[column]))
			}
		}
	})
	s.out.line("%s would be as before, unless changed since. Without --plan they are.", plural(posts, "post", "posts"))
	return nil
}

// maxCell keeps a table readable: texts of posts have no end.
const maxCell = 40

// cell is a column's value in a table.
func cell(v any) string {
	if v == nil || v == "" {
		return "-"
	}
	return cut(oneLine(fmt.Sprint(v)), maxCell)
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
