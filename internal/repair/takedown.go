package repair

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Pictures finds a picture.
type Pictures interface {
	Image(ctx context.Context, id string) (editorial.Image, error)
	ImageByKey(ctx context.Context, key string) (editorial.Image, error)
}

// Clearer takes a picture out of everything that shows it.
type Clearer interface {
	TakeDown(ctx context.Context, imageID, why, caller string) (dispatch.Takedown, error)
	PlanTakedown(ctx context.Context, imageID string) (dispatch.Takedown, error)
}

// Links recognises our own public URLs.
type Links interface {
	KeyOf(url string) (key string, ok bool)
}

// Invalidator has a CDN forget paths. The same reference twice is one
// invalidation.
type Invalidator interface {
	Invalidate(ctx context.Context, reference string, paths []string) (id string, err error)
}

// Takedown deletes one picture everywhere.
type Takedown struct {
	Pictures Pictures
	Clearer  Clearer
	Marker   Marker
	Bucket   Deleter
	Links    Links
	CDN      Invalidator // nil when none is configured
	Caller   string
}

// Find reads what a person may call a picture: its image's id, its key or one
// of its renditions', or its URL.
func (t *Takedown) Find(ctx context.Context, name string) (img editorial.Image, err error) {
	if uuid.Validate(name) == nil {
		img, err = t.Pictures.Image(ctx, name)
	} else {
		key := name
		if k, ours := t.Links.KeyOf(name); ours {
			key = k
		}
		parsed, bad := blob.ParseKey(key)
		if bad != nil {
			return img, editorial.Invalidf("picture", "%.200q is neither an image's id nor a key nor a URL of ours", name)
		}
		img, err = t.Pictures.ImageByKey(ctx, string(parsed.Original()))
	}
	if errors.Is(err, store.ErrNotFound) {
		return img, editorial.NotFoundf("no picture that was made here is called %.200s", name)
	}
	return img, err
}

// Plan says what Do would change.
func (t *Takedown) Plan(ctx context.Context, img editorial.Image) (dispatch.Takedown, error) {
	return t.Clearer.PlanTakedown(ctx, img.ID)
}

// Paths are what a CDN has to forget: one pattern, which covers the renditions
// of whatever widths.
func Paths(img editorial.Image) []string { return []string{"/" + img.Key + "*"} }

// Do takes the picture down: the rows first, so that nothing names it any more,
// then its objects, then what the CDN remembers of it. Run again after an error
// it does what is left. invalidation is empty without a CDN.
func (t *Takedown) Do(ctx context.Context, img editorial.Image, why string) (did dispatch.Takedown, invalidation string, err error) {
	if did, err = t.Clearer.TakeDown(ctx, img.ID, why, t.Caller); err != nil {
		return did, "", err
	}
	if err := deleteObjects(ctx, t.Bucket, t.Marker, did.Image); err != nil {
		return did, "", err
	}
	if t.CDN == nil || did.Image.Key == "" {
		return did, "", nil
	}
	// Last: a CDN that forgot the object before it was gone would fetch it again.
	invalidation, err = t.CDN.Invalidate(ctx, img.ID, Paths(did.Image))
	return did, invalidation, err
}
