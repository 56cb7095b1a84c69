// Package queue is asynq, configured: clients, servers, queue names, back-off,
// and the Redis inside the process that stands in where none is configured.
//
// It knows nothing of jobs: a task is an id and an epoch, and losing one is no
// harm, because package dispatch rings whatever a row says is due. That is why
// there is no Unique, no ResultWriter and no MaxRetry(0) in here: each of them
// leaves something behind in Redis that a flush or a failover makes permanent.
package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// Queue is a connection to Redis and what asynq makes of it. It is safe for
// concurrent use.
type Queue struct {
	redis  redis.UniversalClient
	client *asynq.Client
	close  func()
	// timeouts is how long a task of each type may run.
	timeouts map[string]time.Duration
}

// neverArchive is more retries than any task will see. Our own postponements
// do not count as failures at all; what does count are panics and spent leases,
// and those the row counts for itself.
const neverArchive = 10_000

// defaultTimeout bounds a task whose type has none configured.
const defaultTimeout = 10 * time.Minute

// Open connects to the Redis of a URL (redis, rediss, redis-sentinel), or
// starts one inside the process when the URL is empty. It does not wait for
// Redis to answer: the queue may be away, the rows are not.
func Open(url string, timeouts map[string]time.Duration) (*Queue, error) {
	client, closeRedis, err := connect(url)
	if err != nil {
		return nil, err
	}
	q := New(client, timeouts)
	q.close = closeRedis
	return q, nil
}

// New is a queue over a connection that is open already and that Close closes,
// for tests that cut the line of one process and not of another.
func New(client redis.UniversalClient, timeouts map[string]time.Duration) *Queue {
	return &Queue{redis: client, client: asynq.NewClientFromRedisClient(client), close: func() {}, timeouts: timeouts}
}

// Redis is the connection itself, for progress, budgets and subscriptions.
func (q *Queue) Redis() redis.UniversalClient { return q.redis }

// Close closes the connection, and the Redis inside the process if there is one.
func (q *Queue) Close() error {
	err := q.redis.Close()
	q.close()
	return err
}

// Ping asks whether Redis answers.
func (q *Queue) Ping(ctx context.Context) error { return q.redis.Ping(ctx).Err() }

// Ring enqueues tasks, each once. An id that is taken means that the task was
// rung already, perhaps by ourselves with the answer lost on the way.
func (q *Queue) Ring(ctx context.Context, bells ...dispatch.Bell) error {
	for _, b := range bells {
		timeout := q.timeouts[b.Type]
		if timeout == 0 {
			timeout = defaultTimeout
		}
		task := asynq.NewTaskWithHeaders(b.Type, b.Payload.Encode(), telemetry.TaskHeaders(ctx, b.Trace))
		_, err := q.client.EnqueueContext(ctx, task,
			asynq.Queue(b.Queue), asynq.TaskID(b.Payload.TaskID()),
			asynq.Timeout(timeout), asynq.MaxRetry(neverArchive))
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			return fmt.Errorf("enqueue %s: %w", b.Payload.TaskID(), err)
		}
	}
	return nil
}

// States looks tasks up in one round trip. The key is asynq's own; a test
// compares the answer with its Inspector's.
func (q *Queue) States(ctx context.Context, bells []dispatch.Bell) ([]dispatch.TaskState, error) {
	answers := make([]*redis.StringCmd, len(bells))
	_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, b := range bells {
			answers[i] = p.HGet(ctx, keyOf(b.Queue, "t:"+b.Payload.TaskID()), "state")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look up %d tasks: %w", len(bells), err)
	}
	states := make([]dispatch.TaskState, len(bells))
	for i, a := range answers {
		switch a.Val() {
		case "pending", "scheduled", "retry", "aggregating":
			states[i] = dispatch.TaskWaiting
		case "active":
			states[i] = dispatch.TaskActive
		}
	}
	return states, nil
}

// Announce enters queues in asynq's list of queues. asynq does so only once a
// client and queue, so after a flush its dashboard would show nothing.
func (q *Queue) Announce(ctx context.Context, queues ...string) error {
	members := make([]any, len(queues))
	for i, name := range queues {
		members[i] = name
	}
	if err := q.redis.SAdd(ctx, "asynq:queues", members...).Err(); err != nil {
		return fmt.Errorf("announce queues: %w", err)
	}
	return nil
}
