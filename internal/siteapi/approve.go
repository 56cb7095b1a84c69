package siteapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// approvalRequest is the site's approval; the last two members bind it to the
// picture that the editor saw.
type approvalRequest struct {
	Approved         *bool  `json:"approved"`
	HumanFeedback    string `json:"human_feedback"`
	ReviewerID       string `json:"reviewer_id"`
	FeaturedImageURL string `json:"featured_image_url"`
	ImageID          string `json:"image_id"`
	SHA256           string `json:"sha256"`
}

// The site's limits of a decision.
const (
	minFeedback = 10
	maxFeedback = 1000
	minReviewer = 2
	maxReviewer = 100
	sha256Hex   = 64
)

var reviewerForm = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

func (in *approvalRequest) validate() error {
	if in.Approved == nil {
		return editorial.Invalidf("approved", "must be given, true or false")
	}
	in.HumanFeedback = strings.TrimSpace(in.HumanFeedback)
	if err := editorial.ValidText("human_feedback", in.HumanFeedback, minFeedback, maxFeedback); err != nil {
		return err
	}
	if err := validReviewer(in.ReviewerID); err != nil {
		return err
	}
	return validBinding(in.ImageID, in.SHA256, in.FeaturedImageURL)
}

func validReviewer(id string) error {
	if err := editorial.ValidText("reviewer_id", id, minReviewer, maxReviewer); err != nil {
		return err
	}
	if !reviewerForm.MatchString(id) {
		return editorial.Invalidf("reviewer_id", "must be letters, digits, dots, hyphens and underscores only")
	}
	return nil
}

func validBinding(imageID, sha256, url string) error {
	return errors.Join(
		editorial.ValidText("image_id", imageID, 0, maxID),
		editorial.ValidText("sha256", sha256, 0, sha256Hex),
		editorial.ValidText("featured_image_url", url, 0, editorial.MaxImageURL),
	)
}

type approvalResponse struct {
	TaskID            string  `json:"task_id"`
	ApprovalStatus    string  `json:"approval_status"`
	StrapiPostID      *string `json:"strapi_post_id"`
	PublishedURL      *string `json:"published_url"`
	ApprovalTimestamp *string `json:"approval_timestamp"`
	ReviewerID        string  `json:"reviewer_id"`
	Message           string  `json:"message"`
	Status            string  `json:"status"` // the draft's, which says whether it is published yet
	JobID             string  `json:"job_id,omitempty"`
	PollURL           string  `json:"poll_url,omitempty"`
	// Picture says how the picture is coming along that the post waits for.
	Picture *picture `json:"picture"`
}

func (a *API) approveContentTask(w http.ResponseWriter, r *http.Request) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	var in approvalRequest
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	d, err := a.decide(r.Context(), dispatch.Decision{
		DraftID: id, Approved: *in.Approved, Reviewer: in.ReviewerID, Feedback: in.HumanFeedback,
		ImageID: in.ImageID, SHA256: in.SHA256, Caller: callerOf(r),
	}, in.FeaturedImageURL)
	if err != nil {
		return err
	}
	return ok(w, d.response())
}

// decided is a draft after a decision: what is true now, whoever said it first.
type decided struct {
	dispatch.Outcome
	postID, slug string
	picture      *picture
}

// decide sets the picture that the decision names, if it does, and decides.
func (a *API) decide(ctx context.Context, d dispatch.Decision, pictureURL string) (decided, error) {
	if pictureURL = strings.TrimSpace(pictureURL); d.Approved && pictureURL != "" {
		if err := a.takePicture(ctx, d.DraftID, pictureURL, d.Caller); err != nil {
			return decided{}, err
		}
	}
	o, err := a.Dispatch.Decide(ctx, d)
	if err != nil {
		return decided{}, err
	}
	after := decided{Outcome: o}
	if after.picture, err = a.pictureOf(ctx, &o.Draft); err != nil {
		return decided{}, err
	}
	if o.Post != nil {
		after.postID, after.slug = o.Post.ID, o.Post.Slug
		return after, nil
	}
	after.postID, after.slug, err = a.sitesOwnPost(ctx, &o.Draft)
	return after, err
}

// sitesOwnPost is the post of a draft that the site published before us: its
// row knows the id, and not always the slug.
func (a *API) sitesOwnPost(ctx context.Context, d *editorial.Draft) (postID, slug string, err error) {
	if postID, slug = publishedAs(d); postID == "" || slug != "" {
		return postID, slug, nil
	}
	post, err := a.Store.Post(ctx, postID)
	if errors.Is(err, store.ErrNotFound) {
		return postID, "", nil
	}
	return postID, post.Slug, err
}

// takePicture carries out a picture's URL that came with an approval; nothing is
// begun for a draft that cannot be approved.
func (a *API) takePicture(ctx context.Context, draftID, url, caller string) error {
	draft, err := a.Store.Draft(ctx, draftID)
	if errors.Is(err, store.ErrNotFound) {
		return editorial.NotFoundf("Task not found")
	}
	if err != nil {
		return err
	}
	approvable := draft.Status == editorial.DraftPublished || draft.Status == editorial.DraftApproved ||
		draft.Status.CanBecome(editorial.DraftApproved)
	if !approvable || strings.TrimSpace(draft.Content()) == "" {
		return nil // the decision itself says why not
	}
	_, err = a.Dispatch.SetPicture(ctx, draftID, url, caller)
	return err
}

func (d *decided) response() approvalResponse {
	answer := approvalResponse{
		TaskID: d.Draft.ID, ApprovalStatus: "approved", StrapiPostID: orNull(d.postID), PublishedURL: postURL(d.slug),
		ApprovalTimestamp: isoTime(d.DecidedAt), ReviewerID: d.Reviewer, Status: string(d.Draft.Status), Message: d.message(),
		Picture: d.picture,
	}
	if d.Draft.Status != editorial.DraftPublished && d.Draft.Status != editorial.DraftApproved {
		answer.ApprovalStatus = "rejected"
	}
	if d.JobID != "" {
		answer.JobID, answer.PollURL = d.JobID, pollURL(d.JobID)
	}
	return answer
}

// message is the site's sentence, with the real state behind it.
func (d *decided) message() string {
	switch d.Draft.Status {
	case editorial.DraftPublished:
		return "✅ Task approved by " + d.Reviewer
	case editorial.DraftApproved:
		if d.picture != nil && d.picture.Error != nil {
			return "✅ Task approved by " + d.Reviewer + ", but its picture failed (" + d.picture.Error.Message +
				"): ask for another one and it is published"
		}
		return "✅ Task approved by " + d.Reviewer + "; it is published as soon as its picture is ready"
	default:
		feedback := d.Draft.Text("human_feedback")
		return fmt.Sprintf("❌ Task rejected by %s - Feedback: %s", d.Reviewer, feedback)
	}
}
