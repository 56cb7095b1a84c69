package store

import (
	"context"
	"fmt"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

const runColumns = `id, started_by, generate, state, created_at, updated_at`

type runRow struct {
	ID        string `db:"id"`
	StartedBy string `db:"started_by"`
	Generate  bool   `db:"generate"`
	State     string `db:"state"`
	CreatedAt stamp  `db:"created_at"`
	UpdatedAt stamp  `db:"updated_at"`
}

func (r *runRow) run() editorial.BackfillRun {
	return editorial.BackfillRun{
		ID: r.ID, StartedBy: r.StartedBy, Generate: r.Generate, State: editorial.RunState(r.State),
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
}

// BackfillRun returns a run, or ErrNotFound.
func (r *Reader) BackfillRun(ctx context.Context, id string) (editorial.BackfillRun, error) {
	if !isUUID(id) {
		return editorial.BackfillRun{}, fmt.Errorf("backfill %q: %w", id, ErrNotFound)
	}
	var row runRow
	if err := r.one(ctx, &row, `SELECT `+runColumns+` FROM backfill_runs WHERE id = ?`, id); err != nil {
		return editorial.BackfillRun{}, fmt.Errorf("backfill %s: %w", id, err)
	}
	return row.run(), nil
}

// BackfillRuns lists runs, newest first.
func (r *Reader) BackfillRuns(ctx context.Context, limit int) ([]editorial.BackfillRun, error) {
	var rows []runRow
	err := r.all(ctx, &rows, `SELECT `+runColumns+` FROM backfill_runs ORDER BY created_at DESC, id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("list backfills: %w", err)
	}
	list := make([]editorial.BackfillRun, len(rows))
	for i := range rows {
		list[i] = rows[i].run()
	}
	return list, nil
}

// UnfinishedBackfill returns the newest run that has not ended, or ErrNotFound.
func (r *Reader) UnfinishedBackfill(ctx context.Context) (editorial.BackfillRun, error) {
	var row runRow
	err := r.one(ctx, &row, `SELECT `+runColumns+` FROM backfill_runs WHERE state = 'running' ORDER BY created_at DESC, id DESC LIMIT 1`)
	if err != nil {
		return editorial.BackfillRun{}, fmt.Errorf("unfinished backfill: %w", err)
	}
	return row.run(), nil
}

// SaveBackfillRun inserts a run, or writes what may change of one.
func (t *Tx) SaveBackfillRun(ctx context.Context, run editorial.BackfillRun) error {
	_, err := t.exec(ctx, `INSERT INTO backfill_runs (id, started_by, generate, state, created_at, updated_at)
		VALUES (?, ?, ?, ?, {now}, {now})
		ON CONFLICT (id) DO UPDATE SET generate = excluded.generate, state = excluded.state, updated_at = {now}`,
		run.ID, run.StartedBy, run.Generate, string(run.State))
	if err != nil {
		return fmt.Errorf("save backfill %s: %w", run.ID, err)
	}
	return nil
}

const changeColumns = `id, run_id, post_id, state, job_id, findings, was, became, note, created_at, updated_at`

type changeRow struct {
	ID        string                        `db:"id"`
	RunID     string                        `db:"run_id"`
	PostID    string                        `db:"post_id"`
	State     string                        `db:"state"`
	JobID     text                          `db:"job_id"`
	Findings  document[[]editorial.Finding] `db:"findings"`
	Was       document[map[string]any]      `db:"was"`
	Became    document[map[string]any]      `db:"became"`
	Note      string                        `db:"note"`
	CreatedAt stamp                         `db:"created_at"`
	UpdatedAt stamp                         `db:"updated_at"`
}

func (r *changeRow) change() editorial.BackfillChange {
	return editorial.BackfillChange{
		ID: r.ID, RunID: r.RunID, PostID: r.PostID, State: editorial.BackfillState(r.State), JobID: string(r.JobID),
		Findings: r.Findings.V, Was: r.Was.V, Became: r.Became.V, Note: r.Note,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
}

func (r *Reader) change(ctx context.Context, where string, args ...any) (editorial.BackfillChange, error) {
	var row changeRow
	if err := r.one(ctx, &row, `SELECT `+changeColumns+` FROM backfill_changes WHERE `+where, args...); err != nil {
		return editorial.BackfillChange{}, fmt.Errorf("read backfill change: %w", err)
	}
	return row.change(), nil
}

// BackfillChange returns what a run does to a post, or ErrNotFound.
func (r *Reader) BackfillChange(ctx context.Context, runID, postID string) (editorial.BackfillChange, error) {
	return r.change(ctx, `run_id = ? AND post_id = ?`, runID, postID)
}

// LockBackfillChange holds a change's row until the transaction ends.
func (t *Tx) LockBackfillChange(ctx context.Context, id string) (editorial.BackfillChange, error) {
	return t.change(ctx, `id = ? {lock}`, id)
}

func (r *Reader) changes(ctx context.Context, where string, args ...any) ([]editorial.BackfillChange, error) {
	var rows []changeRow
	if err := r.all(ctx, &rows, `SELECT `+changeColumns+` FROM backfill_changes WHERE `+where, args...); err != nil {
		return nil, fmt.Errorf("list backfill changes: %w", err)
	}
	list := make([]editorial.BackfillChange, len(rows))
	for i := range rows {
		list[i] = rows[i].change()
	}
	return list, nil
}

// BackfillChanges lists what a run did, in the order in which it came to the
// posts.
func (r *Reader) BackfillChanges(ctx context.Context, runID string) ([]editorial.BackfillChange, error) {
	return r.changes(ctx, `run_id = ? ORDER BY created_at, id`, runID)
}

// WaitingBackfill lists the changes of a run that wait for their picture.
func (r *Reader) WaitingBackfill(ctx context.Context, runID string) ([]editorial.BackfillChange, error) {
	return r.changes(ctx, `run_id = ? AND state = 'waiting' ORDER BY created_at, id`, runID)
}

// ReadyBackfill lists changes, of whatever run, whose picture has ended one way
// or the other.
func (r *Reader) ReadyBackfill(ctx context.Context, limit int) ([]string, error) {
	var ids []string
	err := r.all(ctx, &ids, `SELECT c.id FROM backfill_changes c JOIN image_jobs j ON j.id = c.job_id
		WHERE c.state = 'waiting' AND j.final_state IS NOT NULL ORDER BY c.created_at LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("list backfill changes: %w", err)
	}
	return ids, nil
}

// InsertBackfillChange inserts a change. It returns false when the run has been
// at that post already.
func (t *Tx) InsertBackfillChange(ctx context.Context, c editorial.BackfillChange) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO backfill_changes (`+changeColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {now}, {now})
		ON CONFLICT (run_id, post_id) DO NOTHING`,
		c.ID, c.RunID, c.PostID, string(c.State), text(c.JobID), doc(c.Findings), doc(c.Was), doc(c.Became), c.Note)
	if err != nil {
		return false, fmt.Errorf("insert backfill change of post %s: %w", c.PostID, err)
	}
	return n == 1, nil
}

// SaveBackfillChange writes back what may change of one.
func (t *Tx) SaveBackfillChange(ctx context.Context, c editorial.BackfillChange) error {
	_, err := t.exec(ctx, `UPDATE backfill_changes SET state = ?, was = ?, became = ?, note = ?, updated_at = {now} WHERE id = ?`,
		string(c.State), doc(c.Was), doc(c.Became), c.Note, c.ID)
	if err != nil {
		return fmt.Errorf("save backfill change %s: %w", c.ID, err)
	}
	return nil
}
