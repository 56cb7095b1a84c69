package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	DraftID text                     `db:"draft_id"`
	ImageID text                     `db:"image_id"`
	Type    string                   `db:"type"`
	Data    document[map[string]any] `db:"data"`
	At      stamp                    `db:"at"`
}

func (r *eventRow) event() editorial.JobEvent {
	return editorial.JobEvent{
		ID: r.ID, JobID: r.JobID, DraftID: string(r.DraftID), ImageID: string(r.ImageID), Type: r.Type, Data: r.Data.V, At: r.At.Time,
	}
}

// EventFilter narrows a reading of the histories; the zero value is all of
// them from the beginning.
type EventFilter struct {
	JobID   string
	DraftID string
	After   int64 // an event's id
	UpTo    int64 // as After, and with it; 0: no end
	Limit   int   // rows; the caller's to bound
}

// Events returns a job's history after an event id, oldest first.
func (r *Reader) Events(ctx context.Context, jobID string, after int64, limit int) ([]editorial.JobEvent, error) {
	return r.EventLog(ctx, EventFilter{JobID: jobID, After: after, Limit: limit})
}

// EventLog reads the histories of jobs, oldest first.
func (r *Reader) EventLog(ctx context.Context, f EventFilter) ([]editorial.JobEvent, error) {
	where, args := []string{"e.id > ?"}, []any{f.After}
	if f.UpTo > 0 {
		where, args = append(where, "e.id <= ?"), append(args, f.UpTo)
	}
	if f.JobID != "" {
		where, args = append(where, "e.job_id = ?"), append(args, f.JobID)
	}
	if f.DraftID != "" {
		// As a list of its few jobs, so that their own index is entered and not
		// everybody's history read.
		where, args = append(where, "e.job_id IN (SELECT id FROM image_jobs WHERE draft_id = ?)"), append(args, f.DraftID)
	}
	return r.events(ctx, strings.Join(where, " AND ")+` ORDER BY e.id LIMIT ?`, append(args, f.Limit)...)
}

// EventsAfter returns the events of all jobs behind an id, oldest first.
func (r *Reader) EventsAfter(ctx context.Context, after int64, limit int) ([]editorial.JobEvent, error) {
	return r.events(ctx, `e.id > ? ORDER BY e.id LIMIT ?`, after, limit)
}

// NewestEvents returns the last events of all jobs, oldest first.
func (r *Reader) NewestEvents(ctx context.Context, limit int) ([]editorial.JobEvent, error) {
	list, err := r.events(ctx, `1 = 1 ORDER BY e.id DESC LIMIT ?`, limit)
	slices.Reverse(list)
	return list, err
}

func (r *Reader) events(ctx context.Context, where string, args ...any) ([]editorial.JobEvent, error) {
	var rows []eventRow
	err := r.all(ctx, &rows, `SELECT e.id, e.job_id, j.draft_id, e.image_id, e.type, e.data, e.at
		FROM job_events e JOIN image_jobs j ON j.id = e.job_id WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
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
	for i := range rows {
		list[i] = rows[i].event()
	}
	return list
}
