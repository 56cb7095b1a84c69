package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/queue"
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
	// What keeps tasks alive outlives ctx by the drain.
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	loops, alive := errgroup.WithContext(alive)

	if err := a.announce(ctx); err != nil {
		return err
	}
	// Before the first task: what a dead process left is due now, not at the
	// first tick.
	a.reconcile(ctx)

	w := a.newWorker()
	watcher := a.hub.Watch("image.canceled")
	defer watcher.Close()
	loops.Go(func() error { return w.Run(alive, watcher.C()) })
	loops.Go(func() error { return every(alive, beat, func() { a.tryAnnounce(alive) }) })
	loops.Go(func() error { return every(alive, a.pace.reconcile, func() { a.reconcile(alive) }) })
	loops.Go(func() error { return every(alive, sweepEvery, func() { a.sweep(alive) }) })

	servers, err := a.startServers(w)
	if err != nil {
		stop()
		return err
	}
	select {
	case <-ctx.Done():
	case <-alive.Done():
	}
	drain := new(errgroup.Group)
	for _, s := range servers {
		drain.Go(func() error { s.Shutdown(); return nil })
	}
	_ = drain.Wait() // none of them returns an error
	stop()
	return loops.Wait()
}

func (a *App) newWorker() *worker.Worker {
	return worker.New(worker.Config{
		GenerateRows: a.dispatch, UploadRows: a.dispatch, Outcomes: a.dispatch, Claims: a.dispatch,
		Chain: a.chain, Spool: a.spool, SpoolID: a.spool.ID(), Bucket: a.bucket, Delivery: a.cdn, Log: a.log,
		Lease: a.pace.lease, GenerateTimeout: a.cfg.GenerateTimeout, GenerateAttempts: a.cfg.GenerateAttempts,
		UploadTimeout: a.cfg.UploadTimeout, UploadFor: a.cfg.UploadFor, MaxWait: a.pace.maxWait,
		Renditions: a.cfg.Renditions, Decoders: decoders(),
	})
}

// startServers starts one server a class of work, so that neither a slow GPU
// nor a hung bucket takes the other's slots.
func (a *App) startServers(w *worker.Worker) ([]*queue.Server, error) {
	configs := []queue.ServerConfig{
		{
			Queues: map[string]int{tasks.QueueGenerate: 2, tasks.QueueBackfill: 1}, Strict: true,
			Concurrency: a.cfg.GenerateConcurrency,
			Handlers:    map[string]queue.HandlerFunc{tasks.TypeGenerate: a.whileRoom(w.Generate)},
		},
		{
			Queues:      map[string]int{tasks.UploadQueue(a.spool.ID()): 1},
			Concurrency: a.cfg.UploadConcurrency,
			Handlers:    map[string]queue.HandlerFunc{tasks.TypeUpload: w.Upload},
		},
	}
	var servers []*queue.Server
	for _, c := range configs {
		c.Grace, c.Log = a.cfg.ShutdownGrace, a.log
		s, err := a.queue.Start(c)
		if err != nil {
			for _, s := range servers {
				s.Shutdown()
			}
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// waitForRoom is how long a task waits when the spool is at its quota.
const waitForRoom = 10 * time.Second

// whileRoom lets a task generate only while the spool has room: what is
// generated without a place to put it is paid for twice.
func (a *App) whileRoom(next queue.HandlerFunc) queue.HandlerFunc {
	return func(ctx context.Context, p tasks.Payload) error {
		if a.spool.Full() {
			a.log.WarnContext(ctx, "the spool is at its quota; generating waits for uploads to make room (SPOOL_QUOTA)", "image", p.ID)
			return &queue.RetryAfter{Delay: waitForRoom, Reason: "the spool is at its quota (SPOOL_QUOTA)"}
		}
		return next(ctx, p)
	}
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
	return nil
}

func (a *App) tryAnnounce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	if err := a.announce(ctx); err != nil {
		a.log.WarnContext(ctx, "the spool could not be announced", "error", err)
	}
	err := a.queue.Announce(ctx, tasks.QueueGenerate, tasks.QueueBackfill, tasks.UploadQueue(a.spool.ID()))
	if err != nil {
		a.log.WarnContext(ctx, "the queues could not be announced", "error", err)
	}
}

func (a *App) reconcile(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := a.dispatch.Reconcile(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "reconciling did not finish; it runs again", "error", err)
	}
	if r.Rung+r.Settled+r.Published+r.Replaced > 0 {
		a.log.InfoContext(ctx, "reconciled", "rung", r.Rung, "settled", r.Settled, "published", r.Published, "replaced", r.Replaced)
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
	if _, err := a.store.ForgetKeys(ctx); err != nil {
		a.log.WarnContext(ctx, "old idempotency keys could not be forgotten", "error", err)
	}
}

// every calls fn after each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func()) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			fn()
		}
	}
}
