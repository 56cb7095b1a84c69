package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/ops"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

// subject is one task, its row, and what was published when the button was
// pressed.
type subject struct {
	kind      string // generate, backfill, upload, notify
	after     bool   // the post was published before
	draft     string
	job       editorial.Job
	bell      dispatch.Bell
	post      editorial.Post // when after
	painted   int
	delivered string // id of the delivery, when there is one
}

var kinds = []string{"generate", "backfill", "upload", "notify"}

const target = "site"

// floor is a site whose queue is asynq, with its dashboard, and gates at which
// work can be held up.
type floor struct {
	*site
	asynq     asynqLine
	dashboard http.Handler
	gate      *gate
	told      *told
}

func newFloor(t *testing.T) *floor {
	t.Helper()
	a := newAsynqLine(t)
	s := newSite(t, a)
	s.targets = []string{target}
	s.api = s.dispatch(s.apiLife)
	f := &floor{site: s, asynq: a, gate: &gate{}, told: &told{times: map[string]int{}}}
	operator := auth.Authenticator{func(*http.Request) (*auth.Identity, error) {
		return &auth.Identity{Subject: "operator", Role: auth.Operator}, nil
	}}
	log := slog.New(slog.DiscardHandler)
	room := ops.New(ops.Config{
		Rows: s.store, Queues: a.Queue, Changes: s.api, Auth: operator, Log: log, Fail: ops.Refuse(log),
		Generators: func(context.Context) []ops.Generator { return nil },
	})
	f.dashboard = room.Handler(ops.Dashboard(a.ConnOpt(), s.store))
	return f
}

