package siteapi

import (
	"context"
	"errors"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// picture is how a draft's picture is coming along: the round's job, and the
// image that stands on the draft now, which may be an older round's.
type picture struct {
	Round   int                `json:"round"`
	Status  string             `json:"status"` // of the round's job; "stored" for a picture that no round made
	JobID   *string            `json:"job_id"`
	PollURL *string            `json:"poll_url"`
	Image   *mediaImage        `json:"image"`
	Error   *editorial.Failure `json:"error"` // why the round has no picture
}

// pictureOf is null for a draft that nobody asked a picture for.
func (a *API) pictureOf(ctx context.Context, d *editorial.Draft) (*picture, error) {
	state, err := a.Store.DraftImages(ctx, d.ID)
	if err != nil || state.Round == 0 && state.ChosenImageID == "" {
		return nil, err
	}
	p := &picture{Round: state.Round, Status: string(editorial.JobStored)}
	if state.Round > 0 {
		job, err := a.Store.JobOfRound(ctx, d.ID, state.Round)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			p.Status, p.JobID, p.PollURL = string(job.State), &job.ID, orNull(pollURL(job.ID))
			if job.State == editorial.JobFailed {
				f := failureOf(job)
				p.Error = &f
			}
		}
	}
	if state.ChosenImageID != "" {
		img, err := a.Store.Image(ctx, state.ChosenImageID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			p.Image = imageOf(img)
		}
	}
	return p, nil
}

// publishedAs is the post that a draft became, as its row tells it.
func publishedAs(d *editorial.Draft) (postID, slug string) {
	if d.Status != editorial.DraftPublished {
		return "", ""
	}
	postID, _ = d.Metadata["cms_post_id"].(string)
	if postID == "" {
		postID, _ = d.Metadata["post_id"].(string)
	}
	if postID != "" {
		slug, _ = d.Metadata["slug"].(string)
	}
	return postID, slug
}

// postURL is a post's page on the site, null without a post.
func postURL(slug string) *string {
	if slug == "" {
		return nil
	}
	return orNull("/posts/" + slug)
}
