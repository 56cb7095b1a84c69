package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/tasks"
)

// asynqLine is the real queue: asynq over the Redis inside the process. Each
// worker process has a connection of its own, which dies and freezes with it.
type asynqLine struct{ *queue.Queue }

func newAsynqLine(t *testing.T) asynqLine {
	q, err := queue.Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return asynqLine{q}
}

func (a asynqLine) flush() { a.Redis().FlushAll(context.Background()) }

// left is every task that Redis knows, with its state, and every list that is
// not empty without one.
func (a asynqLine) left() (left []string) {
	ctx := context.Background()
	keys, err := a.Redis().Keys(ctx, "asynq:{*").Result()
	if err != nil {
		return []string{err.Error()}
	}
	for _, key := range keys {
		switch kind, _ := a.Redis().Type(ctx, key).Result(); kind {
		case "hash":
			left = append(left, key+" "+a.Redis().HGet(ctx, key, "state").Val())
		case "list", "zset":
			left = append(left, key)
		}
	}
	return left
}

func (a asynqLine) serve(p *process, queueName string, slots int, handlers map[string]queue.HandlerFunc) {
	w := &wire{dial: a.Redis().(*redis.Client).Options().Dialer, life: p.life}
	q := queue.New(redis.NewClient(&redis.Options{
		Addr: "embedded", Dialer: w.open, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               1, DialerRetries: 1,
	}), nil)
	live := map[string]queue.HandlerFunc{}
	for taskType, handle := range handlers {
		live[taskType] = func(ctx context.Context, payload tasks.Payload) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(p.ctx, cancel)()
			return handle(ctx, payload)
		}
	}
	server, err := q.Start(queue.ServerConfig{
		Queues: map[string]int{queueName: 1}, Concurrency: slots, CheckInterval: 2 * time.Second, Grace: time.Second,
		Handlers: live, Log: slog.New(slog.DiscardHandler), Tracing: p.tracing,
	})
	p.must(err)
	p.running.Go(func() {
		<-p.ctx.Done()
		w.cut()
		server.Shutdown()
		q.Close()
	})
}

// wire is a process's connections to Redis.
type wire struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	life *life

	mu    sync.Mutex
	conns []net.Conn
}

var errCut = errors.New("the process at this end is dead")

func (w *wire) open(ctx context.Context, network, addr string) (net.Conn, error) {
	if !w.life.alive() {
		return nil, errCut // at once: go-redis dials under a mutex, and a bubble's time stands still meanwhile
	}
	conn, err := w.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, conn)
	return &wireConn{conn, w.life}, nil
}

// cut closes the connections of a dead process; one that was told to stop says
// good-bye.
func (w *wire) cut() {
	if w.life.alive() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
}

type wireConn struct {
	net.Conn
	life *life
}

func (c *wireConn) Write(b []byte) (int, error) {
	if c.life.waitForThaw(); !c.life.alive() {
		return 0, errCut
	}
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.life.waitForThaw(); !c.life.alive() {
		return 0, errCut
	}
	return n, err
}

// asynqRecovers is when asynq has given a dead worker's task to another: its
// lease, its grace, and its recoverer's round.
const asynqRecovers = 3 * time.Minute

// The whole way over asynq and the Redis inside the process, on a clock of its
// own: whatever is flushed, killed or never rung, everything accepted ends
// within a minute, and Redis is empty in the end.
func TestTheRealQueue(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(s *site, p *process){
		"nothing happens": func(*site, *process) {},
		"flushed while working and waiting": func(s *site, _ *process) {
			pass(3 * time.Second)
			s.line.flush()
		},
		"killed while generating": func(s *site, p *process) {
			pass(3 * time.Second)
			p.life.die()
			s.start(&life{}, false)
		},
		"killed while uploading": func(s *site, p *process) {
			p.life.mu.Lock()
			p.life.dieAt = 12 // the first put, see TestDyingAtEveryStep
			p.life.mu.Unlock()
			<-p.ctx.Done()
			s.start(&life{}, false)
		},
		"killed, flushed and started again": func(s *site, p *process) {
			pass(3 * time.Second)
			p.life.die()
			s.line.flush()
			s.start(&life{}, true)
		},
		"frozen for a minute beside another": func(s *site, p *process) {
			pass(3 * time.Second)
			p.life.freeze()
			s.start(&life{}, false)
			pass(time.Minute)
			p.life.unfreeze()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { overAsynq(t, fault) })
		})
	}
}

func overAsynq(t *testing.T, fault func(s *site, p *process)) {
	s := newSite(t, newAsynqLine(t))
	var jobs []editorial.Job
	p := s.start(&life{}, false)
	for i := range 3 {
		draft := s.draft(fmt.Sprintf("Draft %d", i+1))
		if i == 1 { // the API dies between its commit and the ring
			s.apiLife.dieAt, s.apiLife.before = len(s.apiLife.steps)+1, true
		}
		jobs = append(jobs, s.submit(draft, 1))
		if i == 1 {
			s.apiLife = &life{kill: func() {}}
			s.api = s.dispatch(s.apiLife)
		}
		s.approve(draft)
	}
	fault(s, p)
	for _, job := range jobs {
		s.waitFor(job.ID, within)
		if got := s.job(job.ID); got.State != editorial.JobStored {
			t.Errorf("job is %s, want stored", got.State)
		}
	}
	pass(asynqRecovers)
	for _, wrong := range s.broken() {
		t.Error(wrong)
	}
	if posts, _, err := s.store.Posts(t.Context(), allPosts); err != nil || len(posts) != len(jobs) {
		t.Errorf("%d posts of %d approved drafts, %v", len(posts), len(jobs), err)
	}
}

// Storms over asynq itself: fewer, because each costs seconds.
func TestAStormOverAsynq(t *testing.T) {
	t.Parallel()
	for i := range max(1, *seeds/15) {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { goThrough(t, newAsynqLine(t), seed, 15, asynqRecovers) })
		})
	}
}
