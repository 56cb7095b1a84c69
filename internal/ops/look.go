package ops

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
)

const (
	// lookFor is how long a look is good: pages refresh and scrapers come in
	// pairs, and none of them may cost more than the work itself.
	lookFor = 4 * time.Second
	// lookTimeout bounds one part of a look.
	lookTimeout = 3 * time.Second
)

// View is what a look has seen. A part that could not be seen has its error.
type View struct {
	At     time.Time // by the database's clock where that answered
	Survey store.Survey

	Workers []store.Worker
	Spools  []store.Spool
	Rows    error // why the rows could not be read

	Queues []queue.Condition
	Queue  error

	Generators []Generator
	Budgets    []Budget
	Budget     error
}

// cache is the last look, shared by all who ask within a while.
type cache struct {
	mu   sync.Mutex
	view View
	at   time.Time
}

// Look returns a look that is at most a few seconds old. Whoever comes while
// one is being taken waits for it.
func (o *Room) Look(ctx context.Context) View {
	o.seen.mu.Lock()
	defer o.seen.mu.Unlock()
	if time.Since(o.seen.at) < lookFor {
		return o.seen.view
	}
	// Not the caller's context: the others who wait want it too.
	o.seen.view, o.seen.at = o.look(context.WithoutCancel(ctx)), time.Now()
	return o.seen.view
}

// forget has the next look taken anew, after a button.
func (o *Room) forget() {
	o.seen.mu.Lock()
	defer o.seen.mu.Unlock()
	o.seen.at = time.Time{}
}

func (o *Room) look(ctx context.Context) View {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	v := View{At: time.Now().UTC()}
	var parts errgroup.Group
	parts.Go(func() error { v.Rows = o.lookAtRows(ctx, &v); return nil })
	parts.Go(func() error { v.Queues, v.Queue = o.Queues.Conditions(ctx); return nil })
	parts.Go(func() error { v.Generators = o.Generators(ctx); return nil })
	parts.Go(func() error { v.Budgets, v.Budget = o.Budgets(ctx); return nil })
	_ = parts.Wait() // each keeps its own error
	return v
}

func (o *Room) lookAtRows(ctx context.Context, v *View) (err error) {
	var now time.Time
	if v.Survey, now, err = o.Rows.Survey(ctx); err != nil {
		return err
	}
	v.At = now
	if v.Workers, err = o.Rows.Workers(ctx); err != nil {
		return err
	}
	v.Spools, err = o.Rows.Spools(ctx)
	return err
}

// silentAfter is three heartbeats: one may be late.
const silentAfter = 35 * time.Second

// alive reports whether something seen then is there at a look.
func (v View) alive(seen time.Time) bool { return v.At.Sub(seen) < silentAfter }
