package dispatch

import (
	"context"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// maxLookalikes is how many pictures a warning names: who wants to see what a
// picture is too like does not want a list.
const maxLookalikes = 3

// lookalikes finds what a picture that is about to be stored is too like. It is
// a warning and no condition, so it is looked for before the transaction, holds
// no lock and fails nothing: of two that are stored at the same moment neither
// may be warned of the other.
func (d *Dispatch) lookalikes(ctx context.Context, img editorial.Image) []editorial.Lookalike {
	list, err := d.Store.Lookalikes(ctx, img, maxLookalikes)
	if err != nil {
		d.Log.WarnContext(ctx, "whether the picture is like another of the site could not be told", "image", img.ID, "error", err)
	}
	return list
}

func (a *aftermath) lookalikes(img editorial.Image) {
	if len(img.Lookalikes) > 0 {
		a.event(img, "image.lookalike", map[string]any{"lookalikes": img.Lookalikes})
	}
}
