package worker

import (
	"context"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// Stops is what stopping reads and reports.
type Stops interface {
	StopsDue(ctx context.Context) ([]editorial.Image, error)
	Stopped(ctx context.Context, img editorial.Image, f *editorial.Failure) error
}

const (
	stopEvery   = 15 * time.Second
	stopTimeout = 10 * time.Second
)

// RunStops tells generators to stop what was canceled, until ctx ends: at once
// when hurry has an element, and every few seconds what a worker that died left
// behind. Each is told by the id of its own job, so nobody else's is stopped.
func (w *Worker) RunStops(ctx context.Context, hurry <-chan struct{}) {
	ticker := time.NewTicker(stopEvery)
	defer ticker.Stop()
	for {
		w.StopCanceled(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-hurry:
		}
	}
}

// StopCanceled tells the generators of canceled pictures, once.
func (w *Worker) StopCanceled(ctx context.Context) {
	images, err := w.Stops.StopsDue(ctx)
	if err != nil {
		w.Log.WarnContext(ctx, "what was canceled could not be looked up; it is tried again", "error", err)
		return
	}
	for _, img := range images {
		g, ok := w.Chain.Named(img.Backend)
		if !ok {
			continue // another worker may know it
		}
		e := stopJob(ctx, g, img.ProviderJobID)
		if e != nil && e.Class != editorial.Terminal {
			continue // it does not answer now; the row still says that it is due
		}
		var f *editorial.Failure
		if e != nil {
			f = editorial.NewFailure(e.Code, editorial.StageGenerate, e.Class, g.Name(), e.Message)
		}
		if err := w.Stops.Stopped(ctx, img, f); err != nil {
			w.Log.WarnContext(ctx, "a stop could not be recorded; it is done again", "image", img.ID, "error", err)
		}
	}
}

// stopJob stops a generator's job of ours; nil when it is stopped or over.
func stopJob(ctx context.Context, g imagegen.Generator, providerJobID string) *imagegen.Error {
	canceler, ok := imagegen.CancelerOf(g)
	if !ok {
		return imagegen.Terminalf("cannot_stop", "%s has no way to stop a picture", g.Name())
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return imagegen.AsError(canceler.Cancel(ctx, providerJobID))
}
