package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/worker"
)

// gpu is a server that may be away, and that counts.
type gpu struct {
	name string

	mu                    sync.Mutex
	away                  bool
	health, asked, at     int
	most                  int // at once
	canceled              []string
	prompts               []string
	takes                 time.Duration
	cancelError, askError error
}

func (g *gpu) Name() string { return g.name }

func (g *gpu) Health(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.health++
	if g.away {
		return errAway
	}
	return nil
}

func (g *gpu) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	if err := g.begin(req); err != nil {
		return imagegen.Result{}, err
	}
	defer g.end()
	if err := req.Started(ctx, "job of "+req.ImageID); err != nil {
		return imagegen.Result{}, err
	}
	select {
	case <-time.After(g.takes):
		return imagegen.Result{Bytes: paint(req.ImageID), Seed: req.Seed}, nil
	case <-ctx.Done():
		return imagegen.Result{}, ctx.Err()
	}
}

func (g *gpu) begin(req imagegen.Request) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	if g.away {
		return &imagegen.Error{Class: editorial.Transient, Code: "unreachable", Message: "connection refused", Unreachable: true}
	}
	if g.askError != nil {
		return g.askError
	}
	g.prompts = append(g.prompts, req.Prompt)
	g.at++
	g.most = max(g.most, g.at)
	return nil
}

func (g *gpu) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at--
}

func (g *gpu) Cancel(_ context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.canceled = append(g.canceled, id)
	return g.cancelError
}

func (g *gpu) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// with is a worker whose chain is the given generators.
func (s *site) with(list ...imagegen.Generator) *process {
	return s.open(s.t.Context(), &life{}, func(c *worker.Config) {
		c.Chain = imagegen.NewChain(nil, list...)
		c.TurnWait, c.GenerateTimeout = 30*time.Second, time.Hour
		c.Looks, c.Stops = s.api, s.api
	})
}

// delayOf is how long a task is told to wait, and fails for any other outcome.
func delayOf(t *testing.T, err error) time.Duration {
	t.Helper()
	var again *queue.RetryAfter
	if !errors.As(err, &again) {
		t.Fatalf("the task ended with %v, want it to come back", err)
	}
	return again.Delay
}

// A generator that is away is asked once and then waited for: no attempt is
// burnt, the rows of those that wait are written once each, and it is one of
// them that finds it back.
func TestAGeneratorThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		g := &gpu{name: "sdcpp", away: true}
		p := s.with(imagegen.Configure(g, imagegen.Settings{Concurrency: 1}))
		job := s.submit("", 3)
		for range 20 { // a minute and a half of tasks that come back
			for _, img := range job.Images {
				if d := delayOf(t, p.generate(img.ID)); d < time.Second || d > maxWait {
					t.Errorf("the task comes back after %v", d)
				}
			}
			pass(5 * time.Second)
		}
		if g.asked != 1 || g.health == 0 || g.health > 20 {
			t.Errorf("it was asked for a picture %d times and for its health %d times, want 1 and at most 20", g.asked, g.health)
		}
		for _, img := range s.job(job.ID).Images {
			if img.Attempt != 0 || img.State != editorial.StateQueued || img.Failure == nil || img.Failure.Code != "unreachable" {
				t.Errorf("image %d: %s, attempt %d, %v; want it queued, no attempt and the reason", img.Number, img.State, img.Attempt, img.Failure)
			}
		}
		if n := s.events(job.ID)["image.postponed"]; n != 3 {
			t.Errorf("%d postponements were written for 3 pictures, want one each", n)
		}
		g.set(func() { g.away = false })
		pass(5 * time.Second)
		s.must(p.generate(job.Images[2].ID))
	})
}

// events counts a job's events by type.
func (s *site) events(jobID string) map[string]int {
	s.t.Helper()
	list, err := s.store.Events(s.t.Context(), jobID, 0, 1000)
	s.must(err)
	count := map[string]int{}
	for _, e := range list {
		count[e.Type]++
	}
	return count
}

