package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// ErrRefused is a Redis that answers and will not have us: a configuration to
// mend, as opposed to a server that is away and comes back.
var ErrRefused = errors.New("the server refuses this user or password")

// Check asks Redis once. It returns ErrRefused, or any other error when nobody
// answers.
func (q *Queue) Check(ctx context.Context) error {
	err := q.Ping(ctx)
	var dns *net.DNSError
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "WRONGPASS"), strings.Contains(err.Error(), "NOAUTH"), strings.Contains(err.Error(), "NOPERM"):
		return ErrRefused
	case errors.Is(err, redis.Nil): // what a sentinel says of a master that it does not know
		return errors.New("the sentinels know no master of this name; check ?master=")
	case errors.As(err, &dns):
		return errors.New("there is no host of this name")
	default:
		return errors.New("nobody answers")
	}
}

// NoEviction is the only maxmemory-policy under which asynq loses nothing.
const NoEviction = "noeviction"

// EvictionPolicy is Redis' maxmemory-policy, "" where it may not be asked.
func (q *Queue) EvictionPolicy(ctx context.Context) string {
	answer, err := q.redis.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil {
		return ""
	}
	return answer["maxmemory-policy"]
}

// Served reports whether a running server takes tasks from a queue. A server
// says so every few seconds and is forgotten half a minute after its last word.
func (q *Queue) Served(_ context.Context, name string) (bool, error) {
	servers, err := asynq.NewInspectorFromRedisClient(q.redis).Servers()
	if err != nil {
		return false, fmt.Errorf("list the running servers: %w", err)
	}
	for _, s := range servers {
		if _, ok := s.Queues[name]; ok && s.Status == "active" {
			return true, nil
		}
	}
	return false, nil
}
