package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Uses are recorded at most once a touchEvery, each, and no request waits for
// it: a database that is slow to write must not slow down those who read.
const (
	touchEvery   = time.Minute
	touchTimeout = 5 * time.Second
	maxTouches   = 4    // writes at once; what is more is recorded with the next use
	maxTouched   = 4096 // ids remembered
)

// touches records uses off the request's way.
type touches struct {
	log *slog.Logger

	mu      sync.Mutex
	last    map[string]time.Time
	writing int
	writes  sync.WaitGroup
}

func newTouches(log *slog.Logger) *touches { return &touches{log: log, last: map[string]time.Time{}} }

// touch has write record that id was used, unless that was done within the
// last minute.
func (t *touches) touch(ctx context.Context, id string, now time.Time, write func(context.Context, string) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.last[id]) < touchEvery || t.writing >= maxTouches {
		return
	}
	if len(t.last) >= maxTouched {
		clear(t.last) // the row's own condition still holds writes apart
	}
	t.last[id] = now
	t.writing++
	ctx = context.WithoutCancel(ctx) // the request will be over
	t.writes.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, touchTimeout)
		defer cancel()
		if err := write(ctx, id); err != nil {
			t.log.WarnContext(ctx, "the use of a key or session could not be recorded", "error", err)
		}
		t.mu.Lock()
		t.writing--
		t.mu.Unlock()
	})
}

// wait returns when every write has ended.
func (t *touches) wait() { t.writes.Wait() }
