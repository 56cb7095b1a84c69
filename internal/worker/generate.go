package worker

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/prompt"
	"github.com/glad-labs/frontispiece/internal/picture"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/tasks"
)

// Generate handles tasks.TypeGenerate: it asks the chain for the picture,
// judges the bytes and puts them into the spool. From there on they are paid
// for, and another task uploads them.
func (w *Worker) Generate(ctx context.Context, p tasks.Payload) error {
	if err := w.turnAway(ctx, p); err != nil {
		return err
	}
	img, job, err := w.GenerateRows.ClaimGenerate(ctx, p.ID)
	if err != nil {
		return w.stop(ctx, editorial.Image{ID: p.ID}, err)
	}
	if img.Attempt == 1 && img.Failure == nil {
		w.Metrics.Took(telemetry.StageWait, "worker", time.Since(img.CreatedAt))
	}
	telemetry.Describe(ctx, "job.id", img.JobID, "image.id", img.ID)
	held, release := w.keeper.hold(ctx, img.Claim)
	defer release()
	g := &generation{Worker: w, img: img, job: job, deadline: deadlineOf(img)}
	defer g.follow(held)()
	if done, err := g.adopt(held); done {
		return err
	}
	for {
		if g.overdue() {
			return w.giveUp(ctx, g.img, dispatch.Overdue(job))
		}
		backend, ok := w.Chain.Next(job.Request, g.img.Steps)
		if !ok {
			return w.giveUp(ctx, g.img, g.lastFailure())
		}
		again, err := g.try(held, backend)
		if !again {
			return err
		}
	}
}

// turnAway is what a task is told whose generator is away or busy, before
// anything is claimed or written; nil for one that may go on. A row that cannot
// be read is for the claim to speak of.
func (w *Worker) turnAway(ctx context.Context, p tasks.Payload) error {
	if w.Looks == nil || !w.backends.troubled() {
		return nil
	}
	img, job, err := w.Looks.LookAt(ctx, p.ID)
	if err != nil || img.State != editorial.StateQueued {
		return nil //nolint:nilerr // see above
	}
	backend, ok := w.Chain.Next(job.Request, img.Steps)
	if !ok {
		return nil
	}
	again := w.backends.turnAway(ctx, backend, img.Failure)
	switch {
	case again == nil:
		return nil
	case img.DeadlineAt.IsZero():
	case !time.Now().Before(img.DeadlineAt):
		return nil // the claim, whose clock counts, ends it
	default:
		again.Delay = min(again.Delay, time.Until(img.DeadlineAt))
	}
	return again
}

// generation is one picture being made under a claim.
type generation struct {
	*Worker
	img      editorial.Image
	job      editorial.Job
	deadline time.Time                // zero for none
	shown    func(editorial.Progress) // never nil, never waits
	recipe   *editorial.Recipe        // of the last answer
}

// lastFailure is why the chain came to its end.
func (g *generation) lastFailure() *editorial.Failure {
	if n := len(g.img.Steps); n > 0 {
		f := g.img.Steps[n-1].Failure
		return &f
	}
	return editorial.NewFailure("no_generator", editorial.StageGenerate, editorial.Terminal, "worker",
		"no generator is configured that may answer this request; set GENERATORS")
}

// try asks one backend once. again says that the next one should be asked.
func (g *generation) try(ctx context.Context, backend imagegen.Generator) (again bool, err error) {
	if g.img.Attempt > g.GenerateAttempts {
		// The tries before this one ended without a word: their workers died.
		return g.moveOn(ctx, backend, editorial.NewFailure("attempts_exhausted", editorial.StageGenerate, editorial.Terminal,
			backend.Name(), "the worker died at every attempt"))
	}
	g.backends.probe(ctx, backend)
	switch why, given := g.backends.missing(backend); {
	case given:
		return g.moveOn(ctx, backend, why)
	case why != nil:
		return false, g.later(ctx, g.img, why, g.soon(waitForBackend), false)
	}
	if refused, err := g.reserve(ctx, backend.Name()); err != nil {
		return false, g.stop(ctx, g.img, err)
	} else if refused != nil {
		return g.moveOn(ctx, backend, refused)
	}
	result, err := g.askInTurn(ctx, backend)
	switch {
	case errors.Is(err, errBusy):
		return g.notNow(ctx, backend)
	case err != nil:
		return g.refused(ctx, backend, imagegen.AsError(err))
	}
	g.backends.found(ctx, backend)
	facts, err := g.judge(ctx, result.Bytes)
	if err != nil {
		if ctx.Err() != nil {
			return g.refused(ctx, backend, imagegen.AsError(ctx.Err()))
		}
		g.wasted(ctx, backend.Name(), result)
		f := pictureFailure(err, editorial.StageGenerate, backend.Name())
		if g.img.Attempt < min(2, g.GenerateAttempts) {
			f.Class = editorial.Transient // once may be an accident
			return false, g.later(ctx, g.img, f, g.backoff(0), true)
		}
		return g.moveOn(ctx, backend, f)
	}
	if step, ok := g.Chain.StandsIn(g.job.Request, backend); ok {
		g.img.Steps = append(g.img.Steps, step)
	}
	return false, g.keep(ctx, backend.Name(), result, facts)
}

