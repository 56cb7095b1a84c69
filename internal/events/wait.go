package events

import (
	"context"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Jobs reads jobs.
type Jobs interface {
	Job(ctx context.Context, id string) (editorial.Job, error)
}

// Waiter waits for jobs to end.
type Waiter struct {
	hub     *Hub
	journal *Journal
	jobs    Jobs
}

// NewWaiter returns a waiter over the rows that hears of ends from a hub at
// once and from a journal in any case.
func NewWaiter(hub *Hub, journal *Journal, jobs Jobs) *Waiter { return &Waiter{hub, journal, jobs} }

// WaitJob returns a job when it is final, or as it stands when ctx ends. Only a
// failure to read it is an error. It reads the job twice, however long it waits
// and whatever happens meanwhile.
func (w *Waiter) WaitJob(ctx context.Context, jobID string) (editorial.Job, error) {
	// Both before the first look, or the end could fall in between.
	told := w.hub.Watch(endOf(jobID))
	defer told.Close()
	noticed, err := w.journal.Follow(context.WithoutCancel(ctx), endOf(jobID))
	if err != nil {
		return editorial.Job{}, err
	}
	defer noticed.Close()
	for {
		job, err := w.jobs.Job(context.WithoutCancel(ctx), jobID)
		if err != nil || job.State.IsFinal() || ctx.Err() != nil {
			return job, err
		}
		select {
		case <-ctx.Done():
		case <-told.C():
		case <-noticed.C():
		}
	}
}

// endOf is the topic of a job's end.
func endOf(jobID string) string { return "end of " + jobID }

// endsJob reports whether an event is of the kind "job.<final state>".
func endsJob(kind string) bool {
	state, ok := strings.CutPrefix(kind, "job.")
	return ok && editorial.JobState(state).IsFinal()
}
