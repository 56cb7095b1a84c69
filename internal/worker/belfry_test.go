package worker_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/tasks"
)

// line is a queue that processes share.
type line interface {
	dispatch.Ringer
	// serve handles the tasks of a queue until the process ends.
	serve(p *process, queueName string, slots int, handlers map[string]queue.HandlerFunc)
	// flush forgets everything.
	flush()
	// left is every task that the queue still knows.
	left() []string
}

// The pace of a belfry. asynq takes 60 to 120 s to give a dead worker's task to
// another; what matters is that it comes after the claim has run out.
const (
	checkEvery   = time.Second
	recoverAfter = 30 * time.Second
)

// belfry behaves as asynq does, for what matters here, and costs next to
// nothing: ids are taken until done, a dead worker's task stays active for a
// minute and then comes back, and everything may be forgotten at any time.
type belfry struct {
	mu    sync.Mutex
	tasks map[string]*ringing
}

type ringing struct {
	dispatch.Bell
	due       time.Time
	owner     *life // nil while it waits
	abandoned time.Time
}

func newBelfry() *belfry { return &belfry{tasks: map[string]*ringing{}} }

func (b *belfry) Ring(_ context.Context, rung ...dispatch.Bell) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bell := range rung {
		if id := bell.Payload.TaskID(); b.tasks[id] == nil {
			b.tasks[id] = &ringing{Bell: bell, due: time.Now()}
		}
	}
	return nil
}

func (b *belfry) States(_ context.Context, asked []dispatch.Bell) ([]dispatch.TaskState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	states := make([]dispatch.TaskState, len(asked))
	for i, bell := range asked {
		switch task := b.tasks[bell.Payload.TaskID()]; {
		case task == nil:
		case task.owner == nil:
			states[i] = dispatch.TaskWaiting
		default:
			states[i] = dispatch.TaskActive
		}
	}
	return states, nil
}

func (b *belfry) serve(p *process, queueName string, slots int, handlers map[string]queue.HandlerFunc) {
	for range slots {
		p.running.Go(func() {
			for p.pause(checkEvery) {
				for p.life.beats() && b.handleOne(p, queueName, handlers) {
				}
			}
		})
	}
}

func (b *belfry) handleOne(p *process, queueName string, handlers map[string]queue.HandlerFunc) bool {
	task := b.take(p.life, queueName)
	if task == nil {
		return false
	}
	err := handlers[task.Type](p.ctx, task.Payload)
	p.life.waitForThaw()
	b.end(p.life, task, err)
	return true
}

func (b *belfry) take(owner *life, queueName string) *ringing {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recover()
	var next *ringing
	for _, task := range b.tasks {
		if task.Queue == queueName && task.owner == nil && !task.due.After(time.Now()) && (next == nil || before(task, next)) {
			next = task
		}
	}
	if next != nil {
		next.owner, next.abandoned = owner, time.Time{}
	}
	return next
}

func before(a, b *ringing) bool {
	return a.due.Before(b.due) || a.due.Equal(b.due) && a.Payload.TaskID() < b.Payload.TaskID()
}

// recover gives back the tasks of workers whose heartbeat has stopped.
func (b *belfry) recover() {
	for _, task := range b.tasks {
		switch {
		case task.owner == nil:
		case task.owner.beats():
			task.abandoned = time.Time{}
		case task.abandoned.IsZero():
			task.abandoned = time.Now()
		case time.Since(task.abandoned) > recoverAfter:
			task.owner, task.due = nil, time.Now()
		}
	}
}

func (b *belfry) end(owner *life, task *ringing, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := task.Payload.TaskID()
	if !owner.alive() || b.tasks[id] != task || task.owner != owner {
		return // nobody hears a dead worker, nor one whose task is another's
	}
	var again *queue.RetryAfter
	switch {
	case err == nil:
		delete(b.tasks, id)
	case errors.As(err, &again):
		task.owner, task.due = nil, time.Now().Add(again.Delay)
	default:
		task.owner, task.due = nil, time.Now().Add(10*time.Second)
	}
}

func (b *belfry) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.tasks)
}

func (b *belfry) left() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id := range b.tasks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// everyBellAgain hands out, once more, a task for each epoch that a picture
// ever had: what a dashboard's button or a late recovery would do.
func (b *belfry) everyBellAgain(kind, queueName, imageID string, upTo int64) {
	for epoch := range upTo + 1 {
		_ = b.Ring(context.Background(), dispatch.Bell{Type: kind, Queue: queueName, Payload: tasks.NewPayload(imageID, epoch)})
	}
}
