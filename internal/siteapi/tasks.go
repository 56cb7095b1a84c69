package siteapi

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

type taskCreated struct {
	ID         string  `json:"id"` // the older front end insists on it
	TaskID     string  `json:"task_id"`
	TaskType   string  `json:"task_type"`
	Status     string  `json:"status"`
	Topic      string  `json:"topic"`
	CreatedAt  *string `json:"created_at"`
	Message    string  `json:"message"`
	PollingURL string  `json:"polling_url"`
}

func (a *API) createTask(w http.ResponseWriter, r *http.Request) error {
	var in newDraft
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	draft, err := a.createDraft(r.Context(), &in, callerOf(r))
	if err != nil {
		return err
	}
	w.Header().Set("Location", taskPath(draft.ID))
	writeJSON(w, http.StatusCreated, taskCreated{
		ID: draft.ID, TaskID: draft.ID, TaskType: draft.Text("task_type"), Status: string(draft.Status), Topic: draft.Topic,
		CreatedAt: isoTime(draft.CreatedAt), Message: "Task created successfully", PollingURL: taskPath(draft.ID),
	})
	return nil
}

type tasksResponse struct {
	Tasks  []task `json:"tasks"`
	Total  int    `json:"total"`
	Offset int    `json:"offset"`
	Limit  int    `json:"limit"`
}

func (a *API) listTasks(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	f := store.DraftFilter{
		Statuses: statusesOf(q.text("status", maxWord), nil),
		Category: q.text("category", maxDraftTerm),
		Limit:    q.number("limit", defaultLimit, 1, maxLimit),
		Offset:   q.number("offset", 0, 0, maxOffset),
	}
	if q.err != nil {
		return q.err
	}
	drafts, total, err := a.Store.Drafts(r.Context(), f)
	if err != nil {
		return err
	}
	return ok(w, tasksResponse{Tasks: shaped(drafts, taskOf), Total: total, Offset: f.Offset, Limit: f.Limit})
}

// oneTask is a task alone, with how its picture is coming along.
type oneTask struct {
	task
	Picture *picture `json:"picture"`
}

func (a *API) getTask(w http.ResponseWriter, r *http.Request) error {
	draft, err := a.draftOf(r)
	if e := asError(err); e != nil && e.Kind == editorial.NotFound && uuid.Validate(r.PathValue("id")) != nil {
		return editorial.Invalidf("task_id", "Invalid task ID format")
	}
	if err != nil {
		return err
	}
	return a.answerTask(w, r, draft)
}

func (a *API) answerTask(w http.ResponseWriter, r *http.Request, draft editorial.Draft) error {
	p, err := a.pictureOf(r.Context(), &draft)
	if err != nil {
		return err
	}
	return ok(w, oneTask{taskOf(draft), p})
}

// cancelTask is the site's soft delete. It may be repeated.
func (a *API) cancelTask(w http.ResponseWriter, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	if err := a.setStatus(r.Context(), id, statusCancelled, callerOf(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// notFoundAsTask says which thing is not there.
func notFoundAsTask(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return editorial.NotFoundf("Task not found")
	}
	return err
}
