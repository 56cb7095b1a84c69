package dispatch

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// admit refuses a job with which there would be too many unfinished ones. more
// is how many r cannot see yet: 1 before the job is inserted, 0 after. It is a
// bound and no quota: requests at the same moment do not see each other's job
// and may go past it by their number.
//
// Backfill is not counted against its caller, nor refused: an operator started
// it, and it stands behind everything else.
func (d *Dispatch) admit(ctx context.Context, r *store.Reader, s Submission, more int) error {
	if s.Kind == editorial.KindBackfill {
		return nil
	}
	for _, bound := range []struct {
		caller  string
		limit   int
		refusal string
	}{
		{s.Caller, d.MaxJobsPerCaller, "you have %d unfinished jobs, the most that one caller may have (MAX_JOBS_PER_CALLER)"},
		{everybody, d.MaxJobs, "%d jobs are unfinished, the most that may be (MAX_JOBS)"},
	} {
		if bound.limit == 0 || d.backlog.hasRoom(bound.caller, bound.limit) {
			continue
		}
		n, err := r.CountUnfinished(ctx, bound.caller, bound.limit+1)
		if err != nil {
			return err
		}
		n += more
		if n > bound.limit {
			return tooManyJobs(bound.refusal, bound.limit)
		}
		d.backlog.counted(bound.caller, n-1)
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

// everybody is the caller whose count is that of all.
const everybody = ""

// backlog is how many jobs are unfinished, of each caller and of everybody, as
// counted within the last second and added to since: where the count matters
// there are thousands, and every request would count them. It only ever says
// that there is room; a refusal takes a count of its own.
type backlog struct {
	mu     sync.Mutex
	counts map[string]tally
}

type tally struct {
	n  int
	at time.Time
}

const (
	backlogFreshness = time.Second
	backlogCallers   = 1000 // counts kept before the old ones are dropped
)

func (b *backlog) hasRoom(caller string, limit int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.counts[caller]
	return ok && time.Since(t.at) < backlogFreshness && t.n < limit
}

// counted keeps a count, without the job that is being accepted.
func (b *backlog) counted(caller string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts == nil {
		b.counts = make(map[string]tally)
	}
	if len(b.counts) >= backlogCallers {
		maps.DeleteFunc(b.counts, func(_ string, t tally) bool { return time.Since(t.at) >= backlogFreshness })
	}
	b.counts[caller] = tally{n, time.Now()}
}

// grew adds the job of a caller that was committed.
func (b *backlog) grew(caller string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, of := range []string{caller, everybody} {
		if t, ok := b.counts[of]; ok {
			t.n++
			b.counts[of] = t
		}
	}
}
