package queue_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/internal/testenv/service"
	"github.com/glad-labs/frontispiece/tasks"
)

const spoolID = "spool1"

// site is a program in small over a queue that may fail over: jobs are accepted
// by one process, made and uploaded by another, and looked after.
type site struct {
	*dispatch.Dispatch
	t    *testing.T
	api  *queue.Queue // of the process that accepts
	work *queue.Queue // of the process that works
	rows *store.Store
}

type silent struct{}

func (silent) Notify(context.Context, ...dispatch.Note) {}
func (silent) CanAnswer(editorial.Request) bool         { return true }
func (silent) KeyOf(string) (string, bool)              { return "", false }

func newSite(t *testing.T, url string) *site {
	t.Helper()
	rows, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "site.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rows.Close() }) // the test has said what it had to
	_, err = rows.Migrate(t.Context())
	if err := errors.Join(err, rows.Detect(t.Context())); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, rows: rows, api: openQueue(t, url), work: openQueue(t, url)}
	s.Dispatch = s.process(s.api)
	return s
}

func (s *site) process(q *queue.Queue) *dispatch.Dispatch {
	return dispatch.New(dispatch.Config{
		Store: s.rows, Ringer: q, Notifier: silent{}, Capabilities: silent{}, Links: silent{}, Log: quiet(), Lease: 10 * time.Second,
	})
}

func openQueue(t *testing.T, url string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() }) // its master may be gone
	return q
}

// startWorker handles tasks until the function that it returns is called.
func (s *site) startWorker() (shutdown func()) {
	s.t.Helper()
	d := s.process(s.work)
	handle := func(step func(context.Context, *dispatch.Dispatch, string) error) queue.HandlerFunc {
		return func(ctx context.Context, p tasks.Payload) error {
			err := step(ctx, d, p.ID)
			if errors.Is(err, dispatch.ErrNotDue) || errors.Is(err, dispatch.ErrLostClaim) {
				return nil
			}
			return err
		}
	}
	server, err := s.work.Start(queue.ServerConfig{
		Queues:      map[string]int{tasks.QueueGenerate: 1, tasks.UploadQueue(spoolID): 1},
		Concurrency: 8, Log: quiet(), Grace: 5 * time.Second,
		Handlers: map[string]queue.HandlerFunc{tasks.TypeGenerate: handle(generate), tasks.TypeUpload: handle(upload)},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	shutdown = sync.OnceFunc(server.Shutdown)
	s.t.Cleanup(shutdown)
	return shutdown
}

func generate(ctx context.Context, d *dispatch.Dispatch, id string) error {
	img, _, err := d.ClaimGenerate(ctx, id)
	if err != nil {
		return err
	}
	img.SpoolID, img.RawSHA256, img.Backend = spoolID, strings.Repeat("0", 64), "card"
	img.ContentType, img.Width, img.Height, img.Bytes = "image/png", 1200, 630, 1000
	img.Key = dispatch.NewKey(img, "png")
	return d.Spooled(ctx, img)
}

func upload(ctx context.Context, d *dispatch.Dispatch, id string) error {
	img, _, err := d.ClaimUpload(ctx, id)
	if err != nil {
		return err
	}
	img.SHA256 = strings.Repeat("1", 64)
	if err := d.Finished(ctx, img); err != nil {
		return err
	}
	img.URL, img.Source = "https://cdn.test/"+img.Key, "card-s3"
	return d.Stored(ctx, img)
}

// background runs fn again and again, interval apart, until the test ends or
// the function that it returns is called.
func background(t *testing.T, interval time.Duration, fn func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				fn(ctx)
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// eventually waits until ask returns "", which is what is still missing.
func eventually(t *testing.T, limit time.Duration, ask func() string) {
	t.Helper()
	deadline, tick := time.After(limit), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		missing := ask()
		if missing == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %s: %s", limit, missing)
		}
	}
}

// look does what a worker's loops do: ring what is due, say which queues there
// are. What fails while Redis is away is done the next time.
func (s *site) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, _ = s.Reconcile(ctx)
	_ = s.work.Announce(ctx, tasks.QueueGenerate, tasks.UploadQueue(spoolID))
}

// load submits one job after the other.
type load struct {
	t     *testing.T
	end   func() // of the load; what follows may be read then
	count atomic.Int64

	accepted []string
	slowest  time.Duration
}

// startLoad submits until end is called. A refusal fails the test: the queue is
// none of a Submit's business.
func (s *site) startLoad() *load {
	l := &load{t: s.t}
	l.end = background(s.t, 50*time.Millisecond, func(ctx context.Context) {
		began := time.Now()
		job, _, err := s.Submit(context.WithoutCancel(ctx), dispatch.Submission{
			Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true},
		})
		if err != nil {
			s.t.Errorf("submit: %v", err)
			return
		}
		l.slowest = max(l.slowest, time.Since(began))
		l.accepted = append(l.accepted, job.ID)
		l.count.Add(1)
	})
	return l
}

