// Package worker is what happens to one task: generate, upload. Each handler
// claims the row that its task names, does the work under that claim, and
// reports through package dispatch; a task whose row is not due, or somebody
// else's, is simply done.
//
// Nothing here decides what may follow what, and nothing is remembered between
// tasks but the claims under way. The trap is the claim: every report may
// answer that it was lost, and then the only right thing is to stop, because
// another worker is doing the same.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/picture"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// GenerateRows is what generating reports.
type GenerateRows interface {
	ClaimGenerate(ctx context.Context, imageID string) (editorial.Image, editorial.Job, error)
	Started(ctx context.Context, img editorial.Image, backend, providerJobID string) error
	MovedOn(ctx context.Context, img editorial.Image) error
	Spooled(ctx context.Context, img editorial.Image) error
}

// Looks reads an image and its job and claims nothing.
type Looks interface {
	LookAt(ctx context.Context, imageID string) (editorial.Image, editorial.Job, error)
}

// UploadRows is what uploading reports.
type UploadRows interface {
	ClaimUpload(ctx context.Context, imageID string) (editorial.Image, editorial.Job, error)
	Finished(ctx context.Context, img editorial.Image) error
	Stored(ctx context.Context, img editorial.Image) error
	Replace(ctx context.Context, img editorial.Image, f *editorial.Failure) error
}

// Outcomes ends a try that did not work.
type Outcomes interface {
	Postpone(ctx context.Context, img editorial.Image, f *editorial.Failure, delay time.Duration, counted bool) error
	GiveUp(ctx context.Context, img editorial.Image, f *editorial.Failure) error
}

// Spool is the disk where bytes wait for upload.
type Spool interface {
	Put(ctx context.Context, imageID string, facts, data []byte) (spool.Entry, error)
	// Write and Keep are the halves of Put: only the second waits for the disk.
	Write(ctx context.Context, imageID string, facts, data []byte) (*spool.Part, error)
	Keep(parts ...*spool.Part) error
	// Find lists an image's complete entries.
	Find(imageID string) ([]spool.Entry, error)
	Read(imageID, sha256 string) (data, facts []byte, err error)
	// Open is Read for bytes that need not be in memory; the caller closes it.
	Open(imageID, sha256 string) (io.ReadSeekCloser, spool.Entry, error)
	RemoveImage(imageID string) error
}

// Delivery is how readers reach an object.
type Delivery interface {
	URL(key string) string
	// Verify fetches the object back through its public URL and compares.
	Verify(ctx context.Context, key, sha256 string, size int64) error
}

// Chain is the configured generators.
type Chain interface {
	Next(req editorial.Request, given []editorial.ChainStep) (imagegen.Generator, bool)
	Named(name string) (imagegen.Generator, bool)
	StandsIn(req editorial.Request, g imagegen.Generator) (editorial.ChainStep, bool)
}

// Progress shows how far pictures are.
type Progress interface {
	// Follow begins to show that of an image that is claimed. report never
	// waits; end is called when the claim is given back.
	Follow(ctx context.Context, img editorial.Image) (report func(editorial.Progress), end func())
}

// Purse is what pictures cost.
type Purse interface {
	// Price is what a picture of a generator is configured to cost.
	Price(generator string) *float64
	// Reserve says why a generator may not be asked; nil when it may.
	Reserve(ctx context.Context, img editorial.Image, generator string) (refused *editorial.Failure, err error)
	// Refused counts an answer that was no picture to publish.
	Refused(ctx context.Context, generator string, cost *float64) error
}

// Config is what a Worker needs; every field is required but those that name
// a default.
type Config struct {
	GenerateRows GenerateRows
	UploadRows   UploadRows
	Outcomes     Outcomes
	Claims       Claims
	Looks        Looks // nil: every task claims before it looks
	Stops        Stops // for RunStops and StopCanceled alone
	Chain        Chain
	Spool        Spool
	SpoolID      string
	Bucket       blob.Bucket
	Delivery     Delivery
	Progress     Progress // nil: nobody is shown any
	Purse        Purse    // nil: nobody counts
	Log          *slog.Logger

	Lease            time.Duration // as dispatch grants it
	GenerateTimeout  time.Duration // for one picture by one backend
	GenerateAttempts int           // counted tries of one backend before the next is asked
	TurnWait         time.Duration // longest that a picture holds a place while its backend is busy
	UploadTimeout    time.Duration // for one object: the put, and again the fetch back
	UploadFor        time.Duration // how long an upload is tried before it fails
	MaxWait          time.Duration // longest back-off
	Renditions       []int         // widths; empty for none
	Decoders         int           // pictures decoded at once; 0: one
	NoUploads        bool          // this process takes none: the bucket, for which it may have no key, is not tried

	Metrics *telemetry.Metrics // nil: nothing is counted
}

// Worker handles tasks. It is safe for concurrent use.
type Worker struct {
	Config
	keeper   *keeper
	backends *backends
	breaker  *breaker
	decoders chan struct{}
}

