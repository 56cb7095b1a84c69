package dispatch

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Describe changes a picture's alternative text, also where it is shown: on
// its draft's row and, when it is the published one, in its post, of which
// whoever is told of posts hears.
func (d *Dispatch) Describe(ctx context.Context, imageID, alt, caller string) (editorial.Image, error) {
	alt = strings.TrimSpace(alt)
	if err := editorial.ValidText("alt_text", alt, 0, editorial.MaxAltText); err != nil {
		return editorial.Image{}, err
	}
	img, err := d.Store.Image(ctx, imageID)
	if errors.Is(err, store.ErrNotFound) {
		return img, editorial.NotFoundf("there is no image with this id")
	}
	if err != nil {
		return img, err
	}
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		state, err := lockOfImage(ctx, tx, img)
		if err != nil {
			return err
		}
		if img, err = tx.Image(ctx, imageID); err != nil || img.AltText == alt {
			return err
		}
		if err := tx.SetAltText(ctx, img.ID, alt); err != nil {
			return err
		}
		img.AltText = alt
		after.event(img, "image.described", map[string]any{"by": caller, "alt_text": alt})
		if img.ID == state.ChosenImageID && img.State == editorial.StateStored {
			row := &draftRow{id: state.DraftID}
			if err := errors.Join(showPicture(ctx, tx, row, img), row.save(ctx, tx)); err != nil {
				return err
			}
		}
		if img.ID != state.PublishedImageID || state.PostID == "" {
			return nil
		}
		return describePost(ctx, tx, state, img, after)
	})
	return img, err
}

// lockOfImage locks the draft of a picture; a picture without one, which no
// draft shows, needs no lock.
func lockOfImage(ctx context.Context, tx *store.Tx, img editorial.Image) (editorial.DraftImages, error) {
	if img.DraftID == "" {
		return editorial.DraftImages{}, nil
	}
	return tx.LockDraft(ctx, img.DraftID)
}

// describePost changes what a post says of its picture and nothing else.
func describePost(ctx context.Context, tx *store.Tx, state editorial.DraftImages, img editorial.Image, after *aftermath) error {
	post, err := tx.Post(ctx, state.PostID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the site deleted it
	}
	if err != nil {
		return err
	}
	if post.Metadata = maps.Clone(post.Metadata); post.Metadata == nil {
		post.Metadata = make(map[string]any)
	}
	post.Metadata["featured_image"] = PictureFacts(img)
	post.Metadata["featured_image_alt"] = img.AltText
	if err := tx.UpdatePost(ctx, post); err != nil {
		return err
	}
	img.DraftID = state.DraftID
	eventID := after.tell(postTidings("post.updated", post, img))
	after.event(img, "post.updated", map[string]any{"event": eventID, "post": post.ID, "slug": post.Slug})
	return nil
}
