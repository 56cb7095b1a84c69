// Package app is the only package that knows every implementation: it opens
// them in the order of need, gives each what it asked for, and closes them in
// reverse.
//
// It decides nothing but which implementation the configuration means. Its one
// trap is the order of shutting down: tasks under way need their claims kept,
// so the heartbeat outlives the servers.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/pexels"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/ratelimit"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/internal/webhook"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

// The pace of a process. Embedded, everything is at hand and whoever watches is
// a person at a terminal, so recovery is quick; in production a claim outlasts
// a database's restart.
type pace struct {
	lease     time.Duration // of a claim without a heartbeat
	reconcile time.Duration // between two looks at what is due
	maxWait   time.Duration // longest back-off
	// upload is how often an idle worker looks for uploads; 0: as often as for
	// anything else. Each look at a real Redis costs CPU on both sides, and what
	// comes after seconds of generating can wait a moment.
	upload time.Duration
}

var (
	embeddedPace   = pace{lease: 20 * time.Second, reconcile: 5 * time.Second, maxWait: 30 * time.Second}
	productionPace = pace{lease: time.Minute, reconcile: 15 * time.Second, maxWait: 4 * time.Minute, upload: 200 * time.Millisecond}
)

// App is a program that is open and not yet running.
type App struct {
	cfg  config.Config
	log  *slog.Logger
	pace pace

	part      Part
	id        string             // of this process, as a worker
	metrics   *telemetry.Metrics // nil: nobody can ask
	tracing   *telemetry.Tracing // nil: nobody traces
	inspector *inspector
	working   atomic.Pointer[worker.Worker] // nil: not yet, or never
	paused    atomic.Pointer[string]        // why this process generates nothing; nil or empty when it does

	store    *store.Store
	queue    *queue.Queue
	hub      *events.Hub
	progress *events.Board
	journal  *events.Journal
	dispatch *dispatch.Dispatch
	chain    *imagegen.Chain
	stock    *pexels.RedisBudget // nil: no stock photos
	bucket   blob.Bucket
	images   http.Handler // /images/<key>
	cdn      *cdn.Distribution
	spool    *spool.Spool // nil in a process that only answers requests
	keys     *auth.Keys   // nil, as sessions, in a process that answers none
	sessions *auth.Sessions
	paces    *ratelimit.Pace
	// knowsCallers is false when everybody on this machine is an operator.
	knowsCallers bool

	closers []func() error
}

// Part says what a process is for.
type Part int

// The parts.
const (
	API    Part = iota // answers requests; with no REDIS_URL also works
	Worker             // works
)

// Open opens everything that a process of a part needs. What it opened before
// an error is closed again.
func Open(ctx context.Context, part Part, cfg config.Config, log *slog.Logger) (a *App, err error) {
	a = &App{cfg: cfg, log: log, pace: productionPace, part: part, id: uuid.NewString(), metrics: telemetry.NewMetrics(Version())}
	if cfg.Embedded() {
		a.pace = embeddedPace
	}
	a.inspector = &inspector{app: a}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	for _, open := range []func(context.Context, Part) error{
		a.openTracing, a.openData, a.openStore, a.openAccess, a.openQueue, a.openPace, a.openStorage, a.openSpool, a.openGenerators,
	} {
		if err := open(ctx, part); err != nil {
			return a, err
		}
	}
	a.openDispatch()
	return a, nil
}

// Close closes what was opened, in reverse.
func (a *App) Close() error {
	var errs []error
	for _, closeOne := range slices.Backward(a.closers) {
		errs = append(errs, closeOne())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *App) onClose(fn func() error) { a.closers = append(a.closers, fn) }

// works reports whether this process handles tasks.
func (a *App) works(part Part) bool { return part == Worker || a.cfg.Embedded() }

// openData makes the data folder and, where the queue is inside the process,
// holds it alone: two such processes would each ring their own bell.
func (a *App) openData(context.Context, Part) error {
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("DATA_DIR cannot be made: %w", err)
	}
	if !a.cfg.Embedded() {
		return nil
	}
	unlock, err := lockFolder(filepath.Join(a.cfg.DataDir, "lock"))
	if err != nil {
		return fmt.Errorf("DATA_DIR %s: %w", a.cfg.DataDir, err)
	}
	a.onClose(unlock)
	return nil
}

