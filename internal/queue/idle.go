package queue

import (
	"context"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
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
