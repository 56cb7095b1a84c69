package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/doctor"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/migrations"
	"github.com/glad-labs/frontispiece/tasks"
)

// Operator is what the operators' command may do to the rows. It runs no server
// and holds no lock, so it works beside a running API, an embedded one too. It
// is for one goroutine.
type Operator struct {
	*dispatch.Dispatch
	bell *bell
	app  *App
}

// OpenOperator opens the database, which must be there and migrated, and the
// queue where it is not inside the API's process.
func OpenOperator(ctx context.Context, cfg config.Config, log *slog.Logger) (o *Operator, err error) {
	a := &App{cfg: cfg, log: log, pace: productionPace}
	if cfg.Embedded() {
		a.pace = embeddedPace
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	rows, err := OpenRows(ctx, cfg, false)
	if err != nil {
		return nil, err
	}
	a.store = rows.Store
	a.onClose(rows.Close)
	if err := rows.ready(ctx); err != nil {
		return nil, fmt.Errorf("DATABASE_URL %s: %w", cfg.DatabaseURL, err)
	}
	o = &Operator{bell: &bell{}, app: a}
	var notifier dispatch.Notifier = o.bell
	if !cfg.Embedded() {
		if err := a.openQueue(ctx, API); err != nil {
			return nil, err
		}
		o.bell.queue, notifier = a.queue, a.hub
	}
	for _, open := range []func(context.Context, Part) error{a.openStorageThere, a.openGenerators} {
		if err := open(ctx, API); err != nil {
			return nil, err
		}
	}
	o.Dispatch = dispatch.New(dispatch.Config{
		Store: a.store, Ringer: o.bell, Notifier: notifier, Capabilities: a.chain, Links: a.cdn, Log: log,
		Lease: a.pace.lease, SpoolLostAfter: cfg.SpoolLostAfter, Spending: a.spending(), Targets: a.targets(),
	})
	return o, nil
}

// Close closes what was opened.
func (o *Operator) Close() error { return o.app.Close() }

// Unrung is how many tasks the queue has not taken from this process; the
// running programs ring them, at the latest after the returned while.
func (o *Operator) Unrung() (tasks int, within time.Duration) {
	return o.bell.missed, o.app.pace.reconcile + dispatch.Quiet
}

// bell rings until the queue fails once: the rows are committed, and to wait
// for a queue that is away at every row would take minutes.
type bell struct {
	queue  dispatch.Ringer // nil: inside another process
	missed int
}

// Ring implements [dispatch.Ringer]. A ring that did not work is counted and is
// no error: a line a row would drown the one that matters.
func (b *bell) Ring(ctx context.Context, bells ...dispatch.Bell) error {
	if b.queue == nil || b.missed > 0 || b.queue.Ring(ctx, bells...) != nil {
		b.missed += len(bells)
	}
	return nil
}

// States implements [dispatch.Ringer]. Tasks in another process' queue are left
// to it.
func (b *bell) States(ctx context.Context, bells []dispatch.Bell) ([]dispatch.TaskState, error) {
	if b.queue != nil {
		return b.queue.States(ctx, bells)
	}
	states := make([]dispatch.TaskState, len(bells))
	for i := range states {
		states[i] = dispatch.TaskWaiting
	}
	return states, nil
}

// Notify implements [dispatch.Notifier] where nobody can be told: who waits in
// the API's process looks at the row every few seconds anyway.
func (b *bell) Notify(context.Context, ...dispatch.Note) {}

// openStorageThere is openStorage without making the local directory.
func (a *App) openStorageThere(ctx context.Context, part Part) (err error) {
	if _, missing := os.Stat(a.cfg.ImageDir()); a.cfg.UsesS3() || missing == nil {
		return a.openStorage(ctx, part)
	}
	a.cdn, err = cdn.New(cdn.Config{PublicBaseURL: a.cfg.PublicBaseURL.Reveal(), Local: http.NotFoundHandler()})
	return err
}

// Rows is the database, as the operators' command and the doctor look at it:
// whatever state it is in.
type Rows struct {
	*store.Store
	cfg config.Config
}

// OpenRows connects and changes nothing. A SQLite file that is missing is made
// only when asked for, and is [doctor.ErrNotYet] otherwise.
func OpenRows(ctx context.Context, cfg config.Config, create bool) (*Rows, error) {
	wrap := func(err error) error { return fmt.Errorf("DATABASE_URL %s: %w", cfg.DatabaseURL, err) }
	if path, lite := cfg.SQLite(); lite && !create {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, wrap(fmt.Errorf("the database is %w; or type: frontispiece migrate", doctor.ErrNotYet))
		}
	}
	s, err := store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{MaxConns: 4})
	if err != nil {
		return nil, wrap(err)
	}
	return &Rows{s, cfg}, nil
}

