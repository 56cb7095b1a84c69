package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// ErrNotDue says that an image is not to be worked on by the caller: it is
// final, at another stage, or somebody else's. The task is done.
var ErrNotDue = errors.New("not due, or another worker's")

// ErrLostClaim says that somebody else owns the image by now: stop quietly.
var ErrLostClaim = store.ErrLostClaim

// ClaimGenerate takes an image for generating and returns it with its job. The
// image's Claim is the token that every later report has to bear.
func (d *Dispatch) ClaimGenerate(ctx context.Context, imageID string) (editorial.Image, editorial.Job, error) {
	return d.claim(ctx, imageID, (*store.Tx).ClaimGenerate, "image.generating")
}

// ClaimUpload takes an image whose bytes wait in a spool.
func (d *Dispatch) ClaimUpload(ctx context.Context, imageID string) (editorial.Image, editorial.Job, error) {
	return d.claim(ctx, imageID, (*store.Tx).ClaimUpload, "image.uploading")
}

type claimFunc func(t *store.Tx, ctx context.Context, imageID, token string, lease time.Duration) (editorial.Image, error)

func (d *Dispatch) claim(ctx context.Context, imageID string, take claimFunc, kind string) (img editorial.Image, job editorial.Job, err error) {
	token := rand.Text()
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		if img, err = take(tx, ctx, imageID, token, d.Lease); err != nil {
			return err
		}
		after.event(img, kind, map[string]any{"attempt": img.Attempt})
		job, err = tx.JobWithoutImages(ctx, img.JobID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return img, job, ErrNotDue
	}
	return img, job, err
}

// Extend gives claims another lease and returns those that are lost.
func (d *Dispatch) Extend(ctx context.Context, tokens []string) (lost []string, err error) {
	return d.Store.ExtendClaims(ctx, tokens, d.Lease)
}

// Started stores a provider's job id before anybody waits for that job.
func (d *Dispatch) Started(ctx context.Context, img editorial.Image, backend, providerJobID string) error {
	return d.Store.SetProviderJob(ctx, img.ID, img.Claim, backend, providerJobID)
}

// MovedOn records that a backend was given up on, with the reason, before the
// next one is asked.
func (d *Dispatch) MovedOn(ctx context.Context, img editorial.Image) error {
	last := img.Steps[len(img.Steps)-1]
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		after.event(img, "image.moved_on", map[string]any{"backend": last.Backend, "failure": last.Failure})
		return tx.MovedOn(ctx, img)
	})
}

// NewKey is the object key of a picture: made once, kept on its row.
func NewKey(img editorial.Image, ext string) string {
	return fmt.Sprintf("generated/%d-%s.%s", img.CreatedAt.Unix(), uuid.New(), ext)
}

// Spooled reports that the bytes are in the spool: from here on no fault makes
// the generator run again.
func (d *Dispatch) Spooled(ctx context.Context, img editorial.Image) error {
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		if err := tx.Spooled(ctx, img); err != nil {
			return err
		}
		if err := tx.CountPicture(ctx, img.Backend, img.Cost); err != nil {
			return err
		}
		data := map[string]any{"backend": img.Backend, "bytes": img.Bytes}
		if why := img.Fallback(); why != "" {
			data["fallback"] = why
		}
		after.event(img, "image.spooled", data)
		img := img
		img.State, img.Epoch = editorial.StateUploading, img.Epoch+1
		after.bells = append(after.bells, bellOf(img, ""))
		return nil
	})
}

// Finished records the digests of what will be put, before the first put.
func (d *Dispatch) Finished(ctx context.Context, img editorial.Image) error {
	return d.Store.Finished(ctx, img)
}

// Stored reports that the public URL answered with the picture, and publishes
// when that was all an approval waited for.
func (d *Dispatch) Stored(ctx context.Context, img editorial.Image) error {
	img.Lookalikes = d.lookalikes(ctx, img)
	return d.finish(ctx, img, func(tx *store.Tx, after *aftermath) (editorial.ImageState, *editorial.Failure, error) {
		after.lookalikes(img) // before the last word on the picture
		after.event(img, "image.stored", map[string]any{"url": img.URL, "source": img.Source})
		t := imageTidings("image.stored", img)
		t.data["image"] = PictureFacts(img)
		after.tell(t)
		return editorial.StateStored, nil, tx.Stored(ctx, img)
	})
}

