package worker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/blob/file"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The pace of the embedded program (internal/app).
const (
	lease          = 20 * time.Second
	reconcileEvery = 5 * time.Second
	beatEvery      = 10 * time.Second
	maxWait        = 30 * time.Second
	painting       = 2 * time.Second // what the generator takes for a picture
)

// site is everything that outlives a process: rows, disks, the queue, and what
// the generator has been paid for.
type site struct {
	t       *testing.T
	store   *store.Store
	dir     string
	line    line
	painter *painter
	bill    *bill
	weather *weather
	targets []string           // who is told of posts
	tracing *telemetry.Tracing // nil: nobody traces
	api     *dispatch.Dispatch // the process that answers requests
	apiLife *life
}

// migrated is an empty database that has taken every migration, as bytes.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "frontispiece-worker-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "frontispiece.db")
	s, err := store.Open(context.Background(), "sqlite:"+path, store.Options{})
	if err != nil {
		return nil, err
	}
	_, err = s.Migrate(context.Background())
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func newSite(t *testing.T, l line) *site {
	t.Helper()
	dir := t.TempDir()
	empty, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "frontispiece.db")
	if err := os.WriteFile(path, empty, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: db, dir: dir, line: l, bill: newBill()}
	s.painter = &painter{bill: s.bill, takes: painting, calls: map[string]int{}}
	s.apiLife = &life{kill: func() {}}
	s.api = s.dispatch(s.apiLife)
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) dispatch(l *life) *dispatch.Dispatch {
	return dispatch.New(dispatch.Config{
		Store: s.store, Ringer: bells{s.line, l}, Notifier: nobody{}, Capabilities: always{}, Links: ownLinks{},
		Log: slog.New(slog.DiscardHandler), Lease: lease, Targets: s.targets,
	})
}

type nobody struct{}

func (nobody) Notify(context.Context, ...dispatch.Note) {}

type always struct{}

func (always) CanAnswer(editorial.Request) bool { return true }

type ownLinks struct{}

func (ownLinks) KeyOf(string) (string, bool) { return "", false }

// process is one worker process: its own life, its own dispatch, the same site.
type process struct {
	*site
	life    *life
	ctx     context.Context //nolint:containedctx // the process's own end is what it stands for
	work    *worker.Worker
	rows    rows
	spool   *spool.Spool
	running sync.WaitGroup
}

// open builds a process that is not running yet. change may be nil.
func (s *site) open(ctx context.Context, l *life, change func(*worker.Config)) *process {
	s.t.Helper()
	p := &process{site: s, life: l}
	p.ctx, l.kill = context.WithCancel(ctx)
	sp, err := spool.Open(filepath.Join(s.dir, "spool"), 1<<30)
	s.must(err)
	local, err := file.Open(filepath.Join(s.dir, "images"))
	s.must(err)
	s.t.Cleanup(func() { l.kill(); p.running.Wait(); sp.Close(); local.Close() })
	distribution, err := cdn.New(cdn.Config{Local: local.Handler()})
	s.must(err)
	p.spool, p.rows = sp, rows{s.dispatch(l), l}
	c := worker.Config{
		GenerateRows: p.rows, UploadRows: p.rows, Outcomes: p.rows, Claims: p.rows,
		Chain: imagegen.NewChain(nil, generator{s.painter, l}), Spool: disk{sp, l, s.bill}, SpoolID: sp.ID(),
		Bucket: bucket{local, l, s.bill}, Delivery: delivery{distribution, l}, Log: slog.New(slog.DiscardHandler),
		Lease: lease, GenerateTimeout: time.Minute, GenerateAttempts: 3, UploadTimeout: time.Minute,
		UploadFor: 72 * time.Hour, MaxWait: maxWait, Renditions: []int{32}, Decoders: 2,
	}
	if change != nil {
		change(&c)
	}
	p.work = worker.New(c)
	return p
}

// start runs a process as app.RunWorker does: announce, reconcile, keep claims,
// handle tasks. embedded is a start of a process that is alone with its folder.
func (s *site) start(l *life, embedded bool) *process {
	s.t.Helper()
	l.weather = s.weather
	p := s.open(context.Background(), l, nil)
	if embedded {
		_, err := s.store.DropClaims(p.ctx)
		s.must(err)
	}
	p.announce()
	p.reconcile()
	p.running.Go(func() { p.work.Run(p.ctx, nil) })
	p.every(beatEvery, p.announce)
	p.every(reconcileEvery, p.reconcile)
	s.line.serve(p, tasks.QueueGenerate, 1, map[string]queue.HandlerFunc{tasks.TypeGenerate: p.work.Generate})
	s.line.serve(p, tasks.UploadQueue(p.spool.ID()), 2, map[string]queue.HandlerFunc{tasks.TypeUpload: p.work.Upload})
	return p
}

