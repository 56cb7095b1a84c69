package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/tasks"
)

// RetryAfter is what a handler returns to have its task run again after a
// while. It is no failure: it is not counted and never ends in the archive.
type RetryAfter struct {
	Delay  time.Duration
	Reason string // shown in the dashboard; holds no prompt and no secret
}

func (r *RetryAfter) Error() string { return r.Reason }

// HandlerFunc works on one task. nil is done; a [RetryAfter] says when to ask
// again; any other error is a defect and is retried with back-off.
type HandlerFunc func(ctx context.Context, p tasks.Payload) error

// ServerConfig is one asynq server: one class of work, with slots of its own,
// so that a slow class never takes another's.
type ServerConfig struct {
	Queues      map[string]int // name -> weight
	Strict      bool           // empty the heavier queue first
	Concurrency int
	// CheckInterval is how often an idle server looks for work: latency traded
	// for CPU. 0: 100 ms.
	CheckInterval time.Duration
	// Grace is how long Shutdown waits for tasks under way. 0: 30 s.
	Grace    time.Duration
	Handlers map[string]HandlerFunc // task type -> handler
	Log      *slog.Logger
	Tracing  *telemetry.Tracing // nil: none
}

// Server is a running server. It cannot be started again; build another.
type Server struct{ asynq *asynq.Server }

// Start builds and starts a server.
func (q *Queue) Start(c ServerConfig) (*Server, error) {
	if c.CheckInterval == 0 {
		c.CheckInterval = 100 * time.Millisecond
	}
	if c.Grace == 0 {
		c.Grace = 30 * time.Second
	}
	mux := asynq.NewServeMux()
	for taskType, handle := range c.Handlers {
		mux.HandleFunc(taskType, c.adapt(handle))
	}
	server := asynq.NewServerFromRedisClient(q.redis, asynq.Config{
		Concurrency:              c.Concurrency,
		Queues:                   c.Queues,
		StrictPriority:           c.Strict,
		TaskCheckInterval:        c.CheckInterval,
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          c.Grace,
		RetryDelayFunc:           retryDelay,
		IsFailure:                isFailure,
		Logger:                   logger{c.Log},
		LogLevel:                 asynq.WarnLevel,
	})
	if err := server.Start(mux); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	return &Server{server}, nil
}

// Shutdown takes no new task, waits for those under way and ends. Tasks that
// outlast the grace go back to the queue.
func (s *Server) Shutdown() { s.asynq.Shutdown() }

// adapt reads the payload. One from a newer program is left for a newer worker;
// one that nobody can read is done with, because the reconciler rings the row
// with a good one.
func (c ServerConfig) adapt(handle HandlerFunc) func(context.Context, *asynq.Task) error {
	return func(ctx context.Context, t *asynq.Task) error {
		p, err := tasks.Decode(t.Payload())
		switch {
		case errors.Is(err, tasks.ErrVersion):
			return &RetryAfter{Delay: 30 * time.Second, Reason: err.Error()}
		case err != nil:
			return nil
		}
		ctx, end := c.Tracing.Task(ctx, t.Type(), t.Headers())
		telemetry.Describe(ctx, "task.id", p.TaskID())
		err = handle(ctx, p)
		end(err)
		return err
	}
}

func isFailure(err error) bool {
	var again *RetryAfter
	return !errors.As(err, &again)
}

func retryDelay(n int, err error, _ *asynq.Task) time.Duration {
	var again *RetryAfter
	switch {
	case errors.Is(err, asynq.ErrLeaseExpired):
		return 0 // its worker died: it has waited a minute already
	case errors.As(err, &again):
		return again.Delay
	default:
		return Backoff(n+1, 30*time.Second)
	}
}

// Backoff is how long to wait before try n+1 when try n failed, n from 1:
// exponential from one second with full jitter on the upper half, never more
// than limit. With a limit of four minutes the first five waits are about 1, 2,
// 4, 8 and 16 s, and an upload that keeps failing is tried some 1,100 times
// before its 72 hours are over.
func Backoff(n int, limit time.Duration) time.Duration {
	wait := limit
	if n < 1 {
		n = 1
	}
	if n <= 20 { // 2^20 s is more than any limit, and more would overflow
		wait = min(limit, time.Second<<(n-1))
	}
	return wait/2 + rand.N(wait/2+1)
}

// logger passes asynq's own lines on to slog. A task's failure is logged where
// it is recorded, so what arrives here is about Redis.
type logger struct{ log *slog.Logger }

func (l logger) say(level slog.Level, args []any) {
	l.log.Log(context.Background(), level, strings.TrimSpace(fmt.Sprint(args...)), "component", "asynq")
}
func (l logger) Debug(args ...any) { l.say(slog.LevelDebug, args) }
func (l logger) Info(args ...any)  { l.say(slog.LevelInfo, args) }
func (l logger) Warn(args ...any)  { l.say(slog.LevelWarn, args) }
func (l logger) Error(args ...any) { l.say(slog.LevelError, args) }

// Fatal is asynq's last word before it would exit the process; exiting is
// main's alone.
func (l logger) Fatal(args ...any) { l.say(slog.LevelError, args) }
