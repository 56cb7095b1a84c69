package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// stopFor is how long after a cancel a generator is still told to stop: by then
// it has long finished a picture that nobody stopped.
const stopFor = 15 * time.Minute

const stopBatch = 100

// StopsDue returns canceled images whose generator may still be at work, each
// with the backend and its job's id. The rows tell, so a worker that starts
// later than the cancel hears of it as well.
func (d *Dispatch) StopsDue(ctx context.Context) ([]editorial.Image, error) {
	return d.Store.StopsDue(ctx, stopFor, stopBatch)
}

// Stopped records how a canceled image's generator was told: f is nil when the
// job is stopped or over, else why it runs on. Either way nobody asks again.
func (d *Dispatch) Stopped(ctx context.Context, img editorial.Image, f *editorial.Failure) error {
	return d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		first, err := tx.Stopped(ctx, img)
		if err != nil || !first {
			return err
		}
		data := map[string]any{"backend": img.Backend, "provider_job_id": img.ProviderJobID}
		if f != nil {
			data["failure"] = stamped(f)
		}
		after.event(img, "image.stopped", data)
		return nil
	})
}

// LookAt returns an image with its job and claims nothing.
func (d *Dispatch) LookAt(ctx context.Context, imageID string) (editorial.Image, editorial.Job, error) {
	img, err := d.Store.Image(ctx, imageID)
	if err != nil {
		return img, editorial.Job{}, err
	}
	job, err := d.Store.JobWithoutImages(ctx, img.JobID)
	return img, job, err
}

// Overdue is why a picture is given up whose time is over. It is no fault of a
// generator's, so no other is asked.
func Overdue(job editorial.Job) *editorial.Failure {
	return editorial.NewFailure("deadline_exceeded", editorial.StageGenerate, editorial.Terminal, "worker",
		fmt.Sprintf("the picture was not made within the %d seconds that the request allowed", job.Request.Timeout))
}

// failOverdue ends images that waited in the queue for longer than their
// requests allow: who set a deadline hears at the deadline, however long the
// queue is.
func (d *Dispatch) failOverdue(ctx context.Context, r *Report) error {
	images, err := d.Store.Overdue(ctx, reconcileBatch)
	if err != nil {
		return err
	}
	for _, due := range images {
		img, job, err := d.ClaimGenerate(ctx, due.ID)
		if err == nil {
			err = d.GiveUp(ctx, img, Overdue(job))
		}
		switch {
		case errors.Is(err, ErrNotDue), errors.Is(err, ErrLostClaim):
			continue // a worker was faster
		case err != nil:
			return err
		}
		r.Overdue++
	}
	return nil
}
