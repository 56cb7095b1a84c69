package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/queue"
)

const (
	// waitForBackend is how long a picture is left alone whose backend refuses
	// connections, or whose spool does not take it.
	waitForBackend = 10 * time.Second
	// askAfterEvery is how often one that cannot be reached is asked for its
	// health, by one of the pictures that wait for it.
	askAfterEvery   = 5 * time.Second
	askAfterTimeout = 3 * time.Second
	// waitForTurn is how long a picture is left alone whose backend is busy.
	waitForTurn = 2 * time.Second
)

// errBusy says that a backend makes as many pictures as it may, and that one
// more waits for its turn already.
var errBusy = errors.New("the generator is busy")

// backends remembers of each generator how many pictures this process has it
// make, and whether it can be reached. What is known here keeps pictures that
// could not be made anyway out of the worker's places, and their rows unwritten.
type backends struct {
	log     *slog.Logger
	maxWait time.Duration
	turn    time.Duration // the longest wait in a place

	mu   sync.Mutex
	byID map[string]*backend // by name
}

type backend struct {
	limit  int
	busy   int
	next   bool          // somebody waits in a place of the worker's
	freed  chan struct{} // has an element when a picture was finished while somebody waited
	away   *editorial.Failure
	since  time.Time // of away
	probed time.Time
	turned int // pictures turned away since the last probe or turn
}

func newBackends(log *slog.Logger, maxWait, turn time.Duration) *backends {
	return &backends{log: log, maxWait: maxWait, turn: turn, byID: make(map[string]*backend)}
}

// of is called under mu.
func (b *backends) of(g imagegen.Generator) *backend {
	name := g.Name()
	if b.byID[name] == nil {
		b.byID[name] = &backend{limit: imagegen.SettingsOf(g).Concurrency, freed: make(chan struct{}, 1)}
	}
	return b.byID[name]
}

// troubled reports whether any backend is away or taken. In the usual case none
// is, and a task costs no look at its row before the claim.
func (b *backends) troubled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.byID {
		if s.away != nil || s.taken() {
			return true
		}
	}
	return false
}

func (s *backend) taken() bool { return s.limit > 0 && s.busy >= s.limit && s.next }

// enter takes one of the generator's places, waiting for it if nobody else
// does, and calls waits then. errBusy: somebody does, or it took too long.
func (b *backends) enter(ctx context.Context, g imagegen.Generator, waits func()) (leave func(), err error) {
	b.mu.Lock()
	s := b.of(g)
	if s.limit <= 0 || s.busy < s.limit && !s.next {
		s.busy++
		b.mu.Unlock()
		return func() { b.leave(s) }, nil
	}
	if s.next {
		b.mu.Unlock()
		return nil, errBusy
	}
	s.next = true
	b.mu.Unlock()
	waits()
	timer := time.NewTimer(b.turn)
	defer timer.Stop()
	err = errBusy
	select {
	case <-s.freed:
		err = nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.next = false
	if err != nil && s.busy >= s.limit {
		return nil, err
	}
	select { // a place that was freed at the last moment
	case <-s.freed:
	default:
	}
	s.busy++
	s.turned = 0
	return func() { b.leave(s) }, nil
}

func (b *backends) leave(s *backend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.busy--
	if s.next {
		select {
		case s.freed <- struct{}{}:
		default:
		}
	}
}

// lost records that a generator cannot be reached, and since when.
func (b *backends) lost(ctx context.Context, g imagegen.Generator, f *editorial.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(g)
	if s.away == nil {
		s.since = time.Now()
		b.log.WarnContext(ctx, "a generator cannot be reached; pictures wait for it", "generator", g.Name(), "message", f.Message)
	}
	s.away, s.probed = f, time.Now()
}

func (b *backends) found(ctx context.Context, g imagegen.Generator) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.of(g); s.away != nil {
		b.log.InfoContext(ctx, "a generator can be reached again", "generator", g.Name(), "after", time.Since(s.since).Round(time.Second))
		s.away, s.turned = nil, 0
	}
}

// missing is why a generator cannot be reached, nil when it can or nobody has
// tried. given says that it has been waited for as long as its settings allow.
func (b *backends) missing(g imagegen.Generator) (why *editorial.Failure, given bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(g)
	if s.away == nil {
		return nil, false
	}
	f := *s.away
	wait := imagegen.SettingsOf(g).Wait
	return &f, wait > 0 && time.Since(s.since) >= wait
}

// probe asks a generator that is away whether it is there again. Of many that
// would ask at once, one does.
func (b *backends) probe(ctx context.Context, g imagegen.Generator) {
	b.mu.Lock()
	s := b.of(g)
	due := s.away != nil && time.Since(s.probed) >= askAfterEvery
	if due {
		s.probed = time.Now()
	}
	b.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askAfterTimeout)
	defer cancel()
	if g.Health(ctx) == nil {
		b.found(ctx, g)
	}
}

// turnAway is what a task is told whose picture could not be made now, nil when
// it could. Nothing is claimed and nothing is written: said is the failure that
// the picture's row shows already.
func (b *backends) turnAway(ctx context.Context, g imagegen.Generator, said *editorial.Failure) *queue.RetryAfter {
	b.probe(ctx, g)
	why, given := b.missing(g)
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(g)
	switch {
	case why != nil && !given && said != nil && said.Provider == why.Provider && said.Code == why.Code:
		return &queue.RetryAfter{Delay: b.delay(s, waitForBackend), Reason: why.Error()}
	case why == nil && s.taken():
		return &queue.RetryAfter{Delay: b.delay(s, waitForTurn), Reason: g.Name() + " is busy with other pictures"}
	}
	return nil
}

// delay grows with the number of pictures that wait, so that a long queue in
// front of one generator costs the others nothing: a hundred looks a second at
// most, by nobody knows how many tasks.
func (b *backends) delay(s *backend, least time.Duration) time.Duration {
	s.turned++
	return min(least+time.Duration(s.turned)*10*time.Millisecond, max(b.maxWait, least))
}
