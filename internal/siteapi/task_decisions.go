package siteapi

import (
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// taskDecision is a decision as the newer front end sends it, in the query, and
// as its own code and the older one send it, in the body; the body wins.
// AutoPublish is checked and has no effect: an approval publishes as soon as
// the picture is there.
type taskDecision struct {
	Approved         bool   `json:"approved"`
	AutoPublish      bool   `json:"auto_publish"`
	HumanFeedback    string `json:"human_feedback"`
	Feedback         string `json:"feedback"`
	Reason           string `json:"reason"`
	ReviewerID       string `json:"reviewer_id"`
	FeaturedImageURL string `json:"featured_image_url"`
	ImageID          string `json:"image_id"`
	SHA256           string `json:"sha256"`
}

// readDecision reads and checks a decision; a reviewer who gives no name is who
// the credentials say.
func (a *API) readDecision(w http.ResponseWriter, r *http.Request) (taskDecision, error) {
	q := queryOf(r)
	in := taskDecision{
		Approved: q.flag("approved", true), AutoPublish: q.flag("auto_publish", false),
		HumanFeedback: q.text("human_feedback", maxFeedback), Feedback: q.text("feedback", maxFeedback),
		Reason: q.text("reason", maxFeedback), ReviewerID: q.text("reviewer_id", maxReviewer),
		FeaturedImageURL: q.text("featured_image_url", editorial.MaxImageURL),
		ImageID:          q.text("image_id", maxID), SHA256: q.text("sha256", sha256Hex),
	}
	if q.err != nil {
		return in, q.err
	}
	if err := decodeOptional(w, r, &in); err != nil {
		return in, err
	}
	for _, t := range []struct{ field, value string }{
		{"human_feedback", in.HumanFeedback}, {"feedback", in.Feedback}, {"reason", in.Reason},
	} {
		if err := editorial.ValidText(t.field, t.value, 0, maxFeedback); err != nil {
			return in, err
		}
	}
	if in.ReviewerID == "" {
		id := auth.FromContext(r.Context())
		in.ReviewerID = firstOf(id.Name, id.Subject)
	} else if err := validReviewer(in.ReviewerID); err != nil {
		return in, err
	}
	return in, validBinding(in.ImageID, in.SHA256, in.FeaturedImageURL)
}

func (in *taskDecision) feedback() string {
	return strings.TrimSpace(firstOf(in.HumanFeedback, in.Feedback, in.Reason))
}

// taskDecided is the task after a decision, with the older answer's members.
type taskDecided struct {
	task
	StrapiPostID      *string  `json:"strapi_post_id"`
	ApprovalTimestamp *string  `json:"approval_timestamp"`
	ReviewerID        string   `json:"reviewer_id"`
	Message           string   `json:"message"` // stands before the task's own
	Picture           *picture `json:"picture"`
}

func (a *API) approveTask(w http.ResponseWriter, r *http.Request) error {
	return a.decideTask(w, r, func(in taskDecision) bool { return in.Approved })
}

func (a *API) rejectTask(w http.ResponseWriter, r *http.Request) error {
	return a.decideTask(w, r, func(taskDecision) bool { return false })
}

// publishTask publishes what is approved, which the approval itself has done
// unless the picture was missing or the site approved before us.
func (a *API) publishTask(w http.ResponseWriter, r *http.Request) error {
	draft, err := a.draftOf(r)
	if err != nil {
		return err
	}
	if draft.Status != editorial.DraftApproved && draft.Status != editorial.DraftPublished {
		return editorial.Conflictf("wrong_status", "a task that is %q cannot be published; it must be approved first", draft.Status)
	}
	return a.decideTask(w, r, func(taskDecision) bool { return true })
}

func (a *API) decideTask(w http.ResponseWriter, r *http.Request, approved func(taskDecision) bool) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	in, err := a.readDecision(w, r)
	if err != nil {
		return err
	}
	d, err := a.decide(r.Context(), dispatch.Decision{
		DraftID: id, Approved: approved(in), Reviewer: in.ReviewerID, Feedback: in.feedback(),
		ImageID: in.ImageID, SHA256: in.SHA256, Caller: callerOf(r),
	}, in.FeaturedImageURL)
	if err != nil {
		return err
	}
	answer := taskDecided{
		task: taskOf(d.Draft), StrapiPostID: orNull(d.postID), ApprovalTimestamp: isoTime(d.DecidedAt),
		ReviewerID: d.Reviewer, Message: d.message(), Picture: d.picture,
	}
	answer.PostID, answer.PostSlug, answer.PublishedURL = orNull(d.postID), orNull(d.slug), postURL(d.slug)
	return ok(w, answer)
}
