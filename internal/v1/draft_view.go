package v1

import (
	"net/url"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// The states of a draft as clients see them: the site's words with its
// synonyms resolved, and one of ours.
const (
	stateAwaiting = string(editorial.DraftAwaitingApproval)
	stateApproved = string(editorial.DraftApproved)
	// statePictureFailed is an approved draft whose round of pictures failed:
	// nothing moves until somebody retries or asks for another round.
	statePictureFailed = "picture_failed"
	stateAll           = "all"
)

// DraftSummary is a draft in a list.
type DraftSummary struct {
	ID         string    `json:"id"`
	State      string    `json:"state" doc:"pending, awaiting_approval, approved, rejected, published; picture_failed for an approved draft whose pictures all failed; else the site's own word" example:"awaiting_approval"`
	Status     string    `json:"status" doc:"As the site's pipeline stored it" example:"ready_to_publish"`
	Title      string    `json:"title"`
	Topic      string    `json:"topic"`
	Category   string    `json:"category,omitempty"`
	Tags       []string  `json:"tags,omitempty" nullable:"false"`
	PictureURL string    `json:"picture_url,omitempty" doc:"The picture that its row shows"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	URLs       DraftURLs `json:"urls"`
}

// DraftURLs are the paths to go on with. Those of an action are there while the
// action is possible.
type DraftURLs struct {
	Self    string `json:"self"`
	Jobs    string `json:"jobs"`
	Approve string `json:"approve,omitempty"`
	Reject  string `json:"reject,omitempty"`
	Choose  string `json:"choose"`
	Post    string `json:"post,omitempty"`
}

// Draft is a draft with everything that an editor decides by.
type Draft struct {
	DraftSummary
	Content       string     `json:"content"`
	Excerpt       string     `json:"excerpt,omitempty"`
	Round         int        `json:"round" doc:"The present round of pictures; 0 before the first"`
	Rounds        []Job      `json:"rounds" nullable:"false" doc:"Every round as its job, newest first"`
	ChosenImageID string     `json:"chosen_image_id,omitempty" format:"uuid" doc:"The candidate that stands as the draft's picture"`
	HandPicked    bool       `json:"hand_picked" doc:"A person chose it: later candidates of the round do not displace it"`
	Approvals     []Approval `json:"approvals" nullable:"false" doc:"Every decision, oldest first"`
	Post          *PostRef   `json:"post,omitempty" doc:"What the draft became"`
}

// Approval is a recorded decision.
type Approval struct {
	ID        string    `json:"id" format:"uuid"`
	Decision  string    `json:"decision" enum:"approved,rejected"`
	Round     int       `json:"round"`
	Reviewer  string    `json:"reviewer" doc:"Who decided, as the decision named them"`
	Caller    string    `json:"caller,omitempty" doc:"Who sent it, as authentication knew them"`
	Feedback  string    `json:"feedback,omitempty"`
	ImageID   string    `json:"image_id,omitempty" format:"uuid" doc:"The picture that it named; absent for a blind one"`
	SHA256    string    `json:"sha256,omitempty"`
	DecidedAt time.Time `json:"decided_at"`
}

// PostRef names a post.
type PostRef struct {
	ID               string     `json:"id" format:"uuid"`
	Slug             string     `json:"slug"`
	Status           string     `json:"status"`
	FeaturedImageURL string     `json:"featured_image_url,omitempty"`
	PublishedAt      *time.Time `json:"published_at,omitempty"`
	PublishedRound   int        `json:"published_round,omitempty" doc:"The round whose picture the post shows"`
	URL              string     `json:"url" doc:"Its path in this API"`
}

func viewSummary(d *editorial.Draft, state string) DraftSummary {
	self := draftPath(d.ID)
	v := DraftSummary{
		ID: d.ID, State: state, Status: string(d.Status), Title: d.Title(), Topic: d.Topic, Category: d.Text("category"),
		Tags: d.Tags, PictureURL: d.PictureURL(), CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
		URLs: DraftURLs{Self: self, Choose: self + "/choose", Jobs: "/v1/jobs?draft=" + url.QueryEscape(d.ID)},
	}
	status := d.Status.Awaits()
	if status.CanBecome(editorial.DraftApproved) || status == editorial.DraftPublished {
		v.URLs.Approve = self + "/approve"
	}
	if status.CanBecome(editorial.DraftRejected) || status == editorial.DraftRejected {
		v.URLs.Reject = self + "/reject"
	}
	return v
}

// stateOf is a draft's state. job is its present round's, nil when there is none.
func stateOf(d *editorial.Draft, images editorial.DraftImages, job *editorial.Job) string {
	state := string(d.Status.Awaits())
	if state != stateApproved || job == nil || !images.Approved() || images.ApprovedRound <= images.PublishedRound {
		return state
	}
	for _, img := range job.Images {
		if !img.State.IsFinal() || img.State == editorial.StateStored {
			return state
		}
	}
	return statePictureFailed
}

// present is the job of a draft's present round, nil when it is not among jobs.
func present(images editorial.DraftImages, jobs []editorial.Job) *editorial.Job {
	for i := range jobs {
		if jobs[i].Round == images.Round {
			return &jobs[i]
		}
	}
	return nil
}

func viewDraft(d *editorial.Draft, images editorial.DraftImages, jobs []editorial.Job, approvals []editorial.Approval, post *editorial.Post) Draft {
	v := Draft{
		DraftSummary: viewSummary(d, stateOf(d, images, present(images, jobs))),
		Content:      d.Content(), Excerpt: d.Text("excerpt"), Round: images.Round, Rounds: []Job{},
		ChosenImageID: images.ChosenImageID, HandPicked: images.HandPicked, Approvals: []Approval{},
	}
	for _, j := range jobs {
		v.Rounds = append(v.Rounds, viewJob(j, 0))
	}
	for _, a := range approvals {
		v.Approvals = append(v.Approvals, viewApproval(a))
	}
	if post != nil {
		v.Post = &PostRef{
			ID: post.ID, Slug: post.Slug, Status: post.Status, FeaturedImageURL: post.FeaturedImageURL,
			PublishedAt: timeOrNil(post.PublishedAt), PublishedRound: images.PublishedRound, URL: postPath(post.Slug),
		}
		v.URLs.Post = v.Post.URL
	}
	return v
}

func viewApproval(a editorial.Approval) Approval {
	v := Approval{
		ID: a.ID, Decision: "rejected", Round: a.Round, Reviewer: a.Reviewer, Caller: a.Caller, Feedback: a.Feedback,
		ImageID: a.ImageID, SHA256: a.SHA256, DecidedAt: a.DecidedAt,
	}
	if a.Approved {
		v.Decision = "approved"
	}
	return v
}

// escapeSegment writes an id of the site's, which may be any text, into a path.
func escapeSegment(s string) string { return url.PathEscape(s) }
