package ops

import (
	"cmp"
	"slices"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// maxTroubles is how many troubles are read for a page, of each kind. There may
// be more; the groups then say "at least".
const maxTroubles = 2000

// Cause is what troubles have in common.
type Cause struct {
	Stage, Provider, Code string
	Failed                bool // for good, until retried; else tried again by itself
}

// Group is the troubles of one cause.
type Group struct {
	Cause
	Count   int
	Spooled int // of them, those whose retry generates nothing
	Class   editorial.Class
	Sample  store.Trouble // the newest
	Next    time.Time     // when the first is tried again, unless Failed
}

func causeOf(t store.Trouble) Cause {
	return Cause{string(t.Failure.Stage), t.Failure.Provider, t.Failure.Code, t.Failed}
}

// grouped puts troubles together by cause: failed ones first, then the most.
func grouped(troubles []store.Trouble) []Group {
	at := map[Cause]int{}
	var groups []Group
	for _, t := range troubles {
		i, known := at[causeOf(t)]
		if !known {
			i = len(groups)
			at[causeOf(t)] = i
			groups = append(groups, Group{Cause: causeOf(t), Class: t.Failure.Class, Sample: t})
		}
		groups[i].Count++
		if next := groups[i].Next; next.IsZero() || t.NextAttemptAt.Before(next) {
			groups[i].Next = t.NextAttemptAt
		}
		if t.Spooled {
			groups[i].Spooled++
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		if a.Failed != b.Failed {
			if a.Failed {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Count, a.Count)
	})
	return groups
}

// jobsOf are the jobs of the failed troubles that want chooses, each once, the
// oldest first: whoever waits longest is served first.
func jobsOf(troubles []store.Trouble, want func(store.Trouble) bool) []string {
	var jobs []string
	seen := map[string]bool{}
	for _, t := range slices.Backward(troubles) { // they come newest first
		if t.Failed && want(t) && !seen[t.JobID] {
			seen[t.JobID] = true
			jobs = append(jobs, t.JobID)
		}
	}
	return jobs
}
