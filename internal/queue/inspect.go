package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Condition is how a queue stands.
type Condition struct {
	Name                                                   string
	Pending, Active, Scheduled, Retry, Archived, Completed int
	Oldest                                                 time.Time // since when the first in line waits; zero when nobody does
	Paused                                                 bool
}

// maxQueues bounds a look: one queue a spool, and disks come and go.
const maxQueues = 200

// Conditions looks at every queue in two round trips, whatever their length.
// asynq's own GetQueueInfo runs a script a queue, which weighs tasks and holds
// up whoever else asks Redis meanwhile. The keys are asynq's; a test compares
// the answers with its Inspector's.
func (q *Queue) Conditions(ctx context.Context) ([]Condition, error) {
	names, err := q.redis.SMembers(ctx, "asynq:queues").Result()
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	slices.Sort(names)
	names = names[:min(len(names), maxQueues)]
	list := make([]Condition, len(names))
	firsts, err := q.counts(ctx, names, list)
	if err != nil || len(firsts) == 0 {
		return list, err
	}
	since := make(map[int]*redis.StringCmd, len(firsts))
	_, err = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range firsts {
			since[i] = p.HGet(ctx, keyOf(names[i], "t:"+id), "pending_since")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look at queues: %w", err)
	}
	for i, answer := range since {
		// Taken by a worker since then: nobody waits.
		if nanos, err := strconv.ParseInt(answer.Val(), 10, 64); err == nil {
			list[i].Oldest = time.Unix(0, nanos).UTC()
		}
	}
	return list, nil
}

// counts fills in everything but the ages and returns the first task in line of
// each queue that has one.
func (q *Queue) counts(ctx context.Context, names []string, list []Condition) (firsts map[int]string, err error) {
	type answers struct {
		pending, active, scheduled, retry, archived, completed, paused *redis.IntCmd
		first                                                          *redis.StringCmd
	}
	asked := make([]answers, len(names))
	_, err = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			asked[i] = answers{
				pending: p.LLen(ctx, keyOf(name, "pending")), active: p.LLen(ctx, keyOf(name, "active")),
				scheduled: p.ZCard(ctx, keyOf(name, "scheduled")), retry: p.ZCard(ctx, keyOf(name, "retry")),
				archived: p.ZCard(ctx, keyOf(name, "archived")), completed: p.ZCard(ctx, keyOf(name, "completed")),
				paused: p.Exists(ctx, keyOf(name, "paused")), first: p.LIndex(ctx, keyOf(name, "pending"), -1),
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look at queues: %w", err)
	}
	firsts = make(map[int]string)
	for i, a := range asked {
		list[i] = Condition{
			Name: names[i], Pending: int(a.pending.Val()), Active: int(a.active.Val()), Scheduled: int(a.scheduled.Val()),
			Retry: int(a.retry.Val()), Archived: int(a.archived.Val()), Completed: int(a.completed.Val()),
			Paused: a.paused.Val() > 0,
		}
		if id := a.first.Val(); id != "" {
			firsts[i] = id
		}
	}
	return firsts, nil
}

func keyOf(queue, name string) string { return "asynq:{" + queue + "}:" + name }

// Resume lets a paused queue's workers go on. One that is not paused is left as
// it is: the button was pressed twice.
func (q *Queue) Resume(ctx context.Context, name string) error {
	if err := q.redis.Del(ctx, keyOf(name, "paused")).Err(); err != nil {
		return fmt.Errorf("resume queue %s: %w", name, err)
	}
	return nil
}

// ConnOpt hands this connection, whatever it is, to programs that want to make
// their own. It stays ours: they must not be closed.
func (q *Queue) ConnOpt() asynq.RedisConnOpt { return ours{q.redis} }

type ours struct{ client redis.UniversalClient }

// MakeRedisClient implements [asynq.RedisConnOpt].
func (o ours) MakeRedisClient() any { return o.client }
