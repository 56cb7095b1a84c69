package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// Report counts what a reconciliation did.
type Report struct {
	Due       int // images that nobody seemed to be working on
	Rung      int // of them, those rung anew
	Settled   int // jobs whose end had not been recorded
	Published int // approvals carried out late
	Replaced  int // pictures whose spool was lost
	Overdue   int // pictures that waited for longer than their requests allow
}

// Quiet is how long a row must have been unchanged before the reconciler looks
// at it: what was rung a moment ago is being picked up.
const Quiet = 5 * time.Second

const reconcileBatch = 500

// Reconcile rings whatever a row says is due and nothing is working on, and
// finishes what a lost process left half-said. Any number of processes may run
// it at once, at any time; Redis may be empty.
func (d *Dispatch) Reconcile(ctx context.Context) (Report, error) {
	var r Report
	return r, errors.Join(
		d.failOverdue(ctx, &r),
		d.reringDue(ctx, &r),
		d.settleJobs(ctx, &r),
		d.publishLate(ctx, &r),
		d.replaceLost(ctx, &r),
		d.reringDeliveries(ctx, &r),
		d.finishBackfills(ctx),
	)
}

// reringDue rings due images whose task is absent, archived, without state, or
// active although nobody holds the claim. A task that waits in a long queue is
// left alone, and however many of those there are, what stands behind them is
// looked at too.
func (d *Dispatch) reringDue(ctx context.Context, r *Report) error {
	for after := ""; ; {
		images, err := d.Store.Due(ctx, Quiet, after, reconcileBatch)
		if err != nil || len(images) == 0 {
			return err
		}
		r.Due += len(images)
		rung, err := d.ringAgain(ctx, images)
		r.Rung += rung
		if err != nil || len(images) < reconcileBatch {
			return err
		}
		after = images[len(images)-1].ID
	}
}

// ringAgain rings those of the images that nobody will come to.
func (d *Dispatch) ringAgain(ctx context.Context, images []editorial.Image) (rung int, err error) {
	origins, err := d.originsOf(ctx, images)
	if err != nil {
		return 0, err
	}
	bells := make([]Bell, len(images))
	for i, img := range images {
		bells[i] = bellOf(img, origins[img.JobID].Kind)
	}
	states, err := d.Ringer.States(ctx, bells)
	if err != nil {
		return 0, fmt.Errorf("look up tasks: %w", err)
	}
	var again []Bell
	for i, img := range images {
		if states[i] == TaskWaiting {
			continue
		}
		epoch, won, err := d.Store.Reepoch(ctx, img.ID, img.Epoch)
		if err != nil {
			return 0, err
		}
		if won {
			img.Epoch = epoch
			again = append(again, bellOf(img, origins[img.JobID].Kind).of(origins[img.JobID].Trace))
		}
	}
	if len(again) == 0 {
		return 0, nil
	}
	ctx, end := telemetry.Start(ctx, "reconcile: ring")
	err = d.Ringer.Ring(ctx, again...)
	end(err)
	if err != nil {
		return 0, fmt.Errorf("ring: %w", err)
	}
	return len(again), nil
}

// originsOf tells backfills from the rest, since their bell hangs in another
// queue, and in which trace each began.
func (d *Dispatch) originsOf(ctx context.Context, images []editorial.Image) (map[string]store.Origin, error) {
	ids := make([]string, 0, len(images))
	for _, img := range images {
		ids = append(ids, img.JobID)
	}
	return d.Store.JobOrigins(ctx, ids)
}

func (d *Dispatch) settleJobs(ctx context.Context, r *Report) error {
	ids, err := d.Store.UnsettledJobs(ctx, reconcileBatch)
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
			job, err := tx.LockJob(ctx, id)
			if err != nil {
				return err
			}
			return settle(ctx, tx, job, "", "", nil, after)
		})
		if err != nil {
			return err
		}
		r.Settled++
	}
	return nil
}

