package v1

import (
	"context"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// counting is a store whose queue is as long as it says.
type counting struct {
	length, asked int
}

func (c *counting) position(a *API, t *testing.T, kind editorial.JobKind, queued time.Time) int {
	t.Helper()
	n, err := a.queuePosition(t.Context(), editorial.Job{
		Kind: kind, State: editorial.JobQueued, Images: []editorial.Image{{State: editorial.StateQueued, CreatedAt: queued}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

type countingStore struct {
	JobReads
	DraftReads
	PostReads
	TermReads
	EndpointReads
	c *counting
}

func (s countingStore) QueuePosition(context.Context, editorial.Image) (int, error) {
	s.c.asked++
	return s.c.length, nil
}

// What is queued behind a queue of which nobody counts the end is not counted.
func TestBehindALongQueueNobodyCounts(t *testing.T) {
	t.Parallel()
	c := &counting{length: store.MaxQueuePosition}
	a := &API{}
	a.Store = countingStore{c: c}
	first := time.Now()
	later := first.Add(time.Millisecond)
	for _, tt := range []struct {
		what   string
		kind   editorial.JobKind
		queued time.Time
		length int
		want   int
		asked  int
	}{
		{"a backfill tells nothing of the rest", editorial.KindBackfill, first, store.MaxQueuePosition, store.MaxQueuePosition, 1},
		{"so the next is counted", editorial.KindGenerate, later, 3, 3, 2},
		{"one at the end", editorial.KindGenerate, first, store.MaxQueuePosition, store.MaxQueuePosition, 3},
		{"one behind it", editorial.KindGenerate, later, 1, store.MaxQueuePosition, 3},
		{"one before it", editorial.KindGenerate, first.Add(-time.Second), 7, 7, 4},
	} {
		c.length = tt.length
		if got := c.position(a, t, tt.kind, tt.queued); got != tt.want || c.asked != tt.asked {
			t.Errorf("%s: position %d after %d counts, want %d after %d", tt.what, got, c.asked, tt.want, tt.asked)
		}
	}
	a.tail.at = a.tail.at.Add(-2 * tailFreshness)
	c.length = 5
	if got := c.position(a, t, editorial.KindGenerate, later); got != 5 {
		t.Errorf("two seconds later the queue is counted anew: position %d, want 5", got)
	}
}
