package v1

import (
	"context"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// queuePosition is that of the job's first queued candidate, 0 once any is
// being worked on.
func (a *API) queuePosition(ctx context.Context, job editorial.Job) (int, error) {
	if job.State != editorial.JobQueued {
		return 0, nil
	}
	for _, img := range job.Images {
		if img.State != editorial.StateQueued {
			continue
		}
		if a.tail.isLongBefore(img.CreatedAt) {
			return store.MaxQueuePosition, nil
		}
		position, err := a.Store.QueuePosition(ctx, img)
		if position >= store.MaxQueuePosition && job.Kind != editorial.KindBackfill {
			a.tail.saw(img.CreatedAt)
		}
		return position, err
	}
	return 0, nil
}

// tail remembers for a second that a queue was found longer than positions are
// counted: whatever was queued later stands behind that, and a burst of
// submissions need not be counted one by one. Jobs of a backfill stand behind
// all others and so tell nothing.
type tail struct {
	mu     sync.Mutex
	queued time.Time // when the picture was queued that stood there
	at     time.Time // when that was found
}

const tailFreshness = time.Second

func (t *tail) isLongBefore(queued time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return queued.After(t.queued) && time.Since(t.at) < tailFreshness
}

func (t *tail) saw(queued time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queued, t.at = queued, time.Now()
}
