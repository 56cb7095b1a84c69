package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/tasks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs test on the Redis inside the process and on a real one.
func each(t *testing.T, test func(t *testing.T, q *queue.Queue)) {
	t.Helper()
	t.Parallel()
	open := func(t *testing.T, url string) {
		q, err := queue.Open(url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() }) // a failed close is no failure of the test
		test(t, q)
	}
	t.Run("embedded", func(t *testing.T) { t.Parallel(); open(t, "") })
	t.Run("redis", func(t *testing.T) { t.Parallel(); open(t, testenv.Redis(t)) })
}

func bell(id string, epoch int64) dispatch.Bell {
	return dispatch.Bell{Type: tasks.TypeGenerate, Queue: tasks.QueueGenerate, Payload: tasks.NewPayload(id, epoch)}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Our look-up reads asynq's own keys: it has to agree with asynq's Inspector in
// every state, or a reconciler would ring a long queue twice, or never ring.
func TestStatesAgreeWithTheInspector(t *testing.T) {
	each(t, func(t *testing.T, q *queue.Queue) {
		ctx := t.Context()
		inspector := asynq.NewInspectorFromRedisClient(q.Redis())
		bells := []dispatch.Bell{bell("waiting", 1), bell("archived", 1), bell("retry", 4), bell("unknown", 1)}
		if err := q.Ring(ctx, bells[:3]...); err != nil {
			t.Fatal(err)
		}
		if err := inspector.ArchiveTask(tasks.QueueGenerate, "archived.1"); err != nil {
			t.Fatal(err)
		}
		got, err := q.States(ctx, bells)
		if err != nil {
			t.Fatal(err)
		}
		want := []dispatch.TaskState{dispatch.TaskWaiting, dispatch.TaskAbsent, dispatch.TaskWaiting, dispatch.TaskAbsent}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s is %v, want %v", bells[i].Payload.TaskID(), got[i], want[i])
			}
		}
		for i, state := range []asynq.TaskState{asynq.TaskStatePending, asynq.TaskStateArchived, asynq.TaskStatePending} {
			info, err := inspector.GetTaskInfo(tasks.QueueGenerate, bells[i].Payload.TaskID())
			if err != nil || info.State != state {
				t.Errorf("the Inspector says %v, %v of %s; want %v", info, err, bells[i].Payload.TaskID(), state)
			}
		}
	})
}

func TestRingingTwiceIsRingingOnce(t *testing.T) {
	each(t, func(t *testing.T, q *queue.Queue) {
		if err := errors.Join(q.Ring(t.Context(), bell("a", 1)), q.Ring(t.Context(), bell("a", 1))); err != nil {
			t.Fatalf("the second ring is an error: %v", err)
		}
		info, err := asynq.NewInspectorFromRedisClient(q.Redis()).GetQueueInfo(tasks.QueueGenerate)
		if err != nil || info.Pending != 1 {
			t.Fatalf("%+v, %v; want one pending task", info, err)
		}
	})
}

// After a flush asynq's client never announces its queue again, and the
// dashboard would be empty while work goes on.
func TestAnnounceBringsQueuesBackAfterAFlush(t *testing.T) {
	each(t, func(t *testing.T, q *queue.Queue) {
		ctx := t.Context()
		inspector := asynq.NewInspectorFromRedisClient(q.Redis())
		if err := q.Ring(ctx, bell("a", 1)); err != nil {
			t.Fatal(err)
		}
		if err := q.Redis().FlushDB(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(q.Ring(ctx, bell("b", 1)), q.Announce(ctx, tasks.QueueGenerate)); err != nil {
			t.Fatal(err)
		}
		queues, err := inspector.Queues()
		if err != nil || len(queues) != 1 {
			t.Fatalf("queues %v, %v; want ours", queues, err)
		}
	})
}

// A postponement is no failure: it is never counted, so it never archives, and
// the task comes back when the row says.
func TestRetryAfterIsNotAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.Open("", nil)
		if err != nil {
			t.Fatal(err)
		}
		var calls atomic.Int64
		finished := make(chan time.Duration, 1)
		start := time.Now()
		server, err := q.Start(queue.ServerConfig{
			Queues: map[string]int{tasks.QueueGenerate: 1}, Concurrency: 1, Log: quiet(), CheckInterval: 2 * time.Second,
			Handlers: map[string]queue.HandlerFunc{tasks.TypeGenerate: func(context.Context, tasks.Payload) error {
				if calls.Add(1) <= 5 {
					return &queue.RetryAfter{Delay: 4 * time.Minute, Reason: "the bucket is away"}
				}
				finished <- time.Since(start)
				return nil
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Ring(t.Context(), bell("a", 1)); err != nil {
			t.Fatal(err)
		}
		took := <-finished
		if took < 5*4*time.Minute-time.Minute || took > 5*4*time.Minute+5*time.Minute {
			t.Errorf("6 calls four minutes apart took %s", took)
		}
		server.Shutdown()
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestUnreadablePayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.Open("", nil)
		if err != nil {
			t.Fatal(err)
		}
		client := asynq.NewClientFromRedisClient(q.Redis())
		for id, payload := range map[string]string{"garbage": "\x00", "newer": `{"v":99,"id":"a","epoch":1}`} {
			if _, err := client.Enqueue(asynq.NewTask(tasks.TypeGenerate, []byte(payload)), asynq.Queue(tasks.QueueGenerate), asynq.TaskID(id)); err != nil {
				t.Fatal(err)
			}
		}
		server, err := q.Start(queue.ServerConfig{
			Queues: map[string]int{tasks.QueueGenerate: 1}, Concurrency: 1, Log: quiet(), CheckInterval: 2 * time.Second,
			Handlers: map[string]queue.HandlerFunc{tasks.TypeGenerate: func(context.Context, tasks.Payload) error {
				t.Error("handled a payload that cannot be read")
				return nil
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second) // virtual
		inspector := asynq.NewInspectorFromRedisClient(q.Redis())
		if _, err := inspector.GetTaskInfo(tasks.QueueGenerate, "garbage"); err == nil {
			t.Error("garbage is still there; nobody will ever read it")
		}
		if info, err := inspector.GetTaskInfo(tasks.QueueGenerate, "newer"); err != nil || info.State != asynq.TaskStateRetry {
			t.Errorf("a newer program's task is %v, %v; want it waiting for a newer worker", info, err)
		}
		server.Shutdown()
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, low := range map[int]time.Duration{1: time.Second / 2, 2: time.Second, 3: 2 * time.Second, 5: 8 * time.Second, 9: 2 * time.Minute, 40: 2 * time.Minute, 0: time.Second / 2} {
		for range 100 {
			if got := queue.Backoff(n, 4*time.Minute); got < low || got > 2*low {
				t.Fatalf("Backoff(%d) = %s, want %s to %s", n, got, low, 2*low)
			}
		}
	}
}

func TestBadURLsNameTheFormAndNoPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"http://user:sekret@host", "redis://user:sekret@host:port", "redis-sentinel://:sekret@host:26379", "redis-sentinel://:sekret@",
	} {
		_, err := queue.Open(url, nil)
		if err == nil {
			t.Errorf("%s was taken", url)
			continue
		}
		if got := err.Error(); len(got) > 200 || strings.Contains(got, "sekret") || !strings.Contains(got, "redis") {
			t.Errorf("%s: %s", url, got)
		}
	}
}
