package store

import (
	"context"
	"fmt"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func insertEvents(n int) string {
	return `INSERT INTO job_events (job_id, image_id, type, data, at) VALUES ` + rows(n, `(?, ?, ?, ?, {now})`)
}

func insertEventsArgs(events []editorial.JobEvent) []any {
	var args []any
	for _, e := range events {
		args = append(args, e.JobID, text(e.ImageID), e.Type, doc(e.Data))
	}
	return args
}

// AddEvents appends lines to jobs' histories, in the transaction of what they
// tell. Their times are the database's.
func (t *Tx) AddEvents(ctx context.Context, events ...editorial.JobEvent) error {
	if len(events) == 0 {
		return nil
	}
	_, err := t.exec(ctx, insertEvents(len(events)), insertEventsArgs(events)...)
	if err != nil {
		return fmt.Errorf("add events: %w", err)
	}
	return nil
}

type eventRow struct {
	ID      int64                    `db:"id"`
	JobID   string                   `db:"job_id"`
	ImageID text                     `db:"image_id"`
	Type    string                   `db:"type"`
	Data    document[map[string]any] `db:"data"`
	At      stamp                    `db:"at"`
}

// Events returns a job's history after an event id, oldest first.
func (r *Reader) Events(ctx context.Context, jobID string, after int64, limit int) ([]editorial.JobEvent, error) {
	var rows []eventRow
	err := r.all(ctx, &rows, `SELECT id, job_id, image_id, type, data, at FROM job_events
		WHERE job_id = ? AND id > ? ORDER BY id LIMIT ?`, jobID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list events of job %s: %w", jobID, err)
	}
	return eventsOf(rows), nil
}

// DraftEvents returns the newest lines of the histories of all of a draft's
// rounds, newest first.
func (r *Reader) DraftEvents(ctx context.Context, draftID string, limit int) ([]editorial.JobEvent, error) {
	var rows []eventRow
	err := r.all(ctx, &rows, `SELECT e.id, e.job_id, e.image_id, e.type, e.data, e.at FROM job_events e
		JOIN image_jobs j ON j.id = e.job_id WHERE j.draft_id = ? ORDER BY e.id DESC LIMIT ?`, draftID, limit)
	if err != nil {
		return nil, fmt.Errorf("list events of draft %s: %w", draftID, err)
	}
	return eventsOf(rows), nil
}

func eventsOf(rows []eventRow) []editorial.JobEvent {
	list := make([]editorial.JobEvent, len(rows))
	for i, e := range rows {
		list[i] = editorial.JobEvent{ID: e.ID, JobID: e.JobID, ImageID: string(e.ImageID), Type: e.Type, Data: e.Data.V, At: e.At.Time}
	}
	return list
}
