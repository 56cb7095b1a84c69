package dispatch

import (
	"context"
	"errors"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Choose makes a stored picture the draft's, picked by hand: no later picture
// of its round displaces it. Publishing it still takes an approval.
func (d *Dispatch) Choose(ctx context.Context, draftID, imageID, caller string) error {
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		state, err := lockExistingDraft(ctx, tx, draftID)
		if err != nil {
			return err
		}
		img, err := tx.LockImage(ctx, imageID) // so that the reaper cannot take it meanwhile
		if errors.Is(err, store.ErrNotFound) {
			return &editorial.Error{Kind: editorial.NotFound, Code: "not_found", Field: "image_id", Message: "there is no image with this id"}
		}
		if err != nil {
			return err
		}
		if img.State != editorial.StateStored {
			return editorial.Conflictf("picture_"+string(img.State), "only a stored picture can be chosen; this one is %s", img.State)
		}
		state.ChosenImageID, state.HandPicked = img.ID, true
		// A draft that nobody asked a picture for enters its first round with
		// the one that was picked: an approval is always of a round.
		state.Round = max(state.Round, 1)
		p := publication{state: &state, row: &draftRow{id: draftID}}
		if err := showPicture(ctx, tx, p.row, img); err != nil {
			return err
		}
		after.event(img, "image.chosen", map[string]any{"by": caller})
		return d.publishAndSave(ctx, tx, &p, after)
	})
}

// SetPicture carries out a featured_image_url that a client sent: one of our
// keys chooses that picture, any other http(s) URL is copied by an import job,
// whose id is returned, and anything else is refused. Asked twice, also at the
// same moment, it is one job.
func (d *Dispatch) SetPicture(ctx context.Context, draftID, url, caller string) (jobID string, err error) {
	if key, ours := d.Links.KeyOf(url); ours {
		img, err := d.Store.ImageByKey(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return "", editorial.Invalidf("featured_image_url", "names no picture that was made here")
		}
		if err != nil {
			return "", err
		}
		return "", d.Choose(ctx, draftID, img.ID, caller)
	}
	if !isForeign(url, d.Links) {
		return "", editorial.Invalidf("featured_image_url", "must be an http or https URL; data: URLs and file paths are not stored")
	}
	if len(url) > editorial.MaxImageURL {
		return "", editorial.Invalidf("featured_image_url", "must be at most %d characters long", editorial.MaxImageURL)
	}
	draft, err := d.Store.Draft(ctx, draftID)
	if errors.Is(err, store.ErrNotFound) {
		return "", editorial.NotFoundf("there is no task with this id")
	}
	if err != nil {
		return "", err
	}
	req := d.requestFor(&draft)
	req.SourceURL = url
	job, _, err := d.Submit(ctx, Submission{Kind: editorial.KindImport, Request: req, DraftID: draftID, Caller: caller, OnceBySource: true})
	return job.ID, err
}

// showPicture puts a picture onto the draft's row, where every front end looks
// for it; the caller saves the row.
func showPicture(ctx context.Context, tx *store.Tx, row *draftRow, img editorial.Image) error {
	draft, err := row.lock(ctx, tx)
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted meanwhile: the picture stays in our own tables
	}
	if err != nil {
		return err
	}
	row.set(map[string]any{
		"featured_image_url": img.URL, "task_metadata": draftPicture(draft, img),
		"featured_image_data": PictureFacts(img),
	})
	return nil
}