func (d *Dispatch) publishLate(ctx context.Context, r *Report) error {
	ids, err := d.Store.ApprovedUnpublished(ctx, reconcileBatch)
	if err != nil {
		return err
	}
	for _, id := range ids {
		published, err := d.PublishIfApproved(ctx, id)
		if err != nil {
			return err
		}
		if published {
			r.Published++
		}
	}
	return nil
}

// PublishIfApproved carries out an approval whose picture is there.
func (d *Dispatch) PublishIfApproved(ctx context.Context, draftID string) (published bool, err error) {
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		state, err := tx.LockDraft(ctx, draftID)
		if err != nil {
			return err
		}
		before := state.PublishedImageID
		p := publication{state: &state, row: &draftRow{id: draftID}}
		err = d.publishAndSave(ctx, tx, &p, after)
		published = state.PublishedImageID != before
		return err
	})
	return published, err
}

// observer remembers how long this process has been watching without a gap. A
// laptop that slept, or a database that was away, proves nothing about other
// machines' disks.
type observer struct {
	mu    sync.Mutex
	since time.Time
	last  time.Time
}

// maxGap is the longest pause between two beats that still counts as watching.
const maxGap = time.Minute

func (o *observer) beat(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() || now.Sub(o.last) > maxGap {
		o.since = now
	}
	o.last = now
}

func (o *observer) watchedFor(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() || now.Sub(o.last) > maxGap {
		return 0
	}
	return now.Sub(o.since)
}

// BeatSpool announces a worker's spool; its being written is also what makes
// this process a witness of other spools' silence. Call it before the first
// Reconcile and every few seconds.
func (d *Dispatch) BeatSpool(ctx context.Context, sp store.Spool) error {
	if err := d.Store.BeatSpool(ctx, sp); err != nil {
		return err
	}
	d.observer.beat(time.Now())
	return nil
}

// replaceLost makes the pictures of a spool that stays away again, as new image
// rows of the same seed under new keys.
func (d *Dispatch) replaceLost(ctx context.Context, r *Report) error {
	if d.observer.watchedFor(time.Now()) < d.SpoolLostAfter {
		return nil
	}
	spools, err := d.Store.SilentSpools(ctx, d.SpoolLostAfter)
	if err != nil {
		return err
	}
	for _, spool := range spools {
		images, err := d.Store.UploadingIn(ctx, spool, reconcileBatch)
		if err != nil {
			return err
		}
		for _, img := range images {
			f := editorial.NewFailure("spool_lost", editorial.StageUpload, editorial.Terminal, "spool",
				"the disk that held this picture stayed away for "+d.SpoolLostAfter.String()+"; it is being made again")
			switch err := d.Replace(ctx, img, f); {
			case errors.Is(err, ErrLostClaim): // somebody can read its bytes after all
			case err != nil:
				return err
			default:
				r.Replaced++
			}
		}
	}
	return nil
}

// Replace makes a picture whose bytes are lost again: the old row ends, with
// the reason, and a new one of the same number and seed begins. ErrLostClaim:
// the image is not the caller's, or no longer uploading.
func (d *Dispatch) Replace(ctx context.Context, lost editorial.Image, f *editorial.Failure) error {
	f = stamped(f)
	return d.withJob(ctx, lost.JobID, func(tx *store.Tx, job editorial.Job, _ *editorial.DraftImages, after *aftermath) error {
		if err := tx.BytesLost(ctx, lost, f); err != nil {
			return err
		}
		after.event(lost, "image.superseded", map[string]any{"failure": f})
		if job.State.IsFinal() {
			return settle(ctx, tx, job, lost.ID, editorial.StateSuperseded, f, after)
		}
		img := editorial.Image{
			ID: newID(), JobID: job.ID, DraftID: job.DraftID, Round: job.Round, Number: lost.Number,
			State: editorial.StateQueued, Seed: lost.Seed, AltText: lost.AltText,
		}
		if err := tx.InsertImages(ctx, job, []editorial.Image{img}); err != nil {
			return err
		}
		after.event(img, "image.queued", map[string]any{"replaces": lost.ID})
		after.bells = append(after.bells, bellOf(img, job.Kind).of(job.Trace))
		return nil
	})
}
