package v1

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// maxRounds bounds how much of a draft's history one answer holds; the rest is
// in the list of its jobs.
const maxRounds = 50

type draftIDInput struct {
	ID string `path:"id" doc:"The draft's id (content_tasks.task_id)"`
}

type draftOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Draft
}

func (a *API) getDraft(ctx context.Context, in *draftIDInput) (*draftOutput, error) {
	v, err := a.draft(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &draftOutput{CacheControl: "private, no-cache", Body: v}, nil
}

// draft reads everything that is shown of one draft.
func (a *API) draft(ctx context.Context, id string) (Draft, error) {
	d, err := a.readDraft(ctx, id)
	if err != nil {
		return Draft{}, err
	}
	images, err := a.Store.DraftImages(ctx, id)
	if err != nil {
		return Draft{}, err
	}
	post, err := a.postOf(ctx, images)
	if err != nil {
		return Draft{}, err
	}
	return a.withHistory(ctx, &d, images, post)
}

// withHistory reads a draft's rounds and decisions beside what is known of it.
func (a *API) withHistory(ctx context.Context, d *editorial.Draft, images editorial.DraftImages, post *editorial.Post) (Draft, error) {
	jobs, err := a.Store.Jobs(ctx, store.JobFilter{DraftID: d.ID, Limit: maxRounds})
	if err != nil {
		return Draft{}, err
	}
	approvals, err := a.Store.Approvals(ctx, d.ID)
	if err != nil {
		return Draft{}, err
	}
	v := viewDraft(d, images, jobs, approvals, post)
	known := a.progressOf(ctx, jobs...)
	for i := range v.Rounds {
		v.Rounds[i].showProgress(known)
	}
	return v, nil
}

// readDraft tells a draft that never was from one that was deleted: of the
// latter our own tables keep the pictures.
func (a *API) readDraft(ctx context.Context, id string) (editorial.Draft, error) {
	d, err := a.Store.Draft(ctx, id)
	if !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	jobs, err := a.Store.Jobs(ctx, store.JobFilter{DraftID: id, Limit: 1})
	if err != nil {
		return d, err
	}
	if len(jobs) > 0 {
		return d, &editorial.Error{Kind: editorial.Gone, Code: "draft_deleted", Message: "the draft was deleted; the jobs that made its pictures are still listed by ?draft="}
	}
	return d, editorial.NotFoundf("there is no draft with this id")
}

func (a *API) postOf(ctx context.Context, images editorial.DraftImages) (*editorial.Post, error) {
	if images.PostID == "" {
		return nil, nil
	}
	post, err := a.Store.Post(ctx, images.PostID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // the site deleted it
	}
	return &post, err
}

type listDraftsInput struct {
	State  string `query:"state" enum:"awaiting_approval,approved,picture_failed,rejected,published,pending,all" default:"awaiting_approval" doc:"picture_failed: approved, but every picture of the round failed"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before, with the same filter"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// DraftList is a page of drafts, newest first.
type DraftList struct {
	Items      []DraftSummary `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty" doc:"Absent on the last page"`
}

type listDraftsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         DraftList
}

func (a *API) listDrafts(ctx context.Context, in *listDraftsInput) (*listDraftsOutput, error) {
	scope := fmt.Sprintf("drafts %q", in.State)
	at, err := a.openCursor(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	out := &listDraftsOutput{CacheControl: "private, no-cache", Body: DraftList{Items: []DraftSummary{}}}
	// What a state means beyond the stored status is not the database's to
	// filter by, so pages are read until one of ours is full.
	for {
		page, total, err := a.Store.Drafts(ctx, store.DraftFilter{Statuses: storedStatuses(in.State), Limit: in.Limit, Offset: at.Offset})
		if err != nil {
			return nil, err
		}
		for i := range page {
			if len(out.Body.Items) == in.Limit {
				break
			}
			at.Offset++
			state, err := a.stateOf(ctx, &page[i])
			if err != nil {
				return nil, err
			}
			if in.State == stateAll || in.State == state {
				out.Body.Items = append(out.Body.Items, viewSummary(&page[i], state))
			}
		}
		if at.Offset >= total || len(page) == 0 {
			return out, nil
		}
		if len(out.Body.Items) == in.Limit {
			out.Body.NextCursor = a.sealCursor(scope, at)
			return out, nil
		}
	}
}

func storedStatuses(state string) []editorial.DraftStatus {
	switch state {
	case stateAll:
		return nil
	case stateAwaiting:
		return editorial.AwaitingStatuses
	case statePictureFailed:
		return []editorial.DraftStatus{editorial.DraftApproved}
	default:
		return []editorial.DraftStatus{editorial.DraftStatus(state)}
	}
}

// stateOf looks up what only an approved draft's state depends on.
func (a *API) stateOf(ctx context.Context, d *editorial.Draft) (string, error) {
	if d.Status != editorial.DraftApproved {
		return stateOf(d, editorial.DraftImages{}, nil), nil
	}
	images, err := a.Store.DraftImages(ctx, d.ID)
	if err != nil {
		return "", err
	}
	jobs, err := a.Store.Jobs(ctx, store.JobFilter{DraftID: d.ID, Limit: 1}) // newest first: the present round
	if err != nil {
		return "", err
	}
	return stateOf(d, images, present(images, jobs)), nil
}

// ApproveRequest is the body of an approval; none at all is a blind one.
type ApproveRequest struct {
	ImageID  string `json:"image_id,omitempty" format:"uuid" doc:"The candidate that was seen. If another took its place: 409"`
	SHA256   string `json:"sha256,omitempty" pattern:"^[0-9a-f]{64}$" patternDescription:"64 lower-case hexadecimal digits" doc:"Its digest; if the bytes are others: 409. Alone it names the picture too"`
	Feedback string `json:"feedback,omitempty" maxLength:"2000"`
	Reviewer string `json:"reviewer,omitempty" maxLength:"100" doc:"Who decided, to be shown; left out, the caller"`
}

// RejectRequest is the body of a rejection.
type RejectRequest struct {
	Reason   string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why; with new_round it goes into the next prompt"`
	NewRound bool   `json:"new_round,omitempty" doc:"Ask for other pictures at once"`
	Reviewer string `json:"reviewer,omitempty" maxLength:"100"`
}

// ChooseRequest is the body of a choice by hand.
type ChooseRequest struct {
	ImageID string `json:"image_id" format:"uuid" doc:"A stored candidate of any round"`
}

// Decision is the draft's real state after a decision, whatever was asked.
type Decision struct {
	Repeated bool   `json:"repeated" doc:"The draft was so decided already; nothing changed"`
	JobID    string `json:"job_id,omitempty" format:"uuid" doc:"The round of pictures that the decision started"`
	JobURL   string `json:"job_url,omitempty"`
	Draft    Draft  `json:"draft"`
}

type decisionOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Decision
}