// ready refuses a database that the programs would have to migrate first.
func (r *Rows) ready(ctx context.Context) error {
	if err := r.CheckSchema(ctx); err != nil {
		if errors.Is(err, store.ErrSchemaBehind) {
			return fmt.Errorf("%w; type: frontispiece migrate", err)
		}
		return err
	}
	return r.Detect(ctx)
}

// Server is what the database calls itself, with its version.
func (r *Rows) Server(ctx context.Context) (string, error) {
	name, query := "SQLite ", `SELECT sqlite_version()`
	if r.Dialect() == "postgres" {
		name, query = "PostgreSQL ", `SHOW server_version`
	}
	var version string
	err := r.DB().GetContext(ctx, &version, query)
	return name + version, err
}

// TryWrite changes no row, which takes the same rights and the same locks as
// changing one.
func (r *Rows) TryWrite(ctx context.Context) error {
	_, err := r.DB().ExecContext(ctx, `UPDATE image_jobs SET updated_at = updated_at WHERE 1 = 0`)
	return err
}

// migrationsTable is store's, and the sign that a database was ever migrated by
// us. goose makes it when asked for the version, which looking must not do.
const migrationsTable = "frontispiece_migrations"

// CheckSchema is [store.Store.CheckSchema] without making a table.
func (r *Rows) CheckSchema(ctx context.Context) error {
	known, err := r.has(ctx, migrationsTable)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("%w (it has none of our tables)", store.ErrSchemaBehind)
	}
	return r.Store.CheckSchema(ctx)
}

// Steps lists every migration and whether it was taken. It changes nothing.
func (r *Rows) Steps(ctx context.Context) ([]store.Migration, error) {
	known, err := r.has(ctx, migrationsTable)
	if err != nil {
		return nil, err
	}
	if known {
		return r.Store.Migrations(ctx)
	}
	return Steps(r.cfg)
}

// Steps lists what would be done to a database that has never been migrated.
func Steps(cfg config.Config) ([]store.Migration, error) {
	files, folder := migrations.Postgres(), "postgres"
	if _, lite := cfg.SQLite(); lite {
		files, folder = migrations.SQLite(), "sqlite"
	}
	entries, err := files.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	steps := make([]store.Migration, len(entries))
	for i, e := range entries {
		steps[i].Name = e.Name()
		if _, err := fmt.Sscanf(e.Name(), "%d_", &steps[i].Version); err != nil {
			return nil, fmt.Errorf("read migrations: %s has no number: %w", e.Name(), err)
		}
	}
	return steps, nil
}

// siteTables are the site's own, which migrations make only where they are
// missing and change in nothing.
var siteTables = []string{"content_tasks", "posts", "authors", "categories", "tags", "post_tags"}

// SiteTables says which of the site's tables are there.
func (r *Rows) SiteTables(ctx context.Context) (there, missing []string, err error) {
	for _, table := range siteTables {
		has, err := r.has(ctx, table)
		switch {
		case err != nil:
			return nil, nil, err
		case has:
			there = append(there, table)
		default:
			missing = append(missing, table)
		}
	}
	return there, missing, nil
}

func (r *Rows) has(ctx context.Context, table string) (bool, error) {
	query := `SELECT COUNT(*) FROM sqlite_master WHERE name = ?`
	if r.Dialect() == "postgres" {
		query = `SELECT COUNT(to_regclass($1))` // in the search path, where our statements look
	}
	var n int
	if err := r.DB().GetContext(ctx, &n, query, table); err != nil {
		return false, fmt.Errorf("look for table %s: %w", table, err)
	}
	return n > 0, nil
}

// Migrate takes every step that is due. An embedded API that is running has the
// folder locked and is not migrated under its feet.
func (r *Rows) Migrate(ctx context.Context) ([]store.Migration, error) {
	if err := r.CheckSchema(ctx); !errors.Is(err, store.ErrSchemaBehind) {
		return nil, err // of the same age, or ahead
	}
	if r.cfg.Embedded() {
		if err := os.MkdirAll(r.cfg.DataDir, 0o700); err != nil {
			return nil, fmt.Errorf("DATA_DIR cannot be made: %w", err)
		}
		unlock, err := lockFolder(filepath.Join(r.cfg.DataDir, "lock"))
		if err != nil {
			return nil, fmt.Errorf("DATA_DIR %s: the API is running here; stop it, and it migrates by itself when it starts again", r.cfg.DataDir)
		}
		defer func() { _ = unlock() }() // held or not, it ends with the process
	}
	return r.Store.Migrate(ctx)
}