// gate holds up whoever comes while it is shut, until it opens or their context
// ends.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil: open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut == nil {
		return nil
	}
	select {
	case <-shut:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type gatedGenerator struct {
	imagegen.Generator
	gate *gate
}

func (g gatedGenerator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	if err := g.gate.pass(ctx); err != nil {
		return imagegen.Result{}, err
	}
	return g.Generator.Generate(ctx, req)
}

type gatedBucket struct {
	blob.Bucket
	gate *gate
}

func (b gatedBucket) Put(ctx context.Context, o blob.Object) error {
	if err := b.gate.pass(ctx); err != nil {
		return err
	}
	return b.Bucket.Put(ctx, o)
}

// told counts deliveries.
type told struct {
	gate  *gate
	mu    sync.Mutex
	times map[string]int
}

func (t *told) Deliver(ctx context.Context, d store.Delivery) (int, error) {
	if t.gate != nil {
		if err := t.gate.pass(ctx); err != nil {
			return 0, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times[d.ID]++
	return 200, nil
}

func (t *told) count(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.times[id]
}

// process opens a worker behind the gates.
func (f *floor) process() (*process, *worker.Notifier) {
	f.told.gate = f.gate
	p := f.open(context.Background(), &life{}, func(c *worker.Config) {
		c.Chain = imagegen.NewChain(nil, gatedGenerator{f.painter, f.gate})
		c.Bucket = gatedBucket{c.Bucket, f.gate}
	})
	return p, &worker.Notifier{Rows: p.rows.Dispatch, Targets: map[string]worker.Target{target: f.told}, MaxWait: maxWait, Log: slog.New(slog.DiscardHandler)}
}

// work runs a process with a server for every queue.
func (f *floor) work() *process {
	p, notifier := f.process()
	p.announce()
	p.reconcile()
	p.running.Go(func() { p.work.Run(p.ctx, nil) })
	p.every(beatEvery, p.announce)
	p.every(reconcileEvery, p.reconcile)
	f.line.serve(p, tasks.QueueGenerate, 1, map[string]queue.HandlerFunc{tasks.TypeGenerate: p.work.Generate})
	f.line.serve(p, tasks.QueueBackfill, 1, map[string]queue.HandlerFunc{tasks.TypeGenerate: p.work.Generate})
	f.line.serve(p, tasks.UploadQueue(p.spool.ID()), 2, map[string]queue.HandlerFunc{tasks.TypeUpload: p.work.Upload})
	f.line.serve(p, tasks.QueueNotify, 2, map[string]queue.HandlerFunc{tasks.TypeNotify: notifier.Notify})
	return p
}

// subject makes a row that stands where a task of its kind would be needed, or
// stood there before its post was published.
func (f *floor) subject(p *process, n *worker.Notifier, kind string, after bool) subject {
	f.t.Helper()
	ctx := f.t.Context()
	t := subject{kind: kind, after: after, draft: f.draft(fmt.Sprintf("A draft for %s %v", kind, after))}
	jobKind := editorial.KindGenerate
	if kind == "backfill" {
		jobKind = editorial.KindBackfill
	}
	job, _, err := f.api.Submit(ctx, dispatch.Submission{
		Kind: jobKind, Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: 1}, DraftID: t.draft, Caller: "tester",
	})
	f.must(err)
	f.approve(t.draft)
	t.job = job
	img := job.Images[0]
	payload := tasks.NewPayload(img.ID, img.Epoch)
	t.bell = dispatch.Bell{Type: tasks.TypeGenerate, Queue: tasks.QueueGenerate, Payload: payload}
	if kind == "backfill" {
		t.bell.Queue = tasks.QueueBackfill
	}
	if made := kind == "upload" || kind == "notify"; made || after {
		f.must(p.work.Generate(ctx, payload))
		spooled, err := f.store.Image(ctx, img.ID)
		f.must(err)
		if kind == "upload" {
			t.bell = dispatch.Bell{Type: tasks.TypeUpload, Queue: tasks.UploadQueue(p.spool.ID()), Payload: tasks.NewPayload(img.ID, spooled.Epoch)}
		}
	}
	if kind == "notify" || after {
		f.must(p.work.Upload(ctx, tasks.NewPayload(img.ID, 1)))
		t.delivered = f.delivery(t.draft)
	}
	if kind == "notify" {
		t.bell = dispatch.Bell{Type: tasks.TypeNotify, Queue: tasks.QueueNotify, Payload: tasks.NewPayload(t.delivered, 0)}
	}
	if after {
		f.must(n.Notify(ctx, tasks.NewPayload(t.delivered, 0)))
		t.post, t.painted = f.post(t.draft), f.painter.count(img.ID)
	}
	return t
}

func (f *floor) delivery(draft string) (id string) {
	f.t.Helper()
	f.must(f.store.DB().GetContext(f.t.Context(), &id, `SELECT id FROM webhook_deliveries WHERE draft_id = ?`, draft))
	return id
}

func (f *floor) post(draft string) editorial.Post {
	f.t.Helper()
	posts, _, err := f.store.Posts(f.t.Context(), allPosts)
	f.must(err)
	for _, p := range posts {
		if p.TaskID == draft {
			return p
		}
	}
	return editorial.Post{}
}

// later is when scheduled and postponed tasks are due: our own wait at most
// half a minute here.
const later = 20 * time.Second

// put brings the task of a subject, and nothing else, into a state.
func (f *floor) put(t subject, state string) {
	f.t.Helper()
	inspector := asynq.NewInspectorFromRedisClient(f.asynq.Redis())
	options := []asynq.Option{
		asynq.Queue(t.bell.Queue), asynq.TaskID(t.bell.Payload.TaskID()), asynq.MaxRetry(1000), asynq.Timeout(10 * time.Minute),
	}
	switch state {
	case "scheduled":
		options = append(options, asynq.ProcessIn(later))
	case "completed": // none of ours is kept, but another program may ring so
		options = append(options, asynq.Retention(time.Hour))
	}
	_, err := asynq.NewClientFromRedisClient(f.asynq.Redis()).Enqueue(asynq.NewTask(t.bell.Type, t.bell.Payload.Encode()), options...)
	f.must(err)
	switch state {
	case "archived":
		f.must(inspector.ArchiveTask(t.bell.Queue, t.bell.Payload.TaskID()))
	case "retry":
		f.serveOnce(t, &queue.RetryAfter{Delay: later, Reason: "later"})
	case "completed":
		f.serveOnce(t, nil)
	}
}

// serveOnce has a worker take the task and answer so.
func (f *floor) serveOnce(t subject, answer error) {
	f.t.Helper()
	server, err := f.asynq.Start(queue.ServerConfig{
		Queues: map[string]int{t.bell.Queue: 1}, Concurrency: 1, Grace: time.Second, Log: slog.New(slog.DiscardHandler),
		Handlers: map[string]queue.HandlerFunc{t.bell.Type: func(context.Context, tasks.Payload) error { return answer }},
	})
	f.must(err)
	pass(time.Second)
	server.Shutdown()
}

// state is what asynq says of a subject's task; "gone" when it knows none.
func (f *floor) state(t subject) string {
	info, err := asynq.NewInspectorFromRedisClient(f.asynq.Redis()).GetTaskInfo(t.bell.Queue, t.bell.Payload.TaskID())
	if err != nil {
		return "gone"
	}
	return info.State.String()
}
