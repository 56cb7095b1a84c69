package v1

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/events"
)

// switchboard is a WatchFunc whose notes the test sends itself.
type switchboard struct {
	topics map[chan struct{}]string
}

func (s *switchboard) watch(topic string) (<-chan struct{}, func()) {
	if s.topics == nil {
		s.topics = make(map[chan struct{}]string)
	}
	c := make(chan struct{}, 1)
	s.topics[c] = topic
	return c, func() { delete(s.topics, c) }
}

func (s *switchboard) watchProgress(jobID string) (<-chan struct{}, func()) {
	return s.watch("progress of " + jobID)
}

func (s *switchboard) note(jobID string) {
	for c, topic := range s.topics {
		if topic == jobID || topic == events.All && !strings.HasPrefix(jobID, "progress of ") {
			c <- struct{}{}
		}
	}
}

func TestRecentForgetsWhatChanged(t *testing.T) {
	t.Parallel()
	live := &jobOutput{ETag: `W/"1"`, RetryAfter: pollPause}
	queued := &jobOutput{ETag: `W/"1"`, RetryAfter: pollPause, Body: Job{QueuePosition: 3}}
	nothing := func(*recent, *switchboard) {}
	for name, tt := range map[string]struct {
		read          *jobOutput
		etag          string
		during, after func(*recent, *switchboard)
		unchanged     bool
	}{
		"nothing happens":                     {live, `W/"1"`, nothing, nothing, true},
		"the client has another version":      {live, `W/"0"`, nothing, nothing, false},
		"any version will do":                 {live, `*`, nothing, nothing, true},
		"reading failed":                      {nil, `W/"1"`, nothing, nothing, false},
		"the job changes":                     {live, `W/"1"`, nothing, func(_ *recent, s *switchboard) { s.note("job") }, false},
		"the job changes while it is read":    {live, `W/"1"`, func(_ *recent, s *switchboard) { s.note("job") }, nothing, false},
		"another job changes":                 {live, `W/"1"`, nothing, func(_ *recent, s *switchboard) { s.note("other") }, true},
		"another job moves the queue":         {queued, `W/"1"`, nothing, func(_ *recent, s *switchboard) { s.note("other") }, false},
		"another moves it while this is read": {queued, `W/"1"`, func(_ *recent, s *switchboard) { s.note("other") }, nothing, false},
		"its picture gets further":            {live, `W/"1"`, nothing, func(_ *recent, s *switchboard) { s.note("progress of job") }, false},
		"another job's gets further":          {queued, `W/"1"`, nothing, func(_ *recent, s *switchboard) { s.note("progress of other") }, true},
		"the note was lost": {live, `W/"1"`, nothing, func(*recent, *switchboard) {
			<-time.After(recentFor + time.Millisecond)
		}, false},
		"a crowd of other jobs is polled": {live, `W/"1"`, nothing, func(r *recent, _ *switchboard) {
			for n := range maxRecent + 1 {
				id := fmt.Sprint(n)
				r.keep(id, r.look(id), live)
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				board := &switchboard{}
				r := newRecent(board.watch, board.watchProgress)
				s := r.look("job")
				tt.during(r, board)
				r.keep("job", s, tt.read)
				tt.after(r, board)
				if _, ok := r.unchanged("job", tt.etag); ok != tt.unchanged {
					t.Errorf("unchanged = %v, want %v", ok, tt.unchanged)
				}
				if len(r.seen) > maxRecent || len(board.topics) > 2*len(r.seen)+1 {
					t.Errorf("%d jobs are remembered and %d topics watched", len(r.seen), len(board.topics))
				}
			})
		})
	}
}

// What nobody polls any more is let go when somebody polls something else.
func TestRecentLetsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		board := &switchboard{}
		r := newRecent(board.watch, board.watchProgress)
		for n := range 100 {
			id := fmt.Sprint(n)
			r.keep(id, r.look(id), &jobOutput{ETag: `W/"1"`})
		}
		<-time.After(2 * recentFor)
		r.keep("last", r.look("last"), &jobOutput{ETag: `W/"1"`})
		if len(r.seen) != 1 || len(board.topics) != 3 {
			t.Errorf("%d jobs are remembered and %d topics watched, want the last one, its progress and the topic of all", len(r.seen), len(board.topics))
		}
	})
}
