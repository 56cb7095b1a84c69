package v1

import (
	"context"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

type listJobsInput struct {
	State         string    `query:"state" enum:"queued,generating,uploading,stored,failed,canceled,superseded" doc:"Only jobs in this state"`
	Draft         string    `query:"draft" maxLength:"255" doc:"Only the rounds of this draft"`
	Kind          string    `query:"kind" enum:"generate,import,backfill" doc:"Only jobs of this kind"`
	CreatedBy     string    `query:"created_by" maxLength:"255" doc:"Only what this caller asked for; me is whoever asks now"`
	Backend       string    `query:"backend" maxLength:"255" doc:"Only jobs of which this generator made, or is making, a picture" example:"card"`
	CreatedAfter  time.Time `query:"created_after" doc:"Only jobs of that moment and later"`
	CreatedBefore time.Time `query:"created_before" doc:"Only earlier jobs"`
	Cursor        string    `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before, with the same filters"`
	Limit         int       `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// JobList is a page of jobs, newest first.
type JobList struct {
	Items      []Job  `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Absent on the last page"`
}

type listJobsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         JobList
}

func (a *API) listJobs(ctx context.Context, in *listJobsInput) (*listJobsOutput, error) {
	f := store.JobFilter{
		State: editorial.JobState(in.State), DraftID: in.Draft, Kind: editorial.JobKind(in.Kind), CreatedBy: in.CreatedBy,
		Backend: in.Backend, CreatedAfter: in.CreatedAfter, CreatedBefore: in.CreatedBefore, Limit: in.Limit + 1,
	}
	if f.CreatedBy == "me" {
		f.CreatedBy = caller(ctx)
	}
	scope := fmt.Sprintf("jobs %+q", []any{f.State, f.DraftID, f.Kind, f.CreatedBy, f.Backend, f.CreatedAfter.UnixNano(), f.CreatedBefore.UnixNano()})
	at, err := a.openCursor(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	f.Before, f.BeforeID = at.Before, at.ID
	jobs, err := a.Store.Jobs(ctx, f) // one more than asked tells whether there is another page
	if err != nil {
		return nil, err
	}
	out := &listJobsOutput{CacheControl: "private, no-cache", Body: JobList{Items: []Job{}}}
	if len(jobs) > in.Limit {
		jobs = jobs[:in.Limit]
		last := jobs[in.Limit-1]
		out.Body.NextCursor = a.sealCursor(scope, cursor{Before: last.CreatedAt, ID: last.ID})
	}
	known := a.progressOf(ctx, jobs...)
	for _, job := range jobs {
		v := viewJob(job, 0)
		v.showProgress(known)
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}

type historyInput struct {
	ID    string `path:"id" doc:"The job's id"`
	After int64  `query:"after" minimum:"0" doc:"The last id of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

// Event is one line of a job's history, and the data of its event stream.
type Event struct {
	ID      int64          `json:"id" doc:"Rises; also the id of the stream's event"`
	Type    string         `json:"type" doc:"noun.verb" example:"image.spooled"`
	JobID   string         `json:"job_id" format:"uuid"`
	DraftID string         `json:"draft_id,omitempty" doc:"The draft that the job is for"`
	ImageID string         `json:"image_id,omitempty" format:"uuid" doc:"Absent when the whole job is meant"`
	Data    map[string]any `json:"data,omitempty"`
	At      time.Time      `json:"at"`
}

// History is a page of a job's events, oldest first.
type History struct {
	Items []Event `json:"items" nullable:"false"`
	More  bool    `json:"more" doc:"Whether to ask again, after the last id"`
}

type historyOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         History
}

func (a *API) history(ctx context.Context, in *historyInput) (*historyOutput, error) {
	if _, err := a.readJob(ctx, in.ID); err != nil {
		return nil, err
	}
	events, err := a.Store.EventLog(ctx, store.EventFilter{JobID: in.ID, After: in.After, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	out := &historyOutput{CacheControl: "private, no-cache", Body: History{Items: []Event{}}}
	if out.Body.More = len(events) > in.Limit; out.Body.More {
		events = events[:in.Limit]
	}
	for _, e := range events {
		out.Body.Items = append(out.Body.Items, viewEvent(e))
	}
	return out, nil
}

func viewEvent(e editorial.JobEvent) Event {
	return Event{ID: e.ID, Type: e.Type, JobID: e.JobID, DraftID: e.DraftID, ImageID: e.ImageID, Data: e.Data, At: e.At}
}
