package siteapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

type contentTaskCreated struct {
	TaskID     string  `json:"task_id"`
	TaskType   string  `json:"task_type"`
	Status     string  `json:"status"`
	Topic      string  `json:"topic"`
	CreatedAt  *string `json:"created_at"`
	PollingURL string  `json:"polling_url"`
}

func contentPath(id string) string { return "/api/content/tasks/" + id }

func (a *API) createContentTask(w http.ResponseWriter, r *http.Request) error {
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
	w.Header().Set("Location", contentPath(draft.ID))
	writeJSON(w, http.StatusCreated, contentTaskCreated{
		TaskID: draft.ID, TaskType: draft.Text("task_type"), Status: string(draft.Status), Topic: draft.Topic,
		CreatedAt: isoTime(draft.CreatedAt), PollingURL: contentPath(draft.ID),
	})
	return nil
}

type draftsResponse struct {
	Drafts []draftLine `json:"drafts"`
	Total  int         `json:"total"`
	Limit  int         `json:"limit"`
	Offset int         `json:"offset"`
}

type draftLine struct {
	DraftID          string  `json:"draft_id"`
	Title            string  `json:"title"`
	CreatedAt        *string `json:"created_at"`
	Status           string  `json:"status"`
	WordCount        int     `json:"word_count"`
	Summary          string  `json:"summary"`
	ApprovalStatus   string  `json:"approval_status"`
	FeaturedImageURL *string `json:"featured_image_url"`
	// QualityScore is read by the approval queue, which the site never gave it:
	// the page made one up at random.
	QualityScore *float64 `json:"quality_score"`
}

// undecided are the drafts of the list that asks for none in particular.
var undecided = append([]editorial.DraftStatus{editorial.DraftPending}, editorial.AwaitingStatuses...)

// statusesOf is a status as it may be stored: the site's pipeline has several
// words for awaiting approval.
func statusesOf(status string, fallback []editorial.DraftStatus) []editorial.DraftStatus {
	switch editorial.DraftStatus(status) {
	case "":
		return fallback
	case editorial.DraftAwaitingApproval:
		return editorial.AwaitingStatuses
	default:
		return []editorial.DraftStatus{editorial.DraftStatus(status)}
	}
}

func (a *API) listContentTasks(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	f := store.DraftFilter{
		Statuses: statusesOf(q.text("status", maxWord), undecided),
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
	return ok(w, draftsResponse{Drafts: shaped(drafts, lineOf), Total: total, Limit: f.Limit, Offset: f.Offset})
}

func lineOf(d editorial.Draft) draftLine {
	return draftLine{
		DraftID: d.ID, Title: d.Title(), CreatedAt: isoTime(d.CreatedAt), Status: string(d.Status),
		WordCount: len(strings.Fields(d.Content())), Summary: summaryText(&d),
		ApprovalStatus: d.ApprovalStatus, FeaturedImageURL: orNull(d.PictureURL()),
		QualityScore: columns(d.Columns).number("quality_score"),
	}
}

// summaryLength is what the queue shows of a draft without an excerpt.
const summaryLength = 200

func summaryText(d *editorial.Draft) string {
	if s := d.Text("excerpt"); s != "" {
		return s
	}
	return editorial.Clip(d.Content(), summaryLength)
}

type contentTask struct {
	TaskID    string         `json:"task_id"`
	Status    string         `json:"status"`
	Progress  any            `json:"progress"`
	Result    *contentResult `json:"result"`
	Error     *contentError  `json:"error"`
	CreatedAt *string        `json:"created_at"`
	Picture   *picture       `json:"picture"`
}

type contentError struct {
	Message string `json:"message"`
}

type contentResult struct {
	Title               string         `json:"title"`
	Content             string         `json:"content"`
	Excerpt             *string        `json:"excerpt"`
	Summary             string         `json:"summary"`
	WordCount           int            `json:"word_count"`
	FeaturedImageURL    *string        `json:"featured_image_url"`
	FeaturedImageSource *string        `json:"featured_image_source"`
	ModelUsed           *string        `json:"model_used"`
	QualityScore        *float64       `json:"quality_score"`
	Tags                []string       `json:"tags"`
	StrapiPostID        *string        `json:"strapi_post_id"`
	StrapiURL           *string        `json:"strapi_url"`
	TaskMetadata        map[string]any `json:"task_metadata"`
}

func (a *API) getContentTask(w http.ResponseWriter, r *http.Request) error {
	draft, err := a.draftOf(r)
	if err != nil {
		return err
	}
	answer := contentTask{
		TaskID: draft.ID, Status: string(draft.Status), Progress: draft.Columns["progress"],
		Result: resultOf(&draft), CreatedAt: isoTime(draft.CreatedAt),
	}
	if message := draft.Text("error_message"); message != "" {
		answer.Error = &contentError{message}
	}
	if answer.Picture, err = a.pictureOf(r.Context(), &draft); err != nil {
		return err
	}
	return ok(w, answer)
}

// resultOf is null while there is nothing to show. The site waited with it for
// completed or failed, so that nobody ever saw what awaited approval.
func resultOf(d *editorial.Draft) *contentResult {
	content, url := d.Content(), d.PictureURL()
	if content == "" && url == "" {
		return nil
	}
	c := columns(d.Columns)
	postID, slug := publishedAs(d)
	tags := d.Tags
	if tags == nil {
		tags = []string{}
	}
	metadata := d.Metadata
	if metadata == nil {
		metadata = map[string]any{}
	}
	source, _ := metadata["featured_image_source"].(string)
	return &contentResult{
		Title: d.Title(), Content: content, Excerpt: orNull(d.Text("excerpt")), Summary: summaryText(d),
		WordCount: len(strings.Fields(content)), FeaturedImageURL: orNull(url), FeaturedImageSource: orNull(source),
		ModelUsed: c.text("model_used"), QualityScore: c.number("quality_score"), Tags: tags,
		StrapiPostID: orNull(postID), StrapiURL: postURL(slug), TaskMetadata: metadata,
	}
}

func (a *API) deleteContentTask(w http.ResponseWriter, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	if err := a.Dispatch.DeleteDraft(r.Context(), id); err != nil {
		return err
	}
	return ok(w, struct {
		TaskID  string `json:"task_id"`
		Deleted bool   `json:"deleted"`
		Message string `json:"message"`
	}{id, true, "Task deleted successfully"})
}

// draftOf is the draft that a path names.
func (a *API) draftOf(r *http.Request) (editorial.Draft, error) {
	id, err := pathText(r, "id")
	if err != nil {
		return editorial.Draft{}, err
	}
	draft, err := a.Store.Draft(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return draft, editorial.NotFoundf("Task not found")
	}
	return draft, err
}
