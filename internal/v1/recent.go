package v1

import (
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/events"
)

const (
	// recentFor bounds how long a change may stay unseen whose note was lost.
	// Waiters look again as often.
	recentFor = 3 * time.Second
	// maxRecent bounds the memory that pollers of ever new jobs can take.
	maxRecent = 10_000
)

// recent remembers the versions of jobs that clients poll, so that a poll of an
// unchanged job costs no statement. It answers nothing but "unchanged": a
// version is forgotten at the first note about its job, wherever that came
// from, and in any case after recentFor. That of a queued job is forgotten at
// any note, since another job's progress moves its place.
type recent struct {
	watch, progress WatchFunc

	mu    sync.Mutex
	seen  map[string]*sighting // by job id
	swept time.Time
	notes <-chan struct{} // of all jobs, once anybody polls
	noted int             // how often there were any
}

// sighting is a job as it was read at a moment.
type sighting struct {
	etag    string
	live    bool
	queued  bool
	changed <-chan struct{}
	further <-chan struct{} // of its pictures' progress
	stop    func()
	until   time.Time
	noted   int
}

// newRecent takes a nil progress for none.
func newRecent(watch, progress WatchFunc) *recent {
	if progress == nil {
		progress = func(string) (<-chan struct{}, func()) { return nil, func() {} }
	}
	return &recent{watch: watch, progress: progress, seen: make(map[string]*sighting)}
}

// unchanged returns the sighting of a job that header, an If-None-Match, still
// describes.
func (r *recent) unchanged(jobID, header string) (s *sighting, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok = r.seen[jobID]; !ok {
		return nil, false
	}
	r.listen()
	stale := time.Now().After(s.until) || s.queued && s.noted != r.noted
	select {
	case <-s.changed:
		stale = true
	case <-s.further:
		stale = true
	default:
	}
	if stale {
		r.drop(jobID)
		return nil, false
	}
	return s, matches(header, s.etag)
}

// listen counts what was heard since it was called last.
func (r *recent) listen() {
	if r.notes == nil {
		r.notes, _ = r.watch(events.All) // for as long as the API lives
	}
	select {
	case <-r.notes:
		r.noted++
	default:
	}
}

// look starts a sighting. It comes before the row is read, since a note may
// fall in between; keep ends it.
func (r *recent) look(jobID string) *sighting {
	s := &sighting{until: time.Now().Add(recentFor)}
	var stopRow, stopProgress func()
	s.changed, stopRow = r.watch(jobID)
	s.further, stopProgress = r.progress(jobID)
	s.stop = func() { stopRow(); stopProgress() }
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listen()
	s.noted = r.noted
	return s
}

// keep remembers what was read under a sighting. Without an answer, because
// reading failed, it only ends.
func (r *recent) keep(jobID string, s *sighting, read *jobOutput) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) >= maxRecent || time.Since(r.swept) > recentFor {
		r.sweep()
	}
	if read == nil || len(r.seen) >= maxRecent {
		s.stop()
		return
	}
	s.etag, s.live, s.queued = read.ETag, read.RetryAfter != "", read.Body.QueuePosition > 0
	r.drop(jobID)
	r.seen[jobID] = s
}

// listen, drop and sweep are called under mu.
func (r *recent) drop(jobID string) {
	if s, ok := r.seen[jobID]; ok {
		s.stop()
		delete(r.seen, jobID)
	}
}

func (r *recent) sweep() {
	r.swept = time.Now()
	for id, s := range r.seen {
		if r.swept.After(s.until) {
			r.drop(id)
		}
	}
}
