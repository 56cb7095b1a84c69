package repair

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Leftovers reads which pictures may be in nobody's use, and everything that
// may use one.
type Leftovers interface {
	Leftovers(ctx context.Context, f store.LeftoverFilter) ([]store.Leftover, error)
	UndeletedImages(ctx context.Context, limit int) ([]editorial.Image, error)
	PicturesInUse(ctx context.Context) ([]string, error)
	EachText(ctx context.Context, fn func(text string)) error
}

// Remover says of a picture that it is to be deleted, unless somebody uses it.
type Remover interface {
	Reap(ctx context.Context, img editorial.Image, why, caller string) (removed bool, err error)
}

// Marker records that a picture's objects are gone.
type Marker interface {
	SetDeleted(ctx context.Context, imageID string) error
}

// Deleter deletes objects. It is the one right that an uploader does not need.
type Deleter interface {
	Delete(ctx context.Context, key blob.Key) error
}

// Reaper deletes pictures that our own rows issued a key to and that nobody
// uses: candidates that were not chosen, rounds that are over, what failed or
// was canceled half-way. Objects that no row of ours knows are never touched.
type Reaper struct {
	Rows    Leftovers
	Remover Remover
	Marker  Marker
	Bucket  Deleter
	Caller  string

	Grace time.Duration // for how long nothing about a picture or its draft has changed
	Max   int           // pictures a run
	// Unlinked also takes stored pictures that no draft asked for: whoever asked
	// for one may show it where nobody here can see it.
	Unlinked bool
}

// failedGrace is how long the bytes of a failed upload wait for an operator's
// retry.
const failedGrace = 30 * 24 * time.Hour

// Reapable is a picture to delete, and why.
type Reapable struct {
	editorial.Image
	Why string
}

// ReapPlan is what a run would delete.
type ReapPlan struct {
	Pictures []Reapable
	Kept     int  // pictures that are in use, or named somewhere
	More     bool // there is more than a run may take
}

// Plan finds what to delete: first what an earlier run has not finished.
func (r *Reaper) Plan(ctx context.Context) (ReapPlan, error) {
	var plan ReapPlan
	unfinished, err := r.Rows.UndeletedImages(ctx, r.Max)
	if err != nil {
		return plan, err
	}
	for _, img := range unfinished {
		plan.Pictures = append(plan.Pictures, Reapable{img, "removed already, its objects may be left"})
	}
	keep, err := r.keepSet(ctx)
	if err != nil {
		return plan, err
	}
	filter := store.LeftoverFilter{Grace: r.Grace, FailedGrace: max(r.Grace, failedGrace), Limit: 500}
	for {
		page, err := r.Rows.Leftovers(ctx, filter)
		if err != nil {
			return plan, err
		}
		for _, l := range page {
			why, ok := leftover(l, r.Unlinked)
			switch {
			case keep.has(l.Image):
				plan.Kept++
			case !ok:
			case len(plan.Pictures) >= r.Max:
				plan.More = true
			default:
				plan.Pictures = append(plan.Pictures, Reapable{l.Image, why})
			}
		}
		if len(page) < filter.Limit {
			break
		}
		filter.After = page[len(page)-1].ID
	}
	if len(keep.images)+len(keep.stems) == 0 && len(plan.Pictures) > len(unfinished) {
		return plan, editorial.Conflictf("nothing_in_use", "not one draft or post uses a picture, yet %d would be deleted: "+
			"this looks like the wrong database, or one whose posts are gone; nothing is done", len(plan.Pictures)-len(unfinished))
	}
	return plan, nil
}

// leftover says why nobody can use a picture any more; false while somebody
// still could.
func leftover(l store.Leftover, unlinked bool) (why string, ok bool) {
	switch {
	case l.State == editorial.StateFailed && l.Failure != nil:
		return "failed: " + l.Failure.Message, true
	case l.State != editorial.StateStored:
		return string(l.State), true
	case l.DraftID == "" && l.Kind == editorial.KindBackfill:
		return "copied for a post that does not show it", true
	case l.DraftID == "":
		return "no draft asked for it", unlinked
	case l.DraftStatus == "":
		return "its draft was deleted", true
	case l.Round < l.DraftRound:
		return fmt.Sprintf("of round %d, and the draft is in round %d", l.Round, l.DraftRound), true
	case l.DraftStatus == editorial.DraftPublished && l.PublishedRound == l.DraftRound:
		return "another candidate was published", true
	default:
		return "", false
	}
}

// keepSet is everything that is in use: pictures by id, and the parts of keys
// that stand in any text of the site.
type keepSet struct{ images, stems map[string]bool }

// keyStem finds what [dispatch.KeyStem] makes of a key, wherever it stands and
// however what is around it is escaped.
var keyStem = regexp.MustCompile(`[0-9]{1,12}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func (r *Reaper) keepSet(ctx context.Context) (keepSet, error) {
	keep := keepSet{make(map[string]bool), make(map[string]bool)}
	ids, err := r.Rows.PicturesInUse(ctx)
	if err != nil {
		return keep, err
	}
	for _, id := range ids {
		keep.images[id] = true
	}
	err = r.Rows.EachText(ctx, func(text string) {
		for _, stem := range keyStem.FindAllString(text, -1) {
			keep.stems[stem] = true
		}
	})
	return keep, err
}

func (k keepSet) has(img editorial.Image) bool {
	return k.images[img.ID] || k.stems[dispatch.KeyStem(img.Key)]
}

// Reaped is what a run did.
type Reaped struct {
	Deleted int
	Bytes   int64
	Spared  int // somebody used them since the plan
}

// Run deletes what a plan found, one after the other, and calls done after each.
// It ends at the first error: what was begun is finished by the next run.
func (r *Reaper) Run(ctx context.Context, plan ReapPlan, done func()) (Reaped, error) {
	var sum Reaped
	for i := range plan.Pictures {
		p := &plan.Pictures[i]
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		if p.State != editorial.StateRemoved {
			removed, err := r.Remover.Reap(ctx, p.Image, p.Why, r.Caller)
			if err != nil {
				return sum, err
			}
			if !removed {
				sum.Spared++
				done()
				continue
			}
		}
		if err := deleteObjects(ctx, r.Bucket, r.Marker, p.Image); err != nil {
			return sum, err
		}
		sum.Deleted++
		_, size := p.Objects()
		sum.Bytes += size
		done()
	}
	return sum, nil
}

// deleteObjects deletes everything that a removed picture put into the bucket,
// and records that it is gone. An object that is not there is success, so it may
// be run again.
func deleteObjects(ctx context.Context, bucket Deleter, marker Marker, img editorial.Image) error {
	for _, key := range img.Keys() {
		if err := bucket.Delete(ctx, blob.Key(key)); err != nil {
			return fmt.Errorf("delete %s: %w", key, err)
		}
	}
	return marker.SetDeleted(ctx, img.ID)
}

// NotAllowed reports whether the bucket lets nobody delete with the present
// credentials, which is how an uploader's should be.
func NotAllowed(err error) bool {
	var e *blob.Error
	return errors.As(err, &e) && e.Code == blob.CodeAccessDenied
}