func (p *process) every(interval time.Duration, do func()) {
	p.running.Go(func() {
		for p.pause(interval) {
			if p.life.waitForThaw(); p.life.alive() {
				do()
			}
		}
	})
}

// pause waits, and is false when the process has ended.
func (p *process) pause(d time.Duration) bool {
	select {
	case <-p.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (p *process) announce() {
	_ = p.rows.BeatSpool(p.ctx, store.Spool{ID: p.spool.ID(), Host: "test"}) // the next beat comes
}

func (p *process) reconcile() {
	_, _ = p.rows.Reconcile(p.tracing.In(p.ctx)) // it runs again
}

// pass lets virtual time go by.
func pass(d time.Duration) { <-time.After(d) }

// draft makes a draft awaiting approval.
func (s *site) draft(title string) string {
	s.t.Helper()
	d, err := s.api.CreateDraft(s.t.Context(), map[string]any{
		"topic": title, "title": title, "status": "awaiting_approval", "content": "The text of " + title + ".",
	})
	s.must(err)
	return d.ID
}

func (s *site) submit(draftID string, count int) editorial.Job {
	s.t.Helper()
	job, _, err := s.api.Submit(s.t.Context(), dispatch.Submission{
		Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: count}, DraftID: draftID, Caller: "tester",
	})
	s.must(err)
	return job
}

func (s *site) approve(draftID string) {
	s.t.Helper()
	_, err := s.api.Decide(s.t.Context(), dispatch.Decision{DraftID: draftID, Approved: true, Reviewer: "jane"})
	s.must(err)
}

// waitFor lets time pass until a job has ended, at most limit.
func (s *site) waitFor(jobID string, limit time.Duration) {
	s.t.Helper()
	for start := time.Now(); !s.job(jobID).State.IsFinal(); pass(checkEvery) {
		if time.Since(start) > limit {
			s.t.Fatalf("after %s the job is %s", limit, s.job(jobID).State)
		}
	}
}

func (s *site) job(id string) editorial.Job {
	s.t.Helper()
	job, err := s.store.Job(s.t.Context(), id)
	s.must(err)
	return job
}

// bill remembers what must never happen twice, and says when it did.
type bill struct {
	mu      sync.Mutex
	spooled map[string]time.Time       // image -> when its bytes reached the spool first
	digests map[string]map[string]bool // key -> digests ever offered under it
	wrongs  []string
}

func newBill() *bill {
	return &bill{spooled: map[string]time.Time{}, digests: map[string]map[string]bool{}}
}

func (b *bill) paid(imageID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.spooled[imageID]; !ok {
		b.spooled[imageID] = time.Now()
	}
}

// asked is a call of the generator. At the very moment of the put it may have
// been under way already.
func (b *bill) asked(imageID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := b.spooled[imageID]; ok && time.Now().After(at) {
		b.wrongs = append(b.wrongs, fmt.Sprintf("P2: image %s was generated again after its bytes were in the spool", imageID))
	}
}

func (b *bill) offered(key, digest string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.digests[key] == nil {
		b.digests[key] = map[string]bool{}
	}
	if b.digests[key][digest] = true; len(b.digests[key]) > 1 {
		b.wrongs = append(b.wrongs, "P7: other bytes were offered under the key "+key)
	}
}

// painter is a generator that counts: equal images get equal pictures, and no
// two images the same.
type painter struct {
	bill   *bill
	takes  time.Duration
	answer func(imagegen.Request) (imagegen.Result, error) // nil: a picture

	mu    sync.Mutex
	calls map[string]int
}

func (*painter) Name() string                 { return "painter" }
func (*painter) Health(context.Context) error { return nil }

func (p *painter) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	p.bill.asked(req.ImageID)
	p.mu.Lock()
	p.calls[req.ImageID]++
	p.mu.Unlock()
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return imagegen.Result{}, ctx.Err()
	}
	if p.answer != nil {
		return p.answer(req)
	}
	return imagegen.Result{Bytes: paint(req.ImageID), Seed: req.Seed, Model: "noise"}, nil
}

func (p *painter) count(imageID string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[imageID]
}

// paint draws noise that is an image's own; its first pixels are the image's id.
func paint(imageID string) []byte {
	seed := sha256.Sum256([]byte(imageID))
	noise := rand.New(rand.NewChaCha8(seed))
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range img.Pix {
		img.Pix[i] = byte(noise.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	for x, b := range uuid.MustParse(imageID) {
		img.SetNRGBA(x, 0, color.NRGBA{b, b, b, 255})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // unreachable: a buffer takes everything
	}
	return out.Bytes()
}

// painted is the image whose picture this is.
func painted(data []byte) (imageID string, err error) {
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	var id uuid.UUID
	for x := range id {
		r, _, _, _ := img.At(x, 0).RGBA()
		id[x] = byte(r)
	}
	return id.String(), nil
}
