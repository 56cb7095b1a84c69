package worker_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// request submits a job as it stands.
func (s *site) request(r editorial.Request) editorial.Job {
	s.t.Helper()
	job, _, err := s.api.Submit(s.t.Context(), dispatch.Submission{Request: r, Caller: "tester"})
	s.must(err)
	return job
}

// Canceling stops the provider's job of that picture and no other.
func TestCancelStopsTheRightJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		g := &gpu{name: "sdcpp", takes: 10 * time.Minute}
		p := s.with(g)
		hurry, stops := make(chan struct{}, 1), make(chan struct{}, 1)
		p.running.Go(func() { p.work.Run(p.ctx, hurry) })
		p.running.Go(func() { p.work.RunStops(p.ctx, stops) })
		mine, other := s.submit("", 1), s.submit("", 1)
		ends := make(chan error, 2)
		for _, job := range []editorial.Job{mine, other} {
			go func() { ends <- p.generate(job.Images[0].ID) }()
		}
		pass(time.Second)
		_, err := s.api.Cancel(t.Context(), mine.ID, "ann")
		s.must(err)
		hurry <- struct{}{}
		stops <- struct{}{}
		s.must(<-ends)
		pass(time.Minute)
		if diff := cmp.Diff([]string{"job of " + mine.Images[0].ID}, g.canceled); diff != "" {
			t.Errorf("stopped (-want +got):\n%s", diff)
		}
		if n := s.events(mine.ID)["image.stopped"]; n != 1 {
			t.Errorf("%d events image.stopped, want 1", n)
		}
		s.must(<-ends)
		if got := s.job(other.ID).Images[0].State; got != editorial.StateUploading {
			t.Errorf("the other picture is %s, want it made", got)
		}
	})
}

// The worker dies while its generator draws, and the picture is canceled with
// nobody there: the next worker tells the generator.
func TestCancelAfterARestartStopsTheJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		g := &gpu{name: "sdcpp", takes: time.Hour}
		first := s.with(g)
		img := s.submit("", 1).Images[0]
		done := make(chan error, 1)
		go func() { done <- first.generate(img.ID) }()
		pass(time.Second)
		first.life.die()
		<-done
		_, err := s.api.Cancel(t.Context(), img.JobID, "ann")
		s.must(err)
		if len(g.canceled) != 0 {
			t.Fatalf("stopped %q before there was a worker", g.canceled)
		}
		next := s.with(g)
		for range 3 {
			next.work.StopCanceled(t.Context())
		}
		if diff := cmp.Diff([]string{"job of " + img.ID}, g.canceled); diff != "" {
			t.Errorf("stopped, once (-want +got):\n%s", diff)
		}
	})
}

func TestAStopThatDoesNotWork(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		tries int // of three
	}{
		"cannot be stopped": {imagegen.Terminalf("cannot_stop", "it is drawing already"), 1},
		"no answer now":     {imagegen.Transientf("unavailable", "it answers 503"), 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, newBelfry())
				g := &gpu{name: "sdcpp", takes: time.Hour, cancelError: tt.err}
				p := s.with(g)
				img := s.submit("", 1).Images[0]
				go func() { _ = p.generate(img.ID) }()
				pass(time.Second)
				_, err := s.api.Cancel(t.Context(), img.JobID, "ann")
				s.must(err)
				for range 3 {
					p.work.StopCanceled(t.Context())
				}
				if len(g.canceled) != tt.tries {
					t.Errorf("tried %d times, want %d", len(g.canceled), tt.tries)
				}
				p.life.kill()
			})
		})
	}
}

