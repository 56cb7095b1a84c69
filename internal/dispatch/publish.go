package dispatch

import (
	"context"
	"errors"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// publication is an approval that may be carried out, with what its transaction
// knows of it already.
type publication struct {
	state    *editorial.DraftImages // locked
	row      *draftRow
	round    []editorial.Image  // those of state.Round; nil: not read yet
	approval editorial.Approval // that state names; the zero value: not read yet
	post     *editorial.Post    // what came of it; nil: nothing
}

// publishAndSave publishes and writes back both of the draft's rows.
func (d *Dispatch) publishAndSave(ctx context.Context, tx *store.Tx, p *publication, after *aftermath) error {
	if err := d.publish(ctx, tx, p, after); err != nil {
		return err
	}
	return p.save(ctx, tx)
}

func (p *publication) save(ctx context.Context, tx *store.Tx) error {
	if err := p.row.save(ctx, tx); err != nil {
		return err
	}
	return tx.SaveDraftImages(ctx, *p.state)
}

// candidates are the images of the present round, by number.
func (p *publication) candidates(ctx context.Context, tx *store.Tx) (_ []editorial.Image, err error) {
	if p.round == nil && p.state.Round > 0 {
		p.round, err = tx.ImagesOfRound(ctx, p.state.DraftID, p.state.Round)
	}
	return p.round, err
}

// publish carries out an approval if everything it waits for is there, and
// otherwise does nothing. The approval, the worker that stores the picture and
// the reconciler all run it, each with the draft's row locked, so whichever
// comes last publishes and nobody publishes twice. The caller saves the rows.
func (d *Dispatch) publish(ctx context.Context, tx *store.Tx, p *publication, after *aftermath) (err error) {
	state := p.state
	if !state.Approved() {
		return nil
	}
	img, ok, err := p.picture(ctx, tx)
	if err != nil || !ok || img.ID == state.PublishedImageID {
		return err
	}
	draft, err := p.row.lock(ctx, tx)
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
	post, first, err := p.writePost(ctx, tx, draft, img)
	if err != nil {
		return err
	}
	p.post = &post
	state.PostID, state.ChosenImageID = post.ID, img.ID
	state.PublishedRound, state.PublishedImageID = state.Round, img.ID
	event := "post.updated"
	if first {
		event = "post.published"
	}
	p.row.set(publishedColumns(draft, post, img))
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

// image is one of the round's, or one picked from elsewhere.
func (p *publication) image(ctx context.Context, tx *store.Tx, id string) (editorial.Image, error) {
	for _, img := range p.round {
		if img.ID == id {
			return img, nil
		}
	}
	return tx.Image(ctx, id)
}

// picture is the one statement of which picture an approval means: the one it
// named, else the one a person picked, else the lowest-numbered stored candidate
// once the whole round has ended.
func (p *publication) picture(ctx context.Context, tx *store.Tx) (img editorial.Image, ok bool, err error) {
	state := p.state
	named := state.ApprovedImageID
	if named == "" && state.ApprovedRound <= state.PublishedRound {
		return editorial.Image{}, false, nil // carried out: another picture takes another approval
	}
	if named == "" && state.HandPicked {
		named = state.ChosenImageID
	}
	if named != "" {
		img, err := p.image(ctx, tx, named)
		return img, err == nil && img.State == editorial.StateStored, err
	}
	round, err := p.candidates(ctx, tx)
	if err != nil {
		return editorial.Image{}, false, err
	}
	stored, live := editorial.Candidates(round)
	if live || len(stored) == 0 {
		return editorial.Image{}, false, nil
	}
	return stored[0], true, nil
}

// publishedColumns are the draft's own row in the site's words.
func publishedColumns(draft *editorial.Draft, post editorial.Post, img editorial.Image) map[string]any {
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
	return columns
}