// Examination is everything that the doctor can try with a configuration. Call
// done after it.
func Examination(ctx context.Context, cfg config.Config) (sections []doctor.Section, done func() error) {
	a := &App{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	return []doctor.Section{
		doctor.Program(Version(), hasWebP()), doctor.Configuration(cfg), a.examinePictures(ctx), a.examineDatabase(), a.examineQueue(), a.examineSpool(),
		a.examineGenerators(ctx),
	}, a.Close
}

func (a *App) examineDatabase() doctor.Section {
	access := doctor.Access{
		Listens: a.cfg.ListenAddr, Loopback: a.cfg.Loopback(), PortAlone: a.cfg.PortAlone(), Tokens: a.cfg.AuthConfigured(), Operators: len(a.cfg.Operators) > 0,
	}
	return doctor.Databases(a.cfg.DatabaseURL.String(), access, func(ctx context.Context) (doctor.Database, error) {
		rows, err := OpenRows(ctx, a.cfg, false)
		if err != nil {
			return nil, errors.Unwrap(err) // the line names the variable already
		}
		return rows, nil
	})
}

func (a *App) examinePictures(ctx context.Context) doctor.Section {
	if err := a.openStorageThere(ctx, API); err != nil {
		return doctor.Unopened("Pictures", "client", "set up the storage", err)
	}
	s := doctor.Storage{Bucket: a.bucket, Delivery: a.cdn, Name: a.cfg.ImageDir()}
	if a.cfg.UsesS3() {
		s.S3, s.Name, s.Region, s.Endpoint = true, "s3://"+a.cfg.S3Bucket, a.cfg.S3Region, a.cfg.S3Endpoint.String()
	}
	return doctor.Pictures(s)
}

func (a *App) examineQueue() doctor.Section {
	q, err := queue.Open(a.cfg.RedisURL.Reveal(), nil)
	if err != nil {
		return doctor.Unopened("Queue", "redis", "read REDIS_URL", fmt.Errorf("REDIS_URL %s: %w", a.cfg.RedisURL, err))
	}
	a.onClose(q.Close)
	if a.cfg.Embedded() {
		return doctor.EmbeddedQueue(roundTrip(q))
	}
	return doctor.Queue(a.cfg.RedisURL.String(), redisServer{q}, roundTrip(q))
}

func (a *App) examineSpool() doctor.Section {
	return doctor.Spools(a.cfg.SpoolDir, func() (doctor.Spool, error) {
		if _, err := os.Stat(a.cfg.SpoolDir); errors.Is(err, fs.ErrNotExist) {
			return nil, doctor.ErrNotYet
		}
		return spool.Open(a.cfg.SpoolDir, int64(a.cfg.SpoolQuota))
	}, doctor.DiskFree)
}

func (a *App) examineGenerators(ctx context.Context) doctor.Section {
	if err := a.openGenerators(ctx, API); err != nil {
		return doctor.Unopened("Generators", "generators", "set up the chain", err)
	}
	return doctor.Generators(a.chain.Generators()...)
}

// redisServer is a queue's Redis as the doctor asks it.
type redisServer struct{ *queue.Queue }

// Info implements [doctor.Redis].
func (r redisServer) Info(ctx context.Context) (string, error) { return r.Redis().Info(ctx).Result() }

const typePing = "doctor:ping"

// roundTrip sends a task through a queue of its own and serves it. The queue's
// name is new each time, so that two doctors do not answer for each other, and
// nothing of it stays behind.
func roundTrip(q *queue.Queue) doctor.RoundTrip {
	return func(ctx context.Context) (time.Duration, error) {
		ping := dispatch.Bell{
			Type: typePing, Queue: "doctor-" + strings.ToLower(rand.Text()[:8]), Payload: tasks.NewPayload(uuid.NewString(), 0),
		}
		came := make(chan struct{}, 1)
		server, err := q.Start(queue.ServerConfig{
			Queues: map[string]int{ping.Queue: 1}, Concurrency: 1, CheckInterval: 20 * time.Millisecond,
			Grace: time.Second, Log: slog.New(slog.DiscardHandler),
			Handlers: map[string]queue.HandlerFunc{typePing: func(context.Context, tasks.Payload) error {
				came <- struct{}{}
				return nil
			}},
		})
		if err != nil {
			return 0, err
		}
		defer forget(ctx, q, ping)
		defer server.Shutdown()
		start := time.Now()
		if err := q.Ring(ctx, ping); err != nil {
			return 0, err
		}
		select {
		case <-came:
			return time.Since(start), nil
		case <-ctx.Done():
			return 0, errors.New("the queue took the task, and it never came back to a server")
		}
	}
}

// forget removes a queue that had one task, its counters included, which asynq
// would keep for 90 days.
func forget(ctx context.Context, q *queue.Queue, b dispatch.Bell) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inspectTimeout)
	defer cancel()
	prefix := "asynq:{" + b.Queue + "}:"
	day := time.Now().UTC().Format(time.DateOnly)
	var keys []string
	for _, name := range []string{
		"t:" + b.Payload.TaskID(), "pending", "active", "lease", "scheduled", "retry", "archived", "completed",
		"processed", "processed:" + day, "failed", "failed:" + day,
	} {
		keys = append(keys, prefix+name)
	}
	_ = q.Redis().Del(ctx, keys...).Err() // what stays expires
	_ = q.Redis().SRem(ctx, "asynq:queues", b.Queue).Err()
}