// New returns a worker; [Worker.Run] has to run beside its handlers.
func New(c Config) *Worker {
	return &Worker{
		Config:   c,
		keeper:   newKeeper(c.Claims, c.Lease, c.Log),
		backends: newBackends(c.Log, c.MaxWait, c.TurnWait),
		breaker:  &breaker{check: c.Bucket.Check, log: c.Log},
		decoders: make(chan struct{}, max(1, c.Decoders)),
	}
}

// Run keeps the claims under way alive until ctx ends. Hurry, when it has an
// element, has the claims looked at once: something was canceled.
func (w *Worker) Run(ctx context.Context, hurry <-chan struct{}) {
	var probes sync.WaitGroup
	if !w.NoUploads {
		probes.Go(func() { w.breaker.run(ctx) })
	}
	defer probes.Wait()
	w.keeper.run(ctx, hurry)
}

// UploadsPaused returns why uploads are paused, nil when they are not.
func (w *Worker) UploadsPaused() *editorial.Failure { return w.breaker.open() }

// decoding runs fn with one of the few places for work on decoded pixels,
// which is bounded by cores and memory whatever the number of uploads is.
func (w *Worker) decoding(ctx context.Context, fn func() error) error {
	select {
	case w.decoders <- struct{}{}:
		defer func() { <-w.decoders }()
		return fn()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spoolFacts is the sidecar of a spooled picture: what a worker that finds it
// after a crash needs to go on without asking the generator again.
type spoolFacts struct {
	Kind    string            `json:"kind"` // "raw"; what is finished has no sidecar
	Backend string            `json:"backend,omitempty"`
	Model   string            `json:"model,omitempty"`
	Seed    int64             `json:"seed,omitempty"`
	Params  map[string]any    `json:"params,omitempty"`
	Credit  *editorial.Credit `json:"credit,omitempty"`
	AltText string            `json:"alt_text,omitempty"`
	Cost    *float64          `json:"cost,omitempty"`
	Recipe  *editorial.Recipe `json:"recipe,omitempty"`
}

const kindRaw = "raw"

func (f spoolFacts) encode() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		return nil // params that JSON cannot say are not worth a picture
	}
	return b
}

// stop ends a handler whose claim is no longer its own, or that has nothing to
// do: the task is done. Any other error of the rows means that the database is
// away; the claim runs out by itself and the task comes back.
func (w *Worker) stop(ctx context.Context, img editorial.Image, err error) error {
	if errors.Is(err, dispatch.ErrLostClaim) || errors.Is(err, dispatch.ErrNotDue) {
		return nil
	}
	w.Log.WarnContext(ctx, "the rows could not be written; the task comes back", "image", img.ID, "job", img.JobID, "error", err)
	return &queue.RetryAfter{Delay: queue.Backoff(3, w.MaxWait), Reason: "the database did not answer"}
}

// later gives the image back and has the task come again: a failure that may
// pass, a backend that is not there, a worker that is shutting down.
func (w *Worker) later(ctx context.Context, img editorial.Image, f *editorial.Failure, delay time.Duration, counted bool) error {
	ctx = context.WithoutCancel(ctx) // a worker that is told to stop still says so
	if err := w.Outcomes.Postpone(ctx, img, f, delay, counted); err != nil {
		return w.stop(ctx, img, err)
	}
	w.Log.InfoContext(ctx, "postponed", "image", img.ID, "job", img.JobID, "attempt", img.Attempt,
		"code", f.Code, "stage", f.Stage, "provider", f.Provider, "delay", delay)
	return &queue.RetryAfter{Delay: delay, Reason: f.Error()}
}

// giveUp ends the image as failed. The task is done: retrying it would meet the
// same end, and the row has the reason.
func (w *Worker) giveUp(ctx context.Context, img editorial.Image, f *editorial.Failure) error {
	ctx = context.WithoutCancel(ctx)
	if err := w.Outcomes.GiveUp(ctx, img, f); err != nil {
		return w.stop(ctx, img, err)
	}
	w.Log.WarnContext(ctx, "failed", "image", img.ID, "job", img.JobID, "attempt", img.Attempt,
		"code", f.Code, "stage", f.Stage, "provider", f.Provider, "message", f.Message)
	return nil
}

// claimLost reports whether work ended because the claim was taken away.
func claimLost(ctx context.Context) bool { return errors.Is(context.Cause(ctx), dispatch.ErrLostClaim) }

// pictureFailure is why bytes were not accepted as a picture.
func pictureFailure(err error, stage editorial.Stage, provider string) *editorial.Failure {
	code := "picture_undecodable"
	var pe *picture.Error
	if errors.As(err, &pe) {
		code = string(pe.Code)
		err = errors.New(pe.Message)
	}
	return editorial.NewFailure(code, stage, editorial.Terminal, provider, err.Error())
}
