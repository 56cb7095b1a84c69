package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

// runServers runs one server a class of work, so that neither a slow GPU nor a
// hung bucket takes the other's slots, until ctx ends; then it drains them.
func (a *App) runServers(ctx context.Context, w *worker.Worker) error {
	servers, ctx := errgroup.WithContext(ctx)
	for class, run := range map[string]func() error{
		config.QueueGenerate: func() error { return a.runGenerating(ctx, w) },
		config.QueueUpload:   func() error { return a.runUploading(ctx, w) },
		config.QueueNotify:   func() error { return a.runNotifying(ctx) },
	} {
		if a.cfg.WorksOn(class) {
			servers.Go(run)
		}
	}
	return servers.Wait()
}

func (a *App) runUploading(ctx context.Context, w *worker.Worker) error {
	return a.serve(ctx, queue.ServerConfig{
		Queues:      map[string]int{tasks.UploadQueue(a.spool.ID()): 1},
		Concurrency: a.cfg.UploadConcurrency, CheckInterval: a.pace.upload,
		Handlers: map[string]queue.HandlerFunc{tasks.TypeUpload: w.Upload},
		Grace:    a.cfg.ShutdownGrace, Log: a.log, Tracing: a.tracing,
	})
}

// serve runs a server until ctx ends, and drains it.
func (a *App) serve(ctx context.Context, c queue.ServerConfig) error {
	server, err := a.queue.Start(c)
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

// lookForRoom is how often a full spool is looked at again.
const lookForRoom = 2 * time.Second

// runGenerating stops its server while a picture would have nowhere to go and
// builds another when that is over: tasks stay in the queue, for workers with a
// disk of their own, and a bucket that is away fills no disk. Pausing the queue
// instead would halt every worker, and a flush would forget it.
func (a *App) runGenerating(ctx context.Context, w *worker.Worker) error {
	ticker := time.NewTicker(lookForRoom)
	defer ticker.Stop()
	var server *queue.Server
	said := ""
	for {
		why := a.nowhereToGo(ctx)
		if why != "" && why != said {
			a.log.WarnContext(ctx, "generating is paused: "+why)
		}
		said = why
		a.paused.Store(&why)
		switch {
		case why != "" && server != nil:
			server.Shutdown()
			server = nil
		case why == "" && server == nil:
			var err error
			if server, err = a.startGenerating(w); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			if server != nil {
				server.Shutdown()
			}
			return nil
		case <-ticker.C:
		}
	}
}

// nowhereToGo says why nothing should be generated now, "" when it may be.
func (a *App) nowhereToGo(ctx context.Context) string {
	if why := a.spool.NoRoom(); why != "" {
		return why
	}
	if a.cfg.WorksOn(config.QueueUpload) {
		return ""
	}
	// Paid for and never seen: pictures on a disk that no uploading worker has.
	served, err := a.queue.Served(ctx, tasks.UploadQueue(a.spool.ID()))
	if err == nil && !served {
		return "no worker takes the uploads of SPOOL_DIR " + a.cfg.SpoolDir + "; start one that has upload in WORKER_QUEUES and mounts it"
	}
	return "" // an unknown answer is no reason to stop: without Redis nothing comes in
}

func (a *App) startGenerating(w *worker.Worker) (*queue.Server, error) {
	return a.queue.Start(queue.ServerConfig{
		Queues: map[string]int{tasks.QueueGenerate: 2, tasks.QueueBackfill: 1}, Strict: true,
		Concurrency: a.cfg.GenerateConcurrency,
		Handlers:    map[string]queue.HandlerFunc{tasks.TypeGenerate: a.whileRoom(w.Generate)},
		Grace:       a.cfg.ShutdownGrace, Log: a.log, Tracing: a.tracing,
	})
}

// whileRoom is for the moments before a full spool is noticed: what is
// generated without a place to put it is paid for twice.
func (a *App) whileRoom(next queue.HandlerFunc) queue.HandlerFunc {
	return func(ctx context.Context, p tasks.Payload) error {
		if why := a.spool.NoRoom(); why != "" {
			return &queue.RetryAfter{Delay: lookForRoom, Reason: why}
		}
		return next(ctx, p)
	}
}