// askInTurn asks the backend when it has a place, within the picture's time.
func (g *generation) askInTurn(ctx context.Context, backend imagegen.Generator) (imagegen.Result, error) {
	if !g.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, g.deadline)
		defer cancel()
	}
	leave, err := g.backends.enter(ctx, backend, func() {
		g.shown(editorial.Progress{Generator: backend.Name(), Stage: "waiting for its turn"})
	})
	if err != nil {
		return imagegen.Result{}, err
	}
	defer leave()
	return g.measured(ctx, backend)
}

// measured is ask, counted and traced.
func (g *generation) measured(ctx context.Context, backend imagegen.Generator) (imagegen.Result, error) {
	ctx, end := telemetry.Start(ctx, "generate", "generator", backend.Name())
	begun := time.Now()
	result, err := g.ask(ctx, backend)
	end(err)
	g.Metrics.Took(telemetry.StageGenerate, backend.Name(), time.Since(begun))
	g.Metrics.Ended(telemetry.StageGenerate, backend.Name(), outcomeOf(imagegen.AsError(err)))
	return result, err
}

func outcomeOf(e *imagegen.Error) string {
	switch {
	case e == nil:
		return telemetry.OutcomeOK
	case e.Unreachable:
		return telemetry.OutcomeUnreachable
	default:
		return string(e.Class)
	}
}

// ask calls the backend with the time-out of one picture.
func (g *generation) ask(ctx context.Context, backend imagegen.Generator) (imagegen.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, g.GenerateTimeout)
	defer cancel()
	r := g.job.Request
	req := imagegen.Request{
		ImageID: g.img.ID, Title: r.Title, Prompt: promptFor(r, backend), NegativePrompt: prompt.Clean(r.NegativePrompt), Keywords: r.Keywords,
		Width: r.Width, Height: r.Height, Steps: r.Steps, Guidance: r.Guidance, Seed: g.img.Seed, Page: r.Page,
		SourceURL: r.SourceURL, Credit: r.Credit, Progress: g.reporter(backend.Name()),
		Started: func(ctx context.Context, id string) error {
			g.img.Backend, g.img.ProviderJobID = backend.Name(), id
			return g.GenerateRows.Started(ctx, g.img, backend.Name(), id)
		},
	}
	if g.img.Backend == backend.Name() {
		req.ProviderJobID = g.img.ProviderJobID
	}
	req.Progress(imagegen.Progress{Percent: -1, Step: -1})
	begun := time.Now()
	result, err := backend.Generate(ctx, req)
	g.recipe = recipeOf(r, req, result, time.Since(begun))
	if err == nil && ctx.Err() != nil {
		err = ctx.Err() // whatever it answered, nobody may have waited for it
	}
	return result, err
}

// refused decides what a backend's error means for the picture.
func (g *generation) refused(ctx context.Context, backend imagegen.Generator, e *imagegen.Error) (again bool, err error) {
	f := editorial.NewFailure(e.Code, editorial.StageGenerate, e.Class, backend.Name(), e.Message)
	switch {
	case claimLost(ctx):
		return false, nil // canceled, superseded, or another worker's by now
	case ctx.Err() == nil && g.overdue():
		g.abandon(ctx, backend)
		return true, nil // where that is looked at
	case ctx.Err() != nil:
		// The worker is shutting down: the next one starts at once, and this
		// try is not held against the picture.
		f.Class, f.Message = editorial.Transient, "the worker was shut down"
		return false, g.later(ctx, g.img, f, 0, false)
	case e.Unreachable:
		return g.unreachable(ctx, backend, e, f)
	case e.Class == editorial.Transient && g.img.Attempt < g.GenerateAttempts:
		return false, g.later(ctx, g.img, f, g.backoff(e.RetryAfter), true)
	default:
		return g.moveOn(ctx, backend, f)
	}
}

// moveOn gives up on a backend, says why, and goes on with the next.
func (g *generation) moveOn(ctx context.Context, backend imagegen.Generator, f *editorial.Failure) (again bool, err error) {
	f.At = time.Now().UTC()
	if f.Code == "timeout" {
		g.abandon(ctx, backend) // it may still be at it
	}
	g.img.Steps = append(g.img.Steps, editorial.ChainStep{Backend: backend.Name(), Failure: *f})
	if err := g.GenerateRows.MovedOn(ctx, g.img); err != nil {
		return false, g.stop(ctx, g.img, err)
	}
	g.img.Attempt, g.img.Backend, g.img.ProviderJobID = 1, "", ""
	return true, nil
}

