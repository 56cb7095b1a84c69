package worker_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

var (
	seeds     = flag.Int("seeds", 15, "how many storms TestAnyStorm goes through")
	firstSeed = flag.Uint64("first-seed", 1, "the first of their seeds")
)

// Two workers, a site full of editors, and everything fails at random: rings
// and answers are lost, the queue is flushed, rows and bucket are away, the
// generator errs, workers are killed and frozen. When the storm is over
// everything that was accepted ends in time, and no promise is broken.
//
// A seed tells which faults come, not how goroutines interleave: a seed that
// fails may need to be run a few times.
func TestAnyStorm(t *testing.T) {
	t.Parallel()
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { goThrough(t, newBelfry(), seed, 20, recoverAfter+5*checkEvery) })
		})
	}
}

// storm is a site with people and faults.
type storm struct {
	*site
	rand   *rand.Rand
	drafts []string
	jobs   []string
	alive  []*process
}

// goThrough lets events happen and then checks; recovered is when a dead
// worker's task has come to another.
func goThrough(t *testing.T, l line, seed uint64, events int, recovered time.Duration) {
	s := &storm{site: newSite(t, l), rand: rand.New(rand.NewPCG(seed, 1))}
	s.weather = &weather{rand: rand.New(rand.NewPCG(seed, 2)), storming: true}
	s.apiLife.weather = s.weather
	s.alive = []*process{s.start(&life{}, false), s.start(&life{}, false)}
	for range events {
		s.happening()
		pass(time.Duration(s.rand.IntN(2500)) * time.Millisecond)
	}
	s.weather.storm(false)
	for _, p := range s.alive {
		p.life.unfreeze()
	}
	s.settle()
	pass(recovered)
	for _, wrong := range s.broken() {
		t.Error(wrong)
	}
	if t.Failed() {
		t.Logf("seed %d: %d drafts, %d jobs", seed, len(s.drafts), len(s.jobs))
	}
}

// settle waits for every picture: for the time promised, and what they have to
// queue for.
func (s *storm) settle() {
	live, err := s.store.CountLive(s.t.Context())
	s.must(err)
	limit := within + time.Duration(live)*painting
	for start := time.Now(); live > 0 && time.Since(start) <= limit; pass(2 * checkEvery) {
		live, err = s.store.CountLive(s.t.Context())
		s.must(err)
	}
	if live > 0 {
		s.t.Errorf("P1: %s after the storm %d pictures are not final", limit, live)
	}
}

// happening is one thing that people or machines do.
func (s *storm) happening() {
	things := []struct {
		weight int
		do     func()
	}{
		{6, s.newDraft},
		{3, func() { s.ask(s.any(s.drafts)) }},
		{1, func() { s.ask("") }},
		{5, s.approveSome},
		{2, s.approveWhatIsSeen},
		{1, s.choose},
		{2, s.reject},
		{2, s.cancel},
		{1, s.retry},
		{1, func() { s.line.flush() }},
		{3, s.killOne},
		{3, s.freezeOne},
	}
	total := 0
	for _, thing := range things {
		total += thing.weight
	}
	n := s.rand.IntN(total)
	for _, thing := range things {
		if n -= thing.weight; n < 0 {
			thing.do()
			return
		}
	}
}

func (s *storm) any(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[s.rand.IntN(len(ids))]
}

// tolerate fails on anything that is not an answer for people.
func (s *storm) tolerate(err error) {
	s.t.Helper()
	var e *editorial.Error
	if err != nil && !errors.As(err, &e) {
		s.t.Errorf("the API answers %v", err)
	}
}

func (s *storm) newDraft() {
	draft := s.draft(fmt.Sprintf("Draft %d", len(s.drafts)+1))
	s.drafts = append(s.drafts, draft)
	s.ask(draft)
}