// GiveUp reports that an image failed for good.
func (d *Dispatch) GiveUp(ctx context.Context, img editorial.Image, f *editorial.Failure) error {
	f = stamped(f)
	return d.finish(ctx, img, func(tx *store.Tx, after *aftermath) (editorial.ImageState, *editorial.Failure, error) {
		after.event(img, "image.failed", map[string]any{"failure": f})
		t := imageTidings("image.failed", img)
		t.data["failure"] = f
		after.tell(t)
		return editorial.StateFailed, f, tx.GiveUp(ctx, img, f)
	})
}

// Postpone gives an image back, to be tried again after delay. counted is false
// when the provider was never asked.
func (d *Dispatch) Postpone(ctx context.Context, img editorial.Image, f *editorial.Failure, delay time.Duration, counted bool) error {
	f = stamped(f)
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		after.event(img, "image.postponed", map[string]any{"failure": f, "seconds": int(delay.Seconds())})
		return tx.Postpone(ctx, img, f, delay, counted)
	})
}

func stamped(f *editorial.Failure) *editorial.Failure {
	if f != nil && f.At.IsZero() {
		copied := *f
		copied.At = time.Now().UTC()
		return &copied
	}
	return f
}

// finish ends an image, its job when it was the last one, and whatever its
// draft waited for: locks from the draft down, then the fenced write.
func (d *Dispatch) finish(ctx context.Context, img editorial.Image,
	end func(*store.Tx, *aftermath) (editorial.ImageState, *editorial.Failure, error),
) error {
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		var state editorial.DraftImages
		var err error
		if img.DraftID != "" {
			if state, err = tx.LockDraft(ctx, img.DraftID); err != nil {
				return err
			}
		}
		job, err := tx.LockJob(ctx, img.JobID)
		if err != nil {
			return err
		}
		ended, failure, err := end(tx, after)
		if err != nil {
			return err
		}
		if err := settle(ctx, tx, job, img.ID, ended, failure, after); err != nil {
			return err
		}
		if img.DraftID == "" || img.Round != state.Round {
			return nil // late for its round: the history has it, the draft does not
		}
		p := publication{state: &state, row: &draftRow{id: img.DraftID}}
		if ended == editorial.StateStored {
			if err := offer(ctx, tx, &p, img); err != nil {
				return err
			}
		}
		return d.publishAndSave(ctx, tx, &p, after)
	})
}

// settle records the end of a job whose images have all ended.
func settle(ctx context.Context, tx *store.Tx, job editorial.Job, imageID string, ended editorial.ImageState, f *editorial.Failure, after *aftermath) error {
	if job.State.IsFinal() {
		return nil // superseded or canceled: said long ago
	}
	states := make([]editorial.ImageState, len(job.Images))
	for i, img := range job.Images {
		states[i] = img.State
		if img.ID == imageID {
			states[i] = ended
		}
	}
	state := editorial.JobStateOf(states)
	if !state.IsFinal() {
		return nil
	}
	if state == editorial.JobStored {
		f = nil
	}
	after.jobEvent(job.ID, job.DraftID, "", "job."+string(state), nil)
	return tx.FinishJob(ctx, job.ID, state, f, "")
}

// offer makes a stored picture the draft's when nothing better stands there: a
// hand-picked one does, and so does a lower number of the same round.
func offer(ctx context.Context, tx *store.Tx, p *publication, img editorial.Image) error {
	state := p.state
	if state.HandPicked && state.ChosenImageID != img.ID {
		return nil
	}
	if state.ChosenImageID != "" && state.ChosenImageID != img.ID {
		chosen, err := tx.Image(ctx, state.ChosenImageID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && chosen.Round == img.Round && chosen.Number < img.Number {
			return nil
		}
	}
	state.ChosenImageID = img.ID
	return showPicture(ctx, tx, p.row, img)
}
