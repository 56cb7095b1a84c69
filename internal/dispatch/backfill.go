package dispatch

import (
	"context"
	"errors"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// StartBackfill begins a run, or returns the one that has not ended: its rows
// say how far it came, so whoever starts it again goes on there.
func (d *Dispatch) StartBackfill(ctx context.Context, generate bool, caller string) (run editorial.BackfillRun, continued bool, err error) {
	err = d.Store.InTx(ctx, func(tx *store.Tx) error {
		run, err = tx.UnfinishedBackfill(ctx)
		continued = err == nil
		switch {
		case errors.Is(err, store.ErrNotFound):
			run = editorial.BackfillRun{ID: newID(), StartedBy: caller, State: editorial.RunRunning}
		case err != nil:
			return err
		}
		run.Generate = generate
		return tx.SaveBackfillRun(ctx, run)
	})
	return run, continued, err
}

// EndBackfill records that a run has been at every post.
func (d *Dispatch) EndBackfill(ctx context.Context, run editorial.BackfillRun) error {
	run.State = editorial.RunDone
	return d.Store.InTx(ctx, func(tx *store.Tx) error { return tx.SaveBackfillRun(ctx, run) })
}

var (
	errPlanned = errors.New("only planned")                         // rolls a plan back
	errTaken   = errors.New("another process has come to it first") // rolls back the job that it would not wait for
)

// PlanBackfill says what a run would do to a post, and changes nothing: it does
// it in a transaction that is rolled back.
func (d *Dispatch) PlanBackfill(ctx context.Context, postID string, generate bool) (findings []editorial.Finding, err error) {
	err = d.Store.InTx(ctx, func(tx *store.Tx) error {
		m, err := d.mend(ctx, tx, postID, generate, nil)
		if err != nil {
			return err
		}
		findings = m.findings
		return errPlanned
	})
	if errors.Is(err, errPlanned) || errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return findings, err
}

// Backfill does to a post what a run has to: what needs no picture at once, the
// rest when the picture that it asks for has ended. A post that the run has been
// at already, and one that lacks nothing, are left alone. ok is false for those
// that lack nothing.
func (d *Dispatch) Backfill(ctx context.Context, run editorial.BackfillRun, postID, caller string) (c editorial.BackfillChange, ok bool, err error) {
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		c, err = tx.BackfillChange(ctx, run.ID, postID)
		if ok = err == nil; ok || !errors.Is(err, store.ErrNotFound) {
			return err
		}
		m, err := d.mend(ctx, tx, postID, run.Generate, nil)
		if err != nil || len(m.findings) == 0 {
			return err
		}
		c = editorial.BackfillChange{ID: newID(), RunID: run.ID, PostID: postID, State: editorial.BackfillWaiting, Findings: m.findings}
		if m.request != nil {
			if !d.Capabilities.CanAnswer(*m.request) {
				return noGenerator(*m.request)
			}
			job := newJob(newID(), Submission{Kind: editorial.KindBackfill, Request: *m.request, Caller: caller})
			if err := tx.InsertJob(ctx, &job); err != nil {
				return err
			}
			after.submitted(job)
			c.JobID = job.ID
		} else if err := m.write(ctx, tx, &c); err != nil {
			return err
		}
		if ok, err = tx.InsertBackfillChange(ctx, c); err == nil && !ok {
			err = errTaken
		}
		return err
	})
	if errors.Is(err, errTaken) || errors.Is(err, store.ErrNotFound) {
		return c, false, nil
	}
	return c, ok, err
}

// FinishBackfill carries out a change whose picture has ended. Run it as often
// as you like: one that still waits, and one that was carried out, stay as they
// are.
func (d *Dispatch) FinishBackfill(ctx context.Context, changeID string) (c editorial.BackfillChange, err error) {
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		if c, err = tx.LockBackfillChange(ctx, changeID); err != nil || c.State != editorial.BackfillWaiting {
			return err
		}
		job, err := tx.Job(ctx, c.JobID)
		if err != nil || !job.State.IsFinal() {
			return err
		}
		img, failure := pictureOfJob(job)
		m, err := d.mend(ctx, tx, c.PostID, false, img)
		switch {
		case errors.Is(err, store.ErrNotFound):
			c.State, c.Note = editorial.BackfillKept, "the post was deleted or unpublished meanwhile"
			return tx.SaveBackfillChange(ctx, c)
		case err != nil:
			return err
		}
		m.note = failure
		if err := m.write(ctx, tx, &c); err != nil {
			return err
		}
		if _, shown := c.Became["featured_image_url"]; img != nil && shown {
			m.post.FeaturedImageURL = img.URL
			tellOfPost(m.post.Post, *img, after)
		}
		return tx.SaveBackfillChange(ctx, c)
	})
	return c, err
}