func (a *App) openStore(ctx context.Context, _ Part) error {
	s, err := store.Open(ctx, a.cfg.DatabaseURL.Reveal(), store.Options{})
	if err != nil {
		return fmt.Errorf("DATABASE_URL %s: %w", a.cfg.DatabaseURL, err)
	}
	a.store = s
	a.onClose(s.Close)
	taken, err := s.Migrate(ctx)
	if errors.Is(err, store.ErrSchemaAhead) {
		return fmt.Errorf("DATABASE_URL %s: %w; start a newer version", a.cfg.DatabaseURL, err)
	}
	if err != nil {
		return fmt.Errorf("DATABASE_URL %s: %w", a.cfg.DatabaseURL, err)
	}
	if len(taken) > 0 {
		a.log.InfoContext(ctx, "migrated the database", "steps", len(taken), "to", taken[len(taken)-1].Version)
	}
	if err := s.Detect(ctx); err != nil {
		return fmt.Errorf("DATABASE_URL %s: %w", a.cfg.DatabaseURL, err)
	}
	if a.cfg.Embedded() {
		// The folder is ours alone, so whoever held a claim is dead.
		if _, err := s.DropClaims(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) openQueue(ctx context.Context, _ Part) error {
	q, err := queue.Open(a.cfg.RedisURL.Reveal(), map[string]time.Duration{
		tasks.TypeGenerate: a.cfg.GenerateTaskTimeout(),
		tasks.TypeUpload:   a.cfg.UploadTaskTimeout(),
	})
	if err != nil {
		return fmt.Errorf("REDIS_URL %s: %w", a.cfg.RedisURL, err)
	}
	a.queue = q
	a.onClose(q.Close)
	if err := a.checkQueue(ctx); err != nil {
		return fmt.Errorf("REDIS_URL %s: %w", a.cfg.RedisURL, err)
	}
	a.hub = events.NewHub(q.Redis(), a.log)
	a.progress = events.NewBoard(q.Redis(), a.hub)
	a.journal = events.NewJournal(a.hub, a.store, a.log)
	// Heard until the very end: requests that drain still wait for pictures.
	hearing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var hub sync.WaitGroup
	hub.Go(func() { a.hub.Run(hearing) })
	hub.Go(func() { a.journal.Run(hearing) })
	a.onClose(func() error { stop(); hub.Wait(); return nil })
	return nil
}

// checkQueue refuses a Redis that refuses us, and only warns of one that is
// away: the rows are in another place, and the queue may come later.
func (a *App) checkQueue(ctx context.Context) error {
	if a.cfg.Embedded() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	err := a.queue.Check(ctx)
	switch {
	case errors.Is(err, queue.ErrRefused):
		return err
	case err != nil:
		a.log.WarnContext(ctx, "REDIS_URL: "+err.Error()+"; jobs are accepted and wait until it does", "url", a.cfg.RedisURL.String())
		return nil
	}
	if policy := a.queue.EvictionPolicy(ctx); policy != "" && policy != queue.NoEviction {
		a.log.WarnContext(ctx, "Redis may throw tasks away when its memory is full; set maxmemory-policy noeviction", "policy", policy)
	}
	return nil
}

func (a *App) openSpool(_ context.Context, part Part) error {
	if !a.works(part) {
		return nil
	}
	s, err := spool.Open(a.cfg.SpoolDir, int64(a.cfg.SpoolQuota))
	if err != nil {
		return fmt.Errorf("SPOOL_DIR: %w", err)
	}
	a.spool = s
	a.onClose(s.Close)
	return nil
}

func (a *App) openDispatch() {
	a.dispatch = dispatch.New(dispatch.Config{
		Store: a.store, Ringer: a.queue, Notifier: a.hub, Capabilities: a.chain, Links: a.cdn, Log: a.log,
		Lease: a.pace.lease, SpoolLostAfter: a.cfg.SpoolLostAfter, Targets: a.targets(), Spending: a.spending(),
		MaxJobs: a.cfg.MaxJobs, MaxJobsPerCaller: a.cfg.MaxJobsPerCaller,
		PlainWebhooks: len(a.cfg.WebhookNetworks) > 0,
	})
}

// targets lists who is told of published posts.
func (a *App) targets() []string {
	if a.cfg.RevalidateURL.IsZero() {
		return nil
	}
	return []string{dispatch.TargetRevalidate}
}

// revalidator is nil when the site is not to be told.
func (a *App) revalidator() *webhook.Revalidator {
	if a.cfg.RevalidateURL.IsZero() {
		return nil
	}
	return webhook.NewRevalidator(a.cfg.RevalidateURL.Reveal(), a.cfg.RevalidateSecret.Reveal())
}

// decoders is how many pictures are decoded at once: the cores, and no more
// than memory likes.
func decoders() int { return min(4, runtime.GOMAXPROCS(0)) }
