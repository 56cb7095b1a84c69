package dispatch

import (
	"context"
	"errors"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// publish carries out an approval if everything it waits for is there, and
// otherwise does nothing. The approval, the worker that stores the picture and
// the reconciler all run it, each with the draft's row locked, so whichever
// comes last publishes and nobody publishes twice.
func (d *Dispatch) publish(ctx context.Context, tx *store.Tx, state *editorial.DraftImages, after *aftermath) (err error) {
	if !state.Approved() {
		return nil
	}
	img, ok, err := pictureToPublish(ctx, tx, *state)
	if err != nil || !ok || img.ID == state.PublishedImageID {
		return err
	}
	draft, err := tx.LockContent(ctx, state.DraftID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the draft was deleted meanwhile: nothing of it is published
	}
	if err != nil {
		return err
	}
	if status := draft.Status.Awaits(); status != editorial.DraftApproved && status != editorial.DraftPublished {
		return nil // rejected or taken elsewhere since
	}
	ctx, end, err := publishing(ctx, tx, img)
	if err != nil {
		return err
	}
	defer func() { end(err) }()
	post, first, err := d.writePost(ctx, tx, state, &draft, img)
	if err != nil {
		return err
	}
	state.PostID, state.ChosenImageID = post.ID, img.ID
	state.PublishedRound, state.PublishedImageID = state.Round, img.ID
	event := "post.updated"
	if first {
		event = "post.published"
	}
	if err := d.publishDraft(ctx, tx, &draft, post, img); err != nil {
		return err
	}
	img.DraftID = state.DraftID // one picked from elsewhere has another, or none
	eventID := after.tell(postTidings(event, post, img))
	after.event(img, event, map[string]any{"event": eventID, "post": post.ID, "slug": post.Slug})
	return nil
}

// publishing begins a span. An approval is a trace of its own, so it is linked
// with the one that the picture was made in.
func publishing(ctx context.Context, tx *store.Tx, img editorial.Image) (context.Context, telemetry.End, error) {
	ctx, end := telemetry.Start(ctx, "publish", "draft.id", img.DraftID, "image.id", img.ID)
	if telemetry.Traceparent(ctx) == "" {
		return ctx, end, nil // nobody traces: nothing to look up
	}
	job, err := tx.JobWithoutImages(ctx, img.JobID)
	if err == nil {
		telemetry.LinkTo(ctx, job.Trace)
	}
	return ctx, end, err
}

// pictureToPublish is the one statement of which picture an approval means:
// the one it named, else the one a person picked, else the lowest-numbered
// stored candidate once the whole round has ended.
func pictureToPublish(ctx context.Context, tx *store.Tx, state editorial.DraftImages) (img editorial.Image, ok bool, err error) {
	named := state.ApprovedImageID
	if named == "" && state.ApprovedRound <= state.PublishedRound {
		return editorial.Image{}, false, nil // carried out: another picture takes another approval
	}
	if named == "" && state.HandPicked {
		named = state.ChosenImageID
	}
	if named != "" {
		img, err := tx.Image(ctx, named)
		return img, err == nil && img.State == editorial.StateStored, err
	}
	stored, live, err := tx.DraftPictures(ctx, state.DraftID, state.Round)
	if err != nil || live || len(stored) == 0 {
		return editorial.Image{}, false, err
	}
	return stored[0], true, nil
}

// publishDraft writes the draft's own row in the site's words.
func (d *Dispatch) publishDraft(ctx context.Context, tx *store.Tx, draft *editorial.Draft, post editorial.Post, img editorial.Image) error {
	metadata := draftPicture(draft, img)
	metadata["cms_post_id"] = post.ID
	metadata["post_id"] = post.ID
	metadata["slug"] = post.Slug
	metadata["published_to_db"] = true
	columns := map[string]any{
		"status": string(editorial.DraftPublished), "approval_status": "approved",
		"task_metadata": metadata, "featured_image_url": img.URL,
	}
	if draft.Status != editorial.DraftPublished {
		columns["published_at"], columns["completed_at"] = post.PublishedAt, post.PublishedAt
	}
	return tx.UpdateDraft(ctx, draft.ID, columns)
}
