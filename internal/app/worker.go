package app

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

// beat is how often a worker says that its spool is there.
const beat = 10 * time.Second

// sweepEvery is how often leftovers are looked for in the spool.
const sweepEvery = time.Hour

// RunWorker handles tasks until ctx ends, and then drains: tasks under way have
// the configured grace to finish, and go back to the queue after it.
func (a *App) RunWorker(ctx context.Context) error {
	w := a.newWorker()
	a.working.Store(w)
	if err := a.announce(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it had begun
		}
		return err
	}
	a.announceQueues(ctx)
	// Before the first task: what a dead process left is due now, not at the
	// first tick.
	a.reconcile(ctx)

	// What keeps tasks alive outlives ctx by the drain.
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	defer a.leave(alive)
	defer loops.Wait()
	defer stop()
	canceled := a.hub.Watch("image.canceled")
	defer canceled.Close()
	loops.Go(func() { w.Run(alive, canceled.C()) })
	stopping := a.hub.Watch("image.canceled")
	defer stopping.Close()
	loops.Go(func() { w.RunStops(alive, stopping.C()) })
	loops.Go(func() { every(alive, beat, func() { a.tryAnnounce(alive) }) })
	loops.Go(func() { every(alive, a.pace.reconcile, func() { a.reconcile(alive) }) })
	loops.Go(func() { every(alive, sweepEvery, func() { a.sweep(alive) }) })
	working, ctx := errgroup.WithContext(ctx)
	if a.part == Worker { // an embedded API watches by itself
		working.Go(func() error { return a.serveWatchers(ctx) })
	}
	working.Go(func() error { return a.runServers(ctx, w) })
	return working.Wait()
}

// leave says that this worker ended as it should. One that cannot is shown as
// silent for a day.
func (a *App) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inspectTimeout)
	defer cancel()
	if err := a.store.RemoveWorker(ctx, a.id); err != nil {
		a.log.WarnContext(ctx, "this worker could not be signed off", "error", err)
	}
}

func (a *App) newWorker() *worker.Worker {
	return worker.New(worker.Config{
		GenerateRows: a.dispatch, UploadRows: a.dispatch, Outcomes: a.dispatch, Claims: a.dispatch, Looks: a.dispatch, Stops: a.dispatch,
		Chain: a.chain, Spool: a.spool, SpoolID: a.spool.ID(), Bucket: a.bucket, Delivery: a.cdn,
		Progress: a.progress, Purse: a.dispatch, Log: a.log,
		Lease: a.pace.lease, GenerateTimeout: a.cfg.GenerateTimeout, GenerateAttempts: a.cfg.GenerateAttempts, TurnWait: config.TurnWait,
		UploadTimeout: a.cfg.UploadTimeout, UploadFor: a.cfg.UploadFor, MaxWait: a.pace.maxWait,
		Renditions: a.cfg.Renditions, Decoders: decoders(), NoUploads: !a.cfg.WorksOn(config.QueueUpload), Metrics: a.metrics,
	})
}

// announce says that this worker's spool and queues are there.
func (a *App) announce(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	used, _ := a.spool.Usage()
	err = a.dispatch.BeatSpool(ctx, store.Spool{ID: a.spool.ID(), Host: host, Bytes: used, Quota: a.spool.Quota()})
	if err != nil {
		return fmt.Errorf("announce the spool: %w", err)
	}
	return a.store.BeatWorker(ctx, a.condition(host))
}

// condition is how this worker stands: what it has paused by itself, and why.
func (a *App) condition(host string) store.Worker {
	w := store.Worker{ID: a.id, Host: host, Version: Version(), SpoolID: a.spool.ID()}
	if why := a.paused.Load(); why != nil {
		w.GeneratingPaused = *why
	}
	if free, err := a.spool.DiskFree(); err == nil {
		w.DiskFree = free
	}
	if working := a.working.Load(); working != nil {
		if why := working.UploadsPaused(); why != nil {
			w.UploadsPaused = why.Provider + " " + why.Code + ": " + why.Message
		}
	}
	return w
}

func (a *App) tryAnnounce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	if err := a.announce(ctx); err != nil {
		a.log.WarnContext(ctx, "the spool could not be announced", "error", err)
	}
	a.announceQueues(ctx)
}

// announceQueues has the dashboard show our queues, also before their first task
// and after a flush.
func (a *App) announceQueues(ctx context.Context) {
	err := a.queue.Announce(ctx, tasks.QueueGenerate, tasks.QueueBackfill, tasks.QueueNotify, tasks.UploadQueue(a.spool.ID()))
	if err != nil {
		a.log.WarnContext(ctx, "the queues could not be announced", "error", err)
	}
}

func (a *App) reconcile(ctx context.Context) {
	ctx, cancel := context.WithTimeout(a.tracing.In(ctx), time.Minute)
	defer cancel()
	r, err := a.dispatch.Reconcile(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "reconciling did not finish; it runs again", "error", err)
	}
	if r.Rung+r.Settled+r.Published+r.Replaced+r.Overdue > 0 {
		a.log.InfoContext(ctx, "reconciled", "rung", r.Rung, "settled", r.Settled, "published", r.Published,
			"replaced", r.Replaced, "overdue", r.Overdue)
	}
}

// keepFailed is how long the bytes of a failed upload wait for an operator.
const keepFailed = 30 * 24 * time.Hour

// sweep removes what no row needs any more from the spool.
func (a *App) sweep(ctx context.Context) {
	swept, err := a.spool.Sweep(time.Now().Add(-sweepEvery), func(imageID, _ string) bool {
		img, err := a.store.Image(ctx, imageID)
		if err != nil {
			return true // unknown, or the database is away: keep
		}
		return !img.State.IsFinal() || img.FinalizedAt.After(time.Now().Add(-keepFailed)) && img.State == "failed"
	})
	if err != nil {
		a.log.WarnContext(ctx, "the spool could not be swept", "error", err)
	}
	if swept.Files > 0 {
		a.log.InfoContext(ctx, "swept the spool", "files", swept.Files, "bytes", swept.Bytes)
	}
	if _, err := a.store.ForgetSessions(ctx, sessionTerms()); err != nil {
		a.log.WarnContext(ctx, "old sessions could not be forgotten", "error", err)
	}
	if _, err := a.store.ForgetKeys(ctx); err != nil {
		a.log.WarnContext(ctx, "old idempotency keys could not be forgotten", "error", err)
	}
	if _, err := a.store.ForgetDeliveries(ctx, keepDeliveries); err != nil {
		a.log.WarnContext(ctx, "old deliveries could not be forgotten", "error", err)
	}
}

// every calls fn after each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fn()
		}
	}
}