type approveInput struct {
	ID   string `path:"id" doc:"The draft's id"`
	Body *ApproveRequest
}

func (a *API) approve(ctx context.Context, in *approveInput) (*decisionOutput, error) {
	if in.Body == nil {
		in.Body = new(ApproveRequest)
	}
	return a.decide(ctx, dispatch.Decision{
		DraftID: in.ID, Approved: true, ImageID: strings.ToLower(in.Body.ImageID), SHA256: in.Body.SHA256,
		Feedback: in.Body.Feedback, Reviewer: in.Body.Reviewer,
	}, "feedback")
}

type rejectInput struct {
	ID   string `path:"id" doc:"The draft's id"`
	Body RejectRequest
}

func (a *API) reject(ctx context.Context, in *rejectInput) (*decisionOutput, error) {
	return a.decide(ctx, dispatch.Decision{
		DraftID: in.ID, Feedback: in.Body.Reason, NewRound: in.Body.NewRound, Reviewer: in.Body.Reviewer,
	}, "reason")
}

func (a *API) decide(ctx context.Context, d dispatch.Decision, feedbackField string) (*decisionOutput, error) {
	for field, value := range map[string]string{feedbackField: d.Feedback, "reviewer": d.Reviewer} {
		if err := editorial.ValidText(field, value, 0, len(value)); err != nil {
			return nil, err
		}
	}
	d.Reviewer, d.Caller = reviewer(ctx, d.Reviewer), caller(ctx)
	o, err := a.Dispatch.Decide(ctx, d)
	var e *editorial.Error
	if errors.As(err, &e) && e.Kind == editorial.NotFound {
		_, err = a.readDraft(ctx, d.DraftID) // which tells whether there ever was one
	}
	if err != nil {
		return nil, inOurWords(err)
	}
	v, err := a.withHistory(ctx, &o.Draft, o.State, o.Post)
	if err != nil {
		return nil, err
	}
	out := &decisionOutput{CacheControl: "no-store", Body: Decision{Repeated: o.Repeated, JobID: o.JobID, Draft: v}}
	if o.JobID != "" {
		out.Body.JobURL = jobPath(o.JobID)
	}
	return out, nil
}

// reviewer is who a decision is signed by. The caller's id goes before the name
// where it is a UUID, since posts.created_by wants one.
func reviewer(ctx context.Context, given string) string {
	if given = strings.TrimSpace(given); given != "" {
		return given
	}
	id := auth.FromContext(ctx)
	switch {
	case id == nil:
		return ""
	case uuid.Validate(id.Subject) != nil && id.Name != "":
		return id.Name
	default:
		return id.Subject
	}
}

type chooseInput struct {
	ID   string `path:"id" doc:"The draft's id"`
	Body ChooseRequest
}

func (a *API) choose(ctx context.Context, in *chooseInput) (*draftOutput, error) {
	if _, err := a.readDraft(ctx, in.ID); err != nil {
		return nil, err
	}
	err := a.Dispatch.Choose(ctx, in.ID, strings.ToLower(in.Body.ImageID), caller(ctx))
	var e *editorial.Error
	if errors.As(err, &e) && e.Kind == editorial.NotFound && e.Field == "image_id" {
		return nil, &editorial.Error{Kind: editorial.Invalid, Code: "unknown_image", Field: e.Field, Message: e.Message}
	}
	if err != nil {
		return nil, inOurWords(err)
	}
	return a.getDraft(ctx, &draftIDInput{ID: in.ID})
}
