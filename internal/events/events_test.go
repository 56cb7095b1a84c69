package events_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hearing is a hub over the Redis inside the process, with its subscription up.
func hearing(t *testing.T) (*queue.Queue, *events.Hub) {
	t.Helper()
	q, err := queue.Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return q, hubOn(t, q)
}

func hubOn(t *testing.T, q *queue.Queue) *events.Hub {
	t.Helper()
	hub := events.NewHub(q.Redis(), slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { hub.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); q.Close() })
	synctest.Wait()
	return hub
}

// told reports whether a watcher has heard of something since it was asked last.
func told(w *events.Watcher) bool {
	synctest.Wait()
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

func TestNotesReachWhoWatchesAndNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		other := hubOn(t, q) // another process
		watch := func(topics ...string) *events.Watcher {
			w := other.Watch(topics...)
			t.Cleanup(w.Close)
			return w
		}
		job, draft, image, kind, all := watch("job-1"), watch("draft-1"), watch("image-1"), watch("image.canceled"), watch(events.All)
		both, stranger := watch("job-2", "draft-1"), watch("job-2")
		hub.Notify(t.Context(), dispatch.Note{JobID: "job-1", DraftID: "draft-1", ImageID: "image-1", Type: "image.canceled"})
		for name, w := range map[string]*events.Watcher{"job": job, "draft": draft, "image": image, "type": kind, "all": all, "one of two": both} {
			if !told(w) {
				t.Errorf("who watches the %s was not told", name)
			}
			if told(w) {
				t.Errorf("who watches the %s was told twice of one note", name)
			}
		}
		if told(stranger) {
			t.Error("a stranger was told")
		}
	})
}

// A slow watcher hears once that there is something to look at, and holds
// nobody up.
func TestNotesAreMerged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, hub := hearing(t)
		w := hub.Watch("job")
		defer w.Close()
		for range 3000 {
			hub.Notify(t.Context(), dispatch.Note{JobID: "job", Type: "image.spooled"})
		}
		if !told(w) || told(w) {
			t.Error("3000 notes are not one thing to look at")
		}
	})
}

func TestAClosedWatcherLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, hub := hearing(t)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				w := hub.Watch("job", "draft")
				hub.Notify(t.Context(), dispatch.Note{JobID: "job"})
				w.Close()
				w.Close() // twice does no harm
			})
		}
		all.Wait()
		if n := hub.Watching(); n != 0 {
			t.Errorf("%d watchers are left", n)
		}
	})
}

// Without Redis those in the same process are still told at once.
func TestNotesWithoutRedis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, hub := hearing(t)
		w := hub.Watch("job")
		defer w.Close()
		q.Close()
		start := time.Now()
		hub.Notify(t.Context(), dispatch.Note{JobID: "job"})
		if took := time.Since(start); took > time.Second {
			t.Errorf("Notify took %s without Redis", took)
		}
		if !told(w) {
			t.Error("a watcher in the same process was not told")
		}
	})
}

// jobs is rows that change at set times.
type jobs struct {
	finalAt time.Time
	err     error

	mu    sync.Mutex
	reads int
}

func (j *jobs) Job(ctx context.Context, id string) (editorial.Job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reads++
	if err := errors.Join(j.err, ctx.Err()); err != nil {
		return editorial.Job{}, err
	}
	job := editorial.Job{ID: id, State: editorial.JobGenerating}
	if !j.finalAt.IsZero() && !time.Now().Before(j.finalAt) {
		job.State = editorial.JobStored
	}
	return job, nil
}

func TestWaitJob(t *testing.T) {
	t.Parallel()
	errRows := errors.New("the database is away")
	tests := []struct {
		name      string
		final     time.Duration // after the start; negative: never
		note      time.Duration // after the start; negative: none
		redisAway bool
		rows      error
		want      editorial.JobState
		at        time.Duration // when it returns
		reads     int           // at most
	}{
		{name: "final already", final: 0, note: -1, want: editorial.JobStored, at: 0, reads: 1},
		{name: "told at once", final: 1700 * time.Millisecond, note: 1700 * time.Millisecond, want: editorial.JobStored, at: 1700 * time.Millisecond, reads: 2},
		{name: "the note was lost", final: 7 * time.Second, note: -1, want: editorial.JobStored, at: 9 * time.Second, reads: 4},
		{name: "Redis is away", final: 7 * time.Second, note: -1, redisAway: true, want: editorial.JobStored, at: 9 * time.Second, reads: 4},
		{name: "a note that says nothing", final: -1, note: time.Second, want: editorial.JobGenerating, at: 10 * time.Second, reads: 5},
		{name: "the deadline", final: -1, note: -1, want: editorial.JobGenerating, at: 10 * time.Second, reads: 4},
		{name: "rows that cannot be read", final: -1, note: -1, rows: errRows, at: 0, reads: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, hub := hearing(t)
				if tt.redisAway {
					q.Close()
				}
				start := time.Now()
				rows := &jobs{err: tt.rows}
				if tt.final >= 0 {
					rows.finalAt = start.Add(tt.final)
				}
				if tt.note >= 0 {
					time.AfterFunc(tt.note, func() { hub.Notify(context.Background(), dispatch.Note{JobID: "job", Type: "job.stored"}) })
				}
				ctx, cancel := context.WithDeadline(t.Context(), start.Add(10*time.Second))
				defer cancel()
				job, err := events.NewWaiter(hub, rows).WaitJob(ctx, "job")
				if !errors.Is(err, tt.rows) || job.State != tt.want {
					t.Errorf("WaitJob = %q, %v; want %q, %v", job.State, err, tt.want, tt.rows)
				}
				if took := time.Since(start); took != tt.at {
					t.Errorf("it took %s, want %s", took, tt.at)
				}
				if rows.reads > tt.reads {
					t.Errorf("the row was read %d times, want at most %d", rows.reads, tt.reads)
				}
				if n := hub.Watching(); n != 0 {
					t.Errorf("%d watchers are left", n)
				}
				<-time.After(11 * time.Second) // the note that was set may still be to come
			})
		})
	}
}
