package queue

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/tasks"
)

// An idle server's question runs no script; a task that waits is still taken by
// asynq's own, which the other tests of this package see.
func TestIdleServersRunNoScript(t *testing.T) {
	t.Parallel()
	q, err := Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	ask := func(keys ...string) error {
		return redis.NewScript(`return redis.call("RPOPLPUSH", KEYS[1], KEYS[3]) or redis.error_reply("it ran")`).
			EvalSha(context.WithoutCancel(t.Context()), q.Redis(), keys).Err()
	}
	dequeue := []string{keyOf("q", "pending"), keyOf("q", "paused"), keyOf("q", "active"), keyOf("q", "lease")}
	if err := ask(dequeue...); err != redis.Nil { //nolint:errorlint // the very value is what asynq compares with
		t.Errorf("an empty queue answers %v, want nothing", err)
	}
	if err := ask(dequeue[:3]...); err == nil || err == redis.Nil { //nolint:errorlint // as above
		t.Errorf("another script was answered as well: %v", err)
	}
	if err := q.Redis().LPush(t.Context(), dequeue[0], "task").Err(); err != nil {
		t.Fatal(err)
	}
	if err := ask(dequeue...); err == nil || err == redis.Nil { //nolint:errorlint // as above
		t.Errorf("with a task waiting the script was not asked for: %v, want NOSCRIPT", err)
	}
}

// While no backfill waits the queue is looked at once a second; while some do,
// each is taken at once, and other queues are never waited for.
func TestBackfillsAreNotHurriedTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, waiting := 0, 0
		ask := newUnhurried().ProcessHook(func(context.Context, redis.Cmder) error {
			asked++
			if waiting == 0 {
				return redis.Nil
			}
			waiting--
			return nil
		})
		dequeue := func(queue string, times int) (took int) {
			for range times {
				cmd := redis.NewCmd(t.Context(), "evalsha", "digest", 4,
					keyOf(queue, "pending"), keyOf(queue, "paused"), keyOf(queue, "active"), keyOf(queue, "lease"))
				if ask(t.Context(), cmd) == nil {
					took++
				}
			}
			return took
		}
		if dequeue(tasks.QueueBackfill, 10); asked != 1 {
			t.Errorf("an empty queue was asked %d times within a moment, want once", asked)
		}
		if dequeue(tasks.QueueGenerate, 3); asked != 4 {
			t.Errorf("another queue was held back: %d questions, want 4", asked)
		}
		waiting = 5
		if took := dequeue(tasks.QueueBackfill, 1); took != 0 {
			t.Errorf("it was asked again at once")
		}
		<-time.After(time.Second)
		if took := dequeue(tasks.QueueBackfill, 10); took != 5 {
			t.Errorf("took %d backfills of 5 after a second", took)
		}
	})
}
