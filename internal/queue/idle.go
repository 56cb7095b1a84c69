package queue

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/tasks"
)

// idle answers an idle server's question for work without a script: asynq asks
// twenty times a second, and the Redis inside the process builds a whole Lua
// machine for each answer, which was half of what an idle program did. The
// script takes the last of a list of waiting tasks; of an empty one it answers
// nothing, and so does this.
type idle struct{ mini *miniredis.Miniredis }

func (idle) DialHook(next redis.DialHook) redis.DialHook { return next }

func (i idle) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if waiting, ok := dequeued(cmd); ok && !i.mini.Exists(waiting) {
			cmd.SetErr(redis.Nil)
			return redis.Nil
		}
		return next(ctx, cmd)
	}
}

func (idle) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// newUnhurried is for backfills.
func newUnhurried() *unhurried { return &unhurried{list: keyOf(tasks.QueueBackfill, "pending")} }

// unhurried asks for background work once a second at most while there is none.
// An idle server asks for each of its queues ten times a second and more, and
// a backfill can wait that long for its first picture.
type unhurried struct {
	list string // of tasks that wait
	mu   sync.Mutex
	next time.Time // nobody asks before
}

const unhurriedPace = time.Second

func (*unhurried) DialHook(next redis.DialHook) redis.DialHook { return next }

func (u *unhurried) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if waiting, ok := dequeued(cmd); !ok || waiting != u.list {
			return next(ctx, cmd)
		}
		if !u.due() {
			cmd.SetErr(redis.Nil)
			return redis.Nil
		}
		err := next(ctx, cmd)
		if errors.Is(err, redis.Nil) {
			u.wait()
		}
		return err
	}
}

func (*unhurried) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (u *unhurried) due() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !time.Now().Before(u.next)
}

func (u *unhurried) wait() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.next = time.Now().Add(unhurriedPace)
}

// dequeued is the list from which a command is about to take a task; ok is
// false for every other command. asynq's is the only script over these four.
func dequeued(cmd redis.Cmder) (list string, ok bool) {
	args := cmd.Args()
	if len(args) < 7 || cmd.Name() != "evalsha" {
		return "", false
	}
	for i, suffix := range []string{":pending", ":paused", ":active", ":lease"} {
		key, isKey := args[3+i].(string)
		if !isKey || !strings.HasSuffix(key, suffix) {
			return "", false
		}
	}
	return args[3].(string), true
}
