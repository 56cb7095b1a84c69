package dispatch_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// submitters ask for pictures without a pause and remember what they were told.
type submitters struct {
	*bench
	end func() // harmless when called again

	accepted, refused atomic.Int64
	mu                sync.Mutex
	ids               []string // of the accepted jobs
	other             []error  // that were not "the database is away"
}

func (b *bench) startSubmitters(n int) *submitters {
	var running sync.WaitGroup
	stop := make(chan struct{})
	s := &submitters{bench: b, end: sync.OnceFunc(func() { close(stop); running.Wait() })}
	for range n {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.submitOne()
				}
			}
		})
	}
	b.t.Cleanup(s.end)
	return s
}

func (s *submitters) submitOne() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	job, _, err := s.Submit(ctx, dispatch.Submission{Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true}})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.accepted.Add(1)
		s.ids = append(s.ids, job.ID)
	case store.IsUnavailable(err):
		s.refused.Add(1)
	default:
		s.other = append(s.other, err)
	}
}

// await returns when the counter has grown by n.
func (s *submitters) await(counter *atomic.Int64, n int64) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for want := counter.Load() + n; counter.Load() < want; {
		select {
		case <-tick.C:
		case <-deadline:
			s.end()
			s.t.Fatalf("%d of %d after a minute; other errors: %v", counter.Load(), want, errors.Join(s.other...))
		}
	}
}

// PostgreSQL crashes and comes back under load: whoever asks meanwhile hears
// that it is away, whoever was told yes finds the job, and the pool mends
// itself.
func TestARestartOfPostgresLosesNothingThatWasAccepted(t *testing.T) {
	t.Parallel()
	server := testenv.StartPostgres(t)
	b := newBench(t, openStore(t, server.URL, store.Options{MaxConns: 8}))
	load := b.startSubmitters(4)
	for range 2 {
		load.await(&load.accepted, 50)
		b.must(server.Signal(syscall.SIGQUIT)) // "immediate": no checkpoint, nobody is waited for
		server.Stop()
		load.await(&load.refused, 20)
		b.must(server.Start(t.Context()))
		load.await(&load.accepted, 50)
	}
	load.end()
	for _, err := range load.other {
		t.Errorf("submit: %v, which does not say that the database is away", err)
	}
	for _, id := range load.ids {
		if _, err := b.store.Job(t.Context(), id); err != nil {
			t.Errorf("job %s was accepted: %v", id, err)
		}
	}
	t.Logf("%d accepted, %d refused", load.accepted.Load(), load.refused.Load())
}
