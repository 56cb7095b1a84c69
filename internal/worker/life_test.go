package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/worker"
)

var errDead = errors.New("this process is dead")

// life is one incarnation of a process. Whatever the process does to the world
// is a step of it, and once it is dead no step has any effect: a dead process
// leaves no more traces, however much of its code still runs in the test.
type life struct {
	weather *weather // faults that are nobody's death; nil for none
	kill    context.CancelFunc
	diedAt  time.Time

	mu     sync.Mutex
	steps  []string
	dieAt  int  // the number of the step to die at; 0: none
	before bool // its effect is lost too
	dead   bool
	thaw   chan struct{} // open while the process is frozen
}

// step does something to the world, if the process is alive to do it.
func (l *life) step(name string, do func() error) error {
	number, err := l.enter(name)
	if err != nil {
		return err
	}
	if err := l.weather.strike(name + ", not done"); err != nil {
		return err
	}
	err = do()
	if dead := l.leave(number); dead != nil {
		return dead
	}
	if err == nil {
		err = l.weather.strike(name + ", answer lost")
	}
	return err
}

func (l *life) enter(name string) (number int, err error) {
	l.waitForThaw()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return 0, errDead
	}
	l.steps = append(l.steps, name)
	if len(l.steps) == l.dieAt && l.before {
		l.dieLocked()
		return 0, errDead
	}
	return len(l.steps), nil
}

func (l *life) leave(number int) error {
	l.waitForThaw()
	l.mu.Lock()
	defer l.mu.Unlock()
	if number == l.dieAt {
		l.dieLocked()
	}
	if l.dead {
		return errDead
	}
	return nil
}

func (l *life) die() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dieLocked()
}

func (l *life) dieLocked() {
	if !l.dead {
		l.dead, l.diedAt = true, time.Now()
		l.kill()
	}
}

func (l *life) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead
}

// beats reports whether the process runs at all: neither dead nor frozen.
func (l *life) beats() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead && l.thaw == nil
}

// freeze stops the process at its next step, as a paused machine would.
func (l *life) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.thaw == nil {
		l.thaw = make(chan struct{})
	}
}

func (l *life) unfreeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.thaw != nil {
		close(l.thaw)
		l.thaw = nil
	}
}

func (l *life) waitForThaw() {
	l.mu.Lock()
	thaw := l.thaw
	l.mu.Unlock()
	if thaw != nil {
		<-thaw
	}
}

// rows is what a process reports to the database, and when.
type rows struct {
	*dispatch.Dispatch
	life *life
}

var (
	_ worker.GenerateRows = rows{}
	_ worker.UploadRows   = rows{}
	_ worker.Outcomes     = rows{}
	_ worker.Claims       = rows{}
)

func (r rows) ClaimGenerate(ctx context.Context, id string) (img editorial.Image, job editorial.Job, err error) {
	err = r.life.step("row: generating", func() error { img, job, err = r.Dispatch.ClaimGenerate(ctx, id); return err })
	return img, job, err
}

func (r rows) ClaimUpload(ctx context.Context, id string) (img editorial.Image, job editorial.Job, err error) {
	err = r.life.step("row: claimed for upload", func() error { img, job, err = r.Dispatch.ClaimUpload(ctx, id); return err })
	return img, job, err
}

func (r rows) Started(ctx context.Context, img editorial.Image, backend, id string) error {
	return r.life.step("row: started", func() error { return r.Dispatch.Started(ctx, img, backend, id) })
}

func (r rows) MovedOn(ctx context.Context, img editorial.Image) error {
	return r.life.step("row: moved on", func() error { return r.Dispatch.MovedOn(ctx, img) })
}

func (r rows) Spooled(ctx context.Context, img editorial.Image) error {
	return r.life.step("row: spooled", func() error { return r.Dispatch.Spooled(ctx, img) })
}

func (r rows) Finished(ctx context.Context, img editorial.Image) error {
	return r.life.step("row: finished", func() error { return r.Dispatch.Finished(ctx, img) })
}