// ask submits, under an idempotency key and so at times twice.
func (s *storm) ask(draft string) {
	key := &dispatch.IdempotencyKey{Scope: fmt.Sprint("key ", len(s.jobs), " of ", s.rand.Uint64()), BodySHA256: "body"}
	request := dispatch.Submission{
		Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: 1 + s.rand.IntN(3)},
		DraftID: draft, Caller: "tester", Key: key,
	}
	first, replayed, err := s.api.Submit(s.t.Context(), request)
	s.tolerate(err)
	if err != nil {
		return
	}
	s.jobs = append(s.jobs, first.ID)
	if s.rand.IntN(3) == 0 {
		second, again, err := s.api.Submit(s.t.Context(), request)
		if err != nil || second.ID != first.ID || replayed || !again {
			s.t.Errorf("I7: the same key made jobs %s and %s, replayed %v, %v", first.ID, second.ID, again, err)
		}
	}
}

func (s *storm) decide(d dispatch.Decision) {
	d.Reviewer = "jane"
	o, err := s.api.Decide(context.WithoutCancel(s.t.Context()), d)
	s.tolerate(err)
	if o.JobID != "" {
		s.jobs = append(s.jobs, o.JobID)
	}
}

// approveSome sends an approval as the seed's front end does: twice, at once.
func (s *storm) approveSome() {
	draft := s.any(s.drafts)
	var both sync.WaitGroup
	both.Go(func() {
		_, err := s.api.Decide(s.t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "joan"})
		s.tolerate(err)
	})
	both.Wait()
	s.decide(dispatch.Decision{DraftID: draft, Approved: true})
	if state, err := s.store.DraftImages(s.t.Context(), draft); err == nil {
		if job, err := s.store.JobOfRound(s.t.Context(), draft, state.Round); err == nil {
			s.jobs = append(s.jobs, job.ID) // the approval may have asked for it
		}
	}
}

func (s *storm) storedOf(draft string) (img editorial.Image, ok bool) {
	images, err := s.store.ImagesOfDraft(s.t.Context(), draft)
	s.must(err)
	for _, i := range images {
		if i.State == editorial.StateStored && (!ok || s.rand.IntN(2) == 0) {
			img, ok = i, true
		}
	}
	return img, ok
}

func (s *storm) approveWhatIsSeen() {
	draft := s.any(s.drafts)
	if img, ok := s.storedOf(draft); ok {
		s.decide(dispatch.Decision{DraftID: draft, Approved: true, ImageID: img.ID, SHA256: img.SHA256})
	}
}

func (s *storm) choose() {
	draft := s.any(s.drafts)
	if img, ok := s.storedOf(draft); ok {
		s.tolerate(s.api.Choose(s.t.Context(), draft, img.ID, "jane"))
	}
}

func (s *storm) reject() {
	s.decide(dispatch.Decision{DraftID: s.any(s.drafts), Feedback: "darker", NewRound: s.rand.IntN(2) == 0})
}

func (s *storm) cancel() {
	if id := s.any(s.jobs); id != "" {
		_, err := s.api.Cancel(s.t.Context(), id, "ann")
		s.tolerate(err)
	}
}

func (s *storm) retry() {
	for _, id := range s.jobs {
		if s.job(id).State == editorial.JobFailed {
			_, err := s.api.Retry(s.t.Context(), id, "op")
			s.tolerate(err)
			return
		}
	}
}

// killOne kills a worker and starts another in its place.
func (s *storm) killOne() {
	i := s.rand.IntN(len(s.alive))
	s.alive[i].life.die()
	s.alive[i].life.unfreeze()
	s.alive[i] = s.start(&life{}, false)
}

// freezeOne stops a worker for a while, at times for longer than its claims.
func (s *storm) freezeOne() {
	victim := s.alive[s.rand.IntN(len(s.alive))].life
	victim.freeze()
	time.AfterFunc(time.Duration(s.rand.IntN(40))*time.Second, victim.unfreeze)
}
