package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// admit refuses a job with which there would be too many unfinished ones. It is
// a bound and no quota: requests at the same moment do not see each other's job
// and may go past it by their number.
//
// Backfill is not counted against its caller, nor refused: an operator started
// it, and it stands behind everything else.
func (d *Dispatch) admit(ctx context.Context, tx *store.Tx, s Submission) error {
	if s.Kind == editorial.KindBackfill {
		return nil
	}
	if limit := d.MaxJobsPerCaller; limit > 0 {
		// With the new one, which the transaction has inserted.
		n, err := tx.CountUnfinished(ctx, s.Caller, limit+1)
		if err != nil {
			return err
		}
		if n > limit {
			return tooManyJobs("you have %d unfinished jobs, the most that one caller may have (MAX_JOBS_PER_CALLER)", limit)
		}
	}
	if limit := d.MaxJobs; limit > 0 {
		n, err := d.backlog.count(ctx, tx, limit)
		if err != nil {
			return err
		}
		if n > limit {
			return tooManyJobs("%d jobs are unfinished, the most that may be (MAX_JOBS)", limit)
		}
	}
	return nil
}

// retryJobs is when to ask again, in seconds: what a few pictures take.
const retryJobs = 30

func tooManyJobs(format string, limit int) error {
	return &editorial.Error{
		Kind: editorial.Limited, Code: "too_many_jobs",
		Message: fmt.Sprintf(format, limit) + fmt.Sprintf("; try again in %d s, when some will have ended", retryJobs),
		Details: map[string]any{"limit": limit, "retry_after": retryJobs},
	}
}

// backlog is how many jobs are unfinished, counted once a second: where the
// count matters there are thousands, and every request would count them.
type backlog struct {
	mu sync.Mutex
	n  int // then, and those added here since
	at time.Time
}

const backlogFreshness = time.Second

// count is the number of unfinished jobs, up to limit+1, with the new one.
func (b *backlog) count(ctx context.Context, tx *store.Tx, limit int) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.at) < backlogFreshness {
		return b.n + 1, nil
	}
	n, err := tx.CountUnfinished(ctx, "", limit+1)
	if err != nil {
		return 0, err
	}
	b.n, b.at = n-1, time.Now()
	return n, nil
}

// grew adds the job that was committed.
func (b *backlog) grew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
}
