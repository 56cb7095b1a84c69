package events_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/dispatch"
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

// Fewer at a time than the client's connections: go-redis keeps the timers of
// those that wait for one in a pool of the process, where another bubble's
// would be found.
func TestAClosedWatcherLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, hub := hearing(t)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				for range 10 {
					w := hub.Watch("job", "draft")
					hub.Notify(t.Context(), dispatch.Note{JobID: "job"})
					w.Close()
					w.Close() // twice does no harm
				}
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