// await waits for n more jobs.
func (l *load) await(n int64) {
	l.t.Helper()
	want := l.count.Load() + n
	eventually(l.t, time.Minute, func() string {
		if l.count.Load() >= want {
			return ""
		}
		return "no jobs are accepted any more"
	})
}

// tasksLeft are the tasks that Redis has: none, once everything is done.
func (s *site) tasksLeft() []string {
	s.t.Helper()
	var left []string
	for _, q := range []string{tasks.QueueGenerate, tasks.UploadQueue(spoolID)} {
		keys, err := s.api.Redis().Keys(s.t.Context(), "asynq:{"+q+"}:t:*").Result()
		if err != nil {
			s.t.Fatal(err)
		}
		left = append(left, keys...)
	}
	return left
}

// ageLeases makes every lease of a task look as if its worker had died long
// ago: asynq would look at it after a minute.
func (s *site) ageLeases() {
	s.t.Helper()
	for _, q := range []string{tasks.QueueGenerate, tasks.UploadQueue(spoolID)} {
		key := "asynq:{" + q + "}:lease"
		ids, err := s.api.Redis().ZRange(s.t.Context(), key, 0, -1).Result()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, id := range ids {
			if err := s.api.Redis().ZAddXX(s.t.Context(), key, redis.Z{Score: 1, Member: id}).Err(); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func TestAFailoverUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*testing.T, *service.Sentinels){
		"the master is killed": func(_ *testing.T, s *service.Sentinels) { s.Master.Kill() },
		// Connections stay open and nobody answers, also from the sentinel that
		// the clients have been told to ask first.
		"its machine vanishes": func(t *testing.T, s *service.Sentinels) {
			for _, server := range []*service.Server{s.Master, s.Sentinels[0]} {
				t.Cleanup(server.Kill)
				if err := server.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failOver(t, lose)
		})
	}
}

func failOver(t *testing.T, lose func(*testing.T, *service.Sentinels)) {
	sentinels := testenv.StartSentinels(t)
	s := newSite(t, "redis-sentinel://"+sentinels.Sentinels[0].Addr+"?master="+service.MasterName)
	shutdown := s.startWorker()
	background(t, 500*time.Millisecond, s.look)
	load := s.startLoad()

	load.await(20)
	lose(t, sentinels)
	lost := time.Now()
	load.await(5) // with nobody to ring
	// A client that goes on asking the sentinel that hangs would never be back.
	eventually(t, 40*time.Second, func() string {
		if err := s.api.Ping(t.Context()); err != nil {
			return "no new master: " + err.Error()
		}
		return ""
	})
	away := time.Since(lost)
	load.await(20)
	load.end()

	// The promise is one second; the rest is for a busy machine.
	if load.slowest > 2*time.Second {
		t.Errorf("a Submit took %s: it waited for Redis", load.slowest)
	}
	eventually(t, 2*time.Minute, func() string { return s.unfinished(load.accepted) })
	t.Logf("%d jobs, the slowest accepted in %s; Redis away for %s; all stored %s after the fault",
		len(load.accepted), load.slowest, away, time.Since(lost))
	s.assertListed()

	// A task whose end could not be said is run again by asynq, and ends then.
	shutdown()
	t.Logf("%d tasks were done and not said to be", len(s.tasksLeft()))
	s.ageLeases()
	s.startWorker()
	eventually(t, time.Minute, func() string { return strings.Join(s.tasksLeft(), " ") })
}

func (s *site) unfinished(ids []string) string {
	s.t.Helper()
	for _, id := range ids {
		job, err := s.rows.Job(s.t.Context(), id)
		if err != nil {
			s.t.Fatalf("job %s was accepted: %v", id, err)
		}
		if job.State != editorial.JobStored {
			return "job " + id + " is " + string(job.State)
		}
	}
	return ""
}

func (s *site) assertListed() {
	s.t.Helper()
	eventually(s.t, 10*time.Second, func() string {
		queues, err := asynq.NewInspectorFromRedisClient(s.api.Redis()).Queues()
		if err != nil {
			return err.Error()
		}
		for _, q := range []string{tasks.QueueGenerate, tasks.UploadQueue(spoolID)} {
			if !strings.Contains(strings.Join(queues, " "), q) {
				return q + " is not listed"
			}
		}
		return ""
	})
}

// The sentinels are there, so that "nobody answers" would send an operator to
// look at the wrong machines.
func TestAMasterThatTheSentinelsDoNotKnowIsSaidToBeThat(t *testing.T) {
	t.Parallel()
	sentinels := testenv.StartSentinels(t)
	for url, want := range map[string]string{
		sentinels.URL:            "",
		sentinels.URL + "-other": "the sentinels know no master of this name; check ?master=",
	} {
		got := ""
		if err := openQueue(t, url).Check(t.Context()); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: Check() = %q, want %q", url, got, want)
		}
	}
}