// A worker that lost its claim to another leaves the provider's job alone: the
// other is waiting for that very job.
func TestALostClaimStopsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		g := &gpu{name: "sdcpp", takes: time.Hour}
		p := s.with(g)
		hurry := make(chan struct{}, 1)
		img := s.submit("", 1).Images[0]
		done := make(chan error, 1)
		go func() { done <- p.generate(img.ID) }()
		pass(lease + time.Second) // no heartbeat
		_, _, err := s.api.ClaimGenerate(t.Context(), img.ID)
		s.must(err)
		p.running.Go(func() { p.work.Run(p.ctx, hurry) })
		hurry <- struct{}{}
		s.must(<-done)
		p.work.StopCanceled(t.Context())
		if len(g.canceled) != 0 {
			t.Errorf("stopped %q", g.canceled)
		}
	})
}

func TestDeadlineOfAPicture(t *testing.T) {
	t.Parallel()
	overdue := outcome{State: "failed", Attempt: 1, Code: "deadline_exceeded", Stage: "generate", Class: "terminal"}
	tests := []struct {
		name  string
		takes time.Duration
		away  bool
		late  time.Duration // of the first task
		want  outcome
	}{
		{name: "in time", takes: 20 * time.Second, want: outcome{State: "uploading"}},
		{name: "while it is made", takes: time.Minute, want: overdue},
		{name: "before anybody comes to it", takes: time.Second, late: 31 * time.Second, want: overdue},
		{name: "while its generator is away", away: true, want: overdue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, newBelfry())
				g := &gpu{name: "sdcpp", takes: tt.takes, away: tt.away}
				p := s.with(g, second{s.painter})
				job := s.request(editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Timeout: 30})
				start := time.Now()
				pass(tt.late)
				err := p.generate(job.Images[0].ID)
				for n := 0; err != nil && n < 10; n++ {
					pass(delayOf(t, err))
					err = p.generate(job.Images[0].ID)
				}
				if diff := cmp.Diff(tt.want, s.outcome(job.Images[0].ID, err)); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				if took := time.Since(start); took > 32*time.Second {
					t.Errorf("it ended after %v", took)
				}
				if stopped := len(g.canceled) > 0; stopped != (tt.name == "while it is made") {
					t.Errorf("stopped %q", g.canceled)
				}
			})
		})
	}
}

// What waits in a long queue ends at its deadline, not when its turn comes; an
// operator's retry gives it its time again.
func TestTheQueueOutlastsADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		job := s.request(editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Timeout: 30})
		free := s.submit("", 1)
		pass(time.Minute)
		r, err := s.api.Reconcile(t.Context())
		s.must(err)
		got := s.job(job.ID)
		if r.Overdue != 1 || got.State != editorial.JobFailed || got.Failure == nil || got.Failure.Code != "deadline_exceeded" {
			t.Errorf("overdue %d, job %s, %v; want it failed with deadline_exceeded", r.Overdue, got.State, got.Failure)
		}
		if got := s.job(free.ID).State; got != editorial.JobQueued {
			t.Errorf("a job without a deadline is %s", got)
		}
		_, err = s.api.Retry(t.Context(), job.ID, "olga")
		s.must(err)
		p := s.with(second{s.painter})
		if diff := cmp.Diff(outcome{State: "uploading"}, s.outcome(job.Images[0].ID, p.generate(job.Images[0].ID))); diff != "" {
			t.Errorf("after a retry (-want +got):\n%s", diff)
		}
	})
}

// Generators get an editor's wish behind the prompt.
func TestTheWishReachesTheGenerator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		g := &gpu{name: "sdcpp"}
		p := s.with(g)
		for _, r := range []editorial.Request{
			{Prompt: "a lighthouse.", Instruction: "**Warmer** light <lora:x:1>"},
			{Prompt: strings.Repeat("a long prompt ", 35), Instruction: "no people at all"},
		} {
			r.UseGeneration = true
			s.must(p.generate(s.request(r).Images[0].ID))
		}
		if g.prompts[0] != "a lighthouse. Warmer light" {
			t.Errorf("sent %q", g.prompts[0])
		}
		if sent := g.prompts[1]; len(sent) > 500 || !strings.HasSuffix(sent, "a long. no people at all") {
			t.Errorf("sent %q", sent)
		}
	})
}