func (g *generation) judge(ctx context.Context, b []byte) (facts picture.Facts, err error) {
	err = g.decoding(ctx, func() error {
		facts, err = picture.Judge(b, picture.Limits{})
		facts.Pixels = nil // by far the largest part, and nobody's need until the upload
		return err
	})
	return facts, err
}

// keep puts the bytes into the spool and moves the row on.
func (g *generation) keep(ctx context.Context, backend string, result imagegen.Result, facts picture.Facts) error {
	side := spoolFacts{
		Kind: kindRaw, Backend: backend, Model: result.Model, Seed: result.Seed, Params: result.Params,
		Credit: result.Credit, AltText: result.AltText, Cost: g.cost(backend, result), Recipe: g.recipe,
	}
	entry, err := g.Spool.Put(ctx, g.img.ID, side.encode(), result.Bytes)
	if err != nil {
		if claimLost(ctx) {
			return nil
		}
		return g.awaitSpool(ctx, err)
	}
	return g.report(ctx, side, entry.SHA256, entry.Bytes, facts)
}

// awaitSpool has the picture wait for the disk: it is no fault of a backend's.
func (g *generation) awaitSpool(ctx context.Context, err error) error {
	code := "spool_unavailable"
	if errors.Is(err, spool.ErrFull) {
		code = "spool_full"
	}
	f := editorial.NewFailure(code, editorial.StageGenerate, editorial.Transient, "spool", err.Error())
	return g.later(ctx, g.img, f, waitForBackend, false)
}

// report tells the row that the bytes are there. The generator has been paid:
// a database that is away is asked again for as long as the claim lasts, and
// after that the next attempt finds the bytes in the spool.
func (g *generation) report(ctx context.Context, side spoolFacts, digest string, size int64, facts picture.Facts) error {
	img := g.img
	img.SpoolID, img.RawSHA256 = g.SpoolID, digest
	img.Backend, img.Model, img.Seed, img.Params, img.Credit, img.Cost = side.Backend, side.Model, side.Seed, side.Params, side.Credit, side.Cost
	img.Recipe = side.Recipe
	if img.AltText == "" {
		img.AltText = side.AltText
	}
	img.ContentType, img.Width, img.Height, img.Bytes = facts.ContentType, facts.Width, facts.Height, size
	img.Color, img.Hash = facts.Color, facts.Hash.String()
	if id, ok := side.Params["photo_id"].(string); ok {
		img.StockID = nth.ReplaceAllString(side.Backend, "") + ":" + id
	}
	img.Key = dispatch.NewKey(img, facts.Ext)
	for n := 1; ; n++ {
		err := g.GenerateRows.Spooled(ctx, img)
		if err == nil || errors.Is(err, dispatch.ErrLostClaim) || ctx.Err() != nil || n == 5 {
			if err != nil {
				return g.stop(ctx, img, err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(queue.Backoff(n, g.MaxWait)):
		}
	}
}

// adopt looks for bytes that an earlier try of this picture put into the spool
// before it died without a word, so that they are not paid for again. A spool
// that cannot be read may hold them, and could not take others: the picture
// waits for it.
func (g *generation) adopt(ctx context.Context) (done bool, err error) {
	entries, err := g.Spool.Find(g.img.ID)
	if err != nil {
		return true, g.awaitSpool(ctx, err)
	}
	for _, entry := range entries {
		data, sidecar, err := g.Spool.Read(g.img.ID, entry.SHA256)
		if errors.Is(err, spool.ErrCorrupt) || errors.Is(err, spool.ErrNotFound) {
			continue // set aside by the spool, or swept
		}
		if err != nil {
			return true, g.awaitSpool(ctx, err)
		}
		var side spoolFacts
		if json.Unmarshal(sidecar, &side) != nil || side.Kind != kindRaw {
			continue
		}
		facts, err := g.judge(ctx, data)
		if err != nil {
			continue
		}
		g.Log.InfoContext(ctx, "adopted bytes from the spool", "image", g.img.ID, "job", g.img.JobID, "backend", side.Backend)
		return true, g.report(ctx, side, entry.SHA256, entry.Bytes, facts)
	}
	return false, nil
}

// nth is what tells generators of one kind apart: "sdcpp-2".
var nth = regexp.MustCompile(`-[0-9]+$`)

// sourceName is what image.source says: where the bytes come from and where
// they are kept.
func sourceName(backend string, bucket blob.Bucket) string {
	kind := nth.ReplaceAllString(backend, "")
	if kind == "pexels" {
		return kind
	}
	return kind + "-" + bucket.Name()
}
