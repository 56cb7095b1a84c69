package queue_test

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/tasks"
)

// Our look reads asynq's own keys in two round trips: it has to agree with
// asynq's Inspector, which runs a script a queue.
func TestConditionsAgreeWithTheInspector(t *testing.T) {
	each(t, func(t *testing.T, q *queue.Queue) {
		inspector := asynq.NewInspectorFromRedisClient(q.Redis())
		client := asynq.NewClientFromRedisClient(q.Redis())
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(q.Ring(t.Context(), bell("first", 0), bell("second", 0), bell("archived", 0)))
		must(inspector.ArchiveTask(tasks.QueueGenerate, "archived.0"))
		_, err := client.Enqueue(asynq.NewTask("x", nil), asynq.Queue("other"), asynq.ProcessIn(time.Hour))
		must(err)
		must(inspector.PauseQueue("other"))
		got, err := q.Conditions(t.Context())
		must(err)
		if len(got) != 2 {
			t.Fatalf("%d queues, want 2: %+v", len(got), got)
		}
		for _, c := range got {
			info, err := inspector.GetQueueInfo(c.Name)
			must(err)
			want := queue.Condition{
				Name: info.Queue, Pending: info.Pending, Active: info.Active, Scheduled: info.Scheduled, Retry: info.Retry,
				Archived: info.Archived, Completed: info.Completed, Paused: info.Paused, Oldest: c.Oldest,
			}
			if c != want {
				t.Errorf("%+v, the Inspector says %+v", c, want)
			}
			if waited := time.Since(c.Oldest); c.Pending > 0 && (waited-info.Latency).Abs() > 10*time.Second || c.Pending == 0 && !c.Oldest.IsZero() {
				t.Errorf("%s: the first waits since %v, the Inspector says for %v", c.Name, c.Oldest, info.Latency)
			}
		}
		must(q.Resume(t.Context(), "other"))
		must(q.Resume(t.Context(), "other")) // pressed twice
		if info, err := inspector.GetQueueInfo("other"); err != nil || info.Paused {
			t.Errorf("after resuming: %+v, %v", info, err)
		}
	})
}