func TestAGeneratorThatStaysAwayIsPassedBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		g := &gpu{name: "sdcpp", away: true}
		p := s.with(imagegen.Configure(g, imagegen.Settings{Wait: time.Minute}), second{s.painter})
		img := s.submit("", 1).Images[0]
		for start := time.Now(); time.Since(start) < time.Minute; {
			pass(delayOf(t, p.generate(img.ID)))
		}
		s.must(p.generate(img.ID))
		want := outcome{State: "uploading", Steps: "sdcpp unreachable"}
		if diff := cmp.Diff(want, s.outcome(img.ID, nil)); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
	})
}

// A spent budget names its time: it is waited for when the settings allow it.
func TestAGeneratorThatTakesNoMoreForNow(t *testing.T) {
	t.Parallel()
	spent := &imagegen.Error{Class: editorial.Transient, Code: "hourly_budget_spent", Message: "none left", Unreachable: true, RetryAfter: 40 * time.Minute}
	for name, tt := range map[string]struct {
		wait time.Duration
		want outcome
	}{
		"waited for": {0, outcome{Again: true, State: "queued", Code: "hourly_budget_spent", Stage: "generate", Class: "transient"}},
		"passed by":  {time.Minute, outcome{State: "uploading", Steps: "pexels hourly_budget_spent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, newBelfry())
				p := s.with(imagegen.Configure(&gpu{name: "pexels", askError: spent}, imagegen.Settings{Wait: tt.wait}), second{s.painter})
				img := s.submit("", 1).Images[0]
				if diff := cmp.Diff(tt.want, s.outcome(img.ID, p.generate(img.ID))); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// However many places a worker has, a generator gets no more pictures at once
// than it can take; one waits in a place of the worker's, so that there is no
// pause between two, and the others leave their places to other generators.
func TestNoMoreAtOnceThanAGeneratorTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		g := &gpu{name: "sdcpp", takes: 20 * time.Second}
		p := s.with(imagegen.Configure(g, imagegen.Settings{Concurrency: 2}), second{s.painter})
		job, other := s.submit("", 5), s.named("second")
		ends := make(chan error, 5)
		for _, img := range job.Images {
			go func() { ends <- p.generate(img.ID) }()
			pass(time.Second)
		}
		turnedAway := 0
		for range 2 { // the fourth and the fifth
			if delayOf(t, <-ends) < waitAtLeast {
				t.Error("a picture that was turned away comes back at once")
			}
			turnedAway++
		}
		s.must(p.generate(other.Images[0].ID)) // a place is free for another generator
		for range 3 {
			s.must(<-ends)
		}
		if g.most != 2 || turnedAway != 2 {
			t.Errorf("%d pictures at once, %d turned away; want 2 and 2", g.most, turnedAway)
		}
		for _, img := range s.job(job.ID).Images {
			if img.State == editorial.StateQueued {
				s.must(p.generate(img.ID))
			}
		}
		if n := s.events(job.ID); n["image.generating"] != 5 || n["image.postponed"] != 0 || n["image.spooled"] != 5 {
			t.Errorf("events %v, want one claim a picture and nothing written for those that were turned away", n)
		}
	})
}

const waitAtLeast = time.Second

// named submits a job for one generator.
func (s *site) named(generator string) editorial.Job {
	s.t.Helper()
	job := s.request(editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Generator: generator})
	return job
}

// A picture that waits too long for its turn gives its place back.
func TestATurnThatDoesNotCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		p := s.with(imagegen.Configure(&gpu{name: "sdcpp", takes: 10 * time.Minute}, imagegen.Settings{Concurrency: 1}))
		job := s.submit("", 2)
		end := make(chan error, 1)
		go func() { end <- p.generate(job.Images[0].ID) }()
		pass(time.Second)
		before := time.Now()
		err := p.generate(job.Images[1].ID)
		if waited := time.Since(before); waited != 30*time.Second {
			t.Errorf("it held a place for %v, want TurnWait", waited)
		}
		want := outcome{Again: true, State: "queued", Code: "generator_busy", Stage: "generate", Class: "transient"}
		if diff := cmp.Diff(want, s.outcome(job.Images[1].ID, err)); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
		s.must(<-end)
	})
}