// pictureOfJob is what a job came to: its stored picture, or why there is none.
func pictureOfJob(job editorial.Job) (img *editorial.Image, why string) {
	for i := range job.Images {
		if job.Images[i].State == editorial.StateStored {
			return &job.Images[i], ""
		}
	}
	if job.Failure != nil {
		return nil, "no picture: " + job.Failure.Message
	}
	return nil, "no picture: its job was " + string(job.State)
}

// tellOfPost tells that a post has another picture now, or none.
func tellOfPost(post editorial.Post, img editorial.Image, after *aftermath) {
	const event = "post.updated"
	id := after.tell(postTidings(event, post, img))
	after.event(img, event, map[string]any{"event": id, "post": post.ID, "slug": post.Slug})
}

// finishBackfills carries out what a driver that died has left.
func (d *Dispatch) finishBackfills(ctx context.Context) error {
	ids, err := d.Store.ReadyBackfill(ctx, reconcileBatch)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := d.FinishBackfill(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// UndoBackfill puts a post back as it was before a change. A post that somebody
// has changed since stays as it is, and the note says what they changed. One
// that waits for its picture has its job canceled.
func (d *Dispatch) UndoBackfill(ctx context.Context, changeID, caller string) (c editorial.BackfillChange, err error) {
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		if c, err = tx.LockBackfillChange(ctx, changeID); err != nil {
			return err
		}
		switch c.State {
		case editorial.BackfillWaiting:
			if err := cancelJob(ctx, tx, c.JobID, caller, after); err != nil {
				return err
			}
			c.State, c.Note = editorial.BackfillKept, "canceled before its picture was there"
		case editorial.BackfillApplied:
			if err := undo(ctx, tx, &c); err != nil {
				return err
			}
		default:
			return nil
		}
		return tx.SaveBackfillChange(ctx, c)
	})
	return c, err
}

// undo compares the columns that the change wrote with what it wrote, and only
// those: that the site counted a view meanwhile is no reason to keep the rest.
func undo(ctx context.Context, tx *store.Tx, c *editorial.BackfillChange) error {
	row, err := tx.LockPost(ctx, c.PostID)
	if errors.Is(err, store.ErrNotFound) {
		c.Note = "not undone: the post was deleted since"
		return nil
	}
	if err != nil {
		return err
	}
	columns := make(map[string]any, len(c.Was))
	var changed []string
	for name, was := range c.Was {
		same := row.Columns[name] == c.Became[name]
		switch {
		case name == updatedAt:
			if same {
				columns[name] = was
			}
		case !same:
			changed = append(changed, name)
		case name == store.PostTagsColumn:
			tags, err := existing(ctx, tx, splitIDs(was))
			if err != nil {
				return err
			}
			columns[name] = joinIDs(tags) // without those that the site deleted since
		default:
			columns[name] = was
		}
	}
	if len(changed) > 0 {
		c.Note = "not undone: changed since: " + joinSorted(changed)
		return nil
	}
	if err := tx.SetPostColumns(ctx, c.PostID, columns); err != nil {
		return err
	}
	c.State, c.Note = editorial.BackfillUndone, ""
	return nil
}

// EndUndo records that a run was undone.
func (d *Dispatch) EndUndo(ctx context.Context, run editorial.BackfillRun) error {
	run.State = editorial.RunUndone
	return d.Store.InTx(ctx, func(tx *store.Tx) error { return tx.SaveBackfillRun(ctx, run) })
}

// ours recognises pictures in our own bucket: every address under our own hosts,
// and of the paths, which any site may have, those whose key was issued here.
func (d *Dispatch) ours(ctx context.Context, tx *store.Tx, failed *error) func(url string) bool {
	return func(url string) bool {
		key, ok := d.Links.KeyOf(url)
		if !ok || !strings.HasPrefix(url, "/") {
			return ok
		}
		_, err := tx.ImageByKey(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			*failed = errors.Join(*failed, err)
		}
		return err == nil
	}
}
