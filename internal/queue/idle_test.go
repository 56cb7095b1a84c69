package queue

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
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
