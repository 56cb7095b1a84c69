package siteapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Statuses of the site that mean nothing to us but that its editors set.
const (
	statusInProgress editorial.DraftStatus = "in_progress"
	statusCompleted  editorial.DraftStatus = "completed"
	statusFailed     editorial.DraftStatus = "failed"
	statusPaused     editorial.DraftStatus = "paused"
	statusOnHold     editorial.DraftStatus = "on_hold"
	statusCancelled  editorial.DraftStatus = "cancelled"
	statusDeleted    editorial.DraftStatus = "deleted"
)

// settable are the statuses that a PATCH may set. What a decision sets is not
// among them: an author must not approve by another door.
var settable = []editorial.DraftStatus{
	editorial.DraftPending, statusInProgress, editorial.DraftAwaitingApproval, statusCompleted,
	statusFailed, statusCancelled, statusPaused, statusOnHold,
}

type taskPatch struct {
	Status   string         `json:"status"`
	Result   map[string]any `json:"result"`
	Metadata map[string]any `json:"metadata"`
}

func (p *taskPatch) validate() error {
	if p.Status != "" && !slices.Contains(settable, editorial.DraftStatus(p.Status)) {
		return editorial.Invalidf("status", "must be one of %s; approve, reject and publish have routes of their own", words(settable))
	}
	return nil
}

func words[T ~string](list []T) string {
	s := make([]string, len(list))
	for i, v := range list {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
}

func (a *API) patchTask(w http.ResponseWriter, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	var in taskPatch
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	before, err := a.draftOf(r)
	if err != nil {
		return err
	}
	// The front ends send the whole metadata back with the picture that they
	// were shown, which is no wish for it.
	url := firstOf(pictureIn(in.Metadata), pictureIn(in.Result))
	if url != "" && url != before.PictureURL() {
		if err := undecidedOnly(before); err != nil {
			return err
		}
		if _, err := a.Dispatch.SetPicture(r.Context(), id, url, callerOf(r)); err != nil {
			return err
		}
	}
	draft, err := a.Dispatch.EditDraft(r.Context(), id, in.columns)
	if err != nil {
		return notFoundAsTask(err)
	}
	return a.answerTask(w, r, draft)
}

// columns is what a patch changes: metadata is added to what is there, a
// result replaces the one before.
func (p *taskPatch) columns(d editorial.Draft) (map[string]any, error) {
	c := make(map[string]any)
	if p.Status != "" && p.Status != string(d.Status) {
		c["status"] = p.Status
	}
	if len(p.Metadata) > 0 {
		merged := maps.Clone(d.Metadata)
		if merged == nil {
			merged = make(map[string]any)
		}
		maps.Copy(merged, clientMetadata(p.Metadata))
		c["task_metadata"] = merged
	}
	if p.Result != nil {
		c["result"] = clientMetadata(p.Result)
	}
	if len(c) == 0 {
		return nil, nil
	}
	return c, undecidedOnly(d)
}

// undecidedOnly keeps what was approved as it was approved.
func undecidedOnly(d editorial.Draft) error {
	switch d.Status {
	case editorial.DraftApproved:
		return editorial.Conflictf("draft_approved", "the task is approved and about to be published; reject it first")
	case editorial.DraftPublished:
		return editorial.Conflictf("already_published", "the task is published and is not changed any more")
	default:
		return nil
	}
}

// setStatus moves a draft that nobody has decided on; where it stands already
// there is nothing to do. A draft that is given up needs no picture.
func (a *API) setStatus(ctx context.Context, id string, status editorial.DraftStatus, caller string) error {
	_, err := a.Dispatch.EditDraft(ctx, id, func(d editorial.Draft) (map[string]any, error) {
		if d.Status == status {
			return nil, nil
		}
		return map[string]any{"status": string(status)}, undecidedOnly(d)
	})
	if err != nil {
		return notFoundAsTask(err)
	}
	if status == statusCancelled || status == statusDeleted {
		return a.stopPicture(ctx, id, caller)
	}
	return nil
}

// stopPicture cancels what is being made for a draft, if anything is.
func (a *API) stopPicture(ctx context.Context, draftID, caller string) error {
	state, err := a.Store.DraftImages(ctx, draftID)
	if err != nil || state.Round == 0 {
		return err
	}
	job, err := a.Store.JobOfRound(ctx, draftID, state.Round)
	if errors.Is(err, store.ErrNotFound) || err == nil && job.State.IsFinal() {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = a.Dispatch.Cancel(ctx, job.ID, caller)
	if e := asError(err); e != nil && e.Kind == editorial.Conflict {
		return nil // it ended meanwhile
	}
	return err
}

type bulkRequest struct {
	TaskIDs []string `json:"task_ids"`
	Action  string   `json:"action"`
}

type bulkResponse struct {
	Message string      `json:"message"`
	Updated int         `json:"updated"`
	Failed  int         `json:"failed"`
	Total   int         `json:"total"`
	Errors  []bulkError `json:"errors"` // null when there are none
}

type bulkError struct {
	TaskID string `json:"task_id"`
	Error  string `json:"error"`
}

// maxBulk bounds one bulk action.
const maxBulk = 100

var bulkActions = map[string]editorial.DraftStatus{
	"pause": statusPaused, "resume": statusInProgress, "cancel": statusCancelled, "delete": statusDeleted,
}

func (in *bulkRequest) validate() (editorial.DraftStatus, error) {
	status, known := bulkActions[in.Action]
	if !known {
		return "", editorial.Invalidf("action", "must be one of %s", words(slices.Sorted(maps.Keys(bulkActions))))
	}
	if n := len(in.TaskIDs); n == 0 || n > maxBulk {
		return "", editorial.Invalidf("task_ids", "must be 1 to %d ids, got %d", maxBulk, n)
	}
	for _, id := range in.TaskIDs {
		if err := editorial.ValidText("task_ids", id, 1, maxID); err != nil {
			return "", err
		}
	}
	return status, nil
}

// bulkTasks changes each task in a transaction of its own: one that cannot be
// changed is named, and holds up none of the others.
func (a *API) bulkTasks(w http.ResponseWriter, r *http.Request) error {
	var in bulkRequest
	if err := decode(w, r, &in); err != nil {
		return err
	}
	status, err := in.validate()
	if err != nil {
		return err
	}
	answer := bulkResponse{Total: len(in.TaskIDs)}
	for _, id := range in.TaskIDs {
		err := a.setStatus(r.Context(), id, status, callerOf(r))
		e := asError(err)
		switch {
		case e != nil:
			answer.Errors = append(answer.Errors, bulkError{id, e.Message})
		case err != nil:
			return err
		default:
			answer.Updated++
		}
	}
	answer.Failed = len(answer.Errors)
	answer.Message = fmt.Sprintf("Bulk %s: %d updated, %d failed", in.Action, answer.Updated, answer.Failed)
	return ok(w, answer)
}