func (r rows) Stored(ctx context.Context, img editorial.Image) error {
	return r.life.step("row: stored", func() error { return r.Dispatch.Stored(ctx, img) })
}

func (r rows) Replace(ctx context.Context, img editorial.Image, f *editorial.Failure) error {
	return r.life.step("row: replaced", func() error { return r.Dispatch.Replace(ctx, img, f) })
}

func (r rows) Postpone(ctx context.Context, img editorial.Image, f *editorial.Failure, delay time.Duration, counted bool) error {
	return r.life.step("row: postponed", func() error { return r.Dispatch.Postpone(ctx, img, f, delay, counted) })
}

func (r rows) GiveUp(ctx context.Context, img editorial.Image, f *editorial.Failure) error {
	return r.life.step("row: given up", func() error { return r.Dispatch.GiveUp(ctx, img, f) })
}

// Extend is a heartbeat and no step of a picture's way.
func (r rows) Extend(ctx context.Context, tokens []string) ([]string, error) {
	r.life.waitForThaw()
	if !r.life.alive() {
		return nil, errDead
	}
	return r.Dispatch.Extend(ctx, tokens)
}

// bells is a process's way to the queue.
type bells struct {
	dispatch.Ringer
	life *life
}

func (b bells) Ring(ctx context.Context, rung ...dispatch.Bell) error {
	return b.life.step("ring "+rung[0].Type, func() error { return b.Ringer.Ring(ctx, rung...) })
}

// disk is a process's way to the spool; it remembers what is paid for.
type disk struct {
	*spool.Spool
	life *life
	bill *bill
}

func (d disk) Find(id string) (found []spool.Entry, err error) {
	err = d.life.step("spool: find", func() error { found, err = d.Spool.Find(id); return err })
	return found, err
}

func (d disk) Read(id, digest string) (data, facts []byte, err error) {
	err = d.life.step("spool: read", func() error { data, facts, err = d.Spool.Read(id, digest); return err })
	return data, facts, err
}

func (d disk) Put(ctx context.Context, id string, facts, data []byte) (entry spool.Entry, err error) {
	var side struct{ Kind string }
	if err := json.Unmarshal(facts, &side); err != nil {
		return entry, err
	}
	err = d.life.step("spool: put "+side.Kind, func() error {
		if entry, err = d.Spool.Put(ctx, id, facts, data); err == nil && side.Kind == "raw" {
			d.bill.paid(id)
		}
		return err
	})
	return entry, err
}

func (d disk) Write(ctx context.Context, id string, facts, data []byte) (part *spool.Part, err error) {
	err = d.life.step("spool: write", func() error { part, err = d.Spool.Write(ctx, id, facts, data); return err })
	return part, err
}

func (d disk) Keep(parts ...*spool.Part) error {
	return d.life.step("spool: keep", func() error { return d.Spool.Keep(parts...) })
}

func (d disk) RemoveImage(id string) error {
	return d.life.step("spool: remove", func() error { return d.Spool.RemoveImage(id) })
}

// bucket is a process's way to the objects; it remembers which bytes were ever
// offered under which key.
type bucket struct {
	blob.Bucket
	life *life
	bill *bill
}

func (b bucket) Put(ctx context.Context, o blob.Object) error {
	return b.life.step("put", func() error { b.bill.offered(string(o.Key), o.SHA256); return b.Bucket.Put(ctx, o) })
}

// delivery is a process's way to the public URL.
type delivery struct {
	worker.Delivery
	life *life
}

func (d delivery) Verify(ctx context.Context, key, digest string, size int64) error {
	return d.life.step("fetch back", func() error { return d.Delivery.Verify(ctx, key, digest, size) })
}

// generator is a process's way to what makes pictures.
type generator struct {
	imagegen.Generator
	life *life
}

func (g generator) Generate(ctx context.Context, req imagegen.Request) (result imagegen.Result, err error) {
	err = g.life.step("generator", func() error { result, err = g.Generator.Generate(ctx, req); return err })
	return result, err
}
