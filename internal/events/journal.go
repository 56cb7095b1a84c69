package events

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Rows are the histories of all jobs.
type Rows interface {
	// NewestEvents returns the last events of all, oldest first.
	NewestEvents(ctx context.Context, limit int) ([]editorial.JobEvent, error)
	// EventsAfter returns the events of all jobs behind an id, oldest first.
	EventsAfter(ctx context.Context, after int64, limit int) ([]editorial.JobEvent, error)
}

const (
	// lookAgain is how often the histories are read without a note.
	lookAgain = 3 * time.Second
	// pause lies between two readings, however many notes there are.
	pause = 10 * time.Millisecond
	// patience is how long a missing id is waited for: a transaction that was
	// given it may still commit. After it the id counts as rolled back.
	patience = 3 * time.Second
	// idle is how long nobody has followed when the journal goes to sleep.
	idle = time.Minute
	// keep is how many events are remembered, and page how many are read at once.
	keep = 2048
	page = 500
)

// Journal reads what happens to all jobs, in the order of ids and each event
// once, for everybody in the process who follows: one query for all of them,
// and none while nobody does. It is safe for concurrent use.
type Journal struct {
	topics
	hub  *Hub
	rows Rows
	log  *slog.Logger
	// Every is the pause after which it reads without a note. Set it before
	// Run.
	Every time.Duration

	reading sync.Mutex // held while rows are read

	state   sync.RWMutex
	awake   bool
	since   int64                // every event behind it, up to head, is in recent
	head    int64                // nothing is to come up to here
	recent  []editorial.JobEvent // by id
	missing time.Time            // when an id behind head was first missed
	left    time.Time            // when the last follower was last seen
}

// NewJournal returns a journal that is woken by a hub's notes.
func NewJournal(hub *Hub, rows Rows, log *slog.Logger) *Journal {
	return &Journal{hub: hub, rows: rows, log: log, Every: lookAgain}
}

// Follow starts watching topics as [Hub.Watch] does, and tells the watcher only
// when [Journal.Since] has what there is to see. Whatever is up to Since's head
// when Follow returns is in the rows. Close the watcher when done.
func (j *Journal) Follow(ctx context.Context, names ...string) (*Watcher, error) {
	w := j.Watch(names...)
	j.state.RLock()
	awake := j.awake
	j.state.RUnlock()
	if awake {
		return w, nil
	}
	if err := j.wake(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Since returns the remembered events behind an id that match, and the id up to
// which there is nothing to come. whole is false when the memory does not reach
// back to after: then the rows, up to head, have what lies between.
func (j *Journal) Since(after int64, match func(*editorial.JobEvent) bool) (list []editorial.JobEvent, head int64, whole bool) {
	j.state.RLock()
	defer j.state.RUnlock()
	if after < j.since {
		return nil, j.head, false
	}
	first := sort.Search(len(j.recent), func(i int) bool { return j.recent[i].ID > after })
	for i := first; i < len(j.recent); i++ {
		if match(&j.recent[i]) {
			list = append(list, j.recent[i])
		}
	}
	return list, j.head, true
}

// Run reads until ctx ends.
func (j *Journal) Run(ctx context.Context) {
	notes := j.hub.Watch(All)
	defer notes.Close()
	ticker := time.NewTicker(j.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-notes.C():
		case <-ticker.C:
		}
		for again := true; again && ctx.Err() == nil; {
			if j.sleeps() {
				break
			}
			var err error
			if again, err = j.read(ctx); err != nil && ctx.Err() == nil {
				j.log.DebugContext(ctx, "the histories of jobs could not be read; they are read again", "error", err)
				again = false
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

// sleeps reports whether nobody has followed for a while; whoever does next
// wakes the journal.
func (j *Journal) sleeps() bool {
	j.reading.Lock()
	defer j.reading.Unlock()
	j.state.Lock() // Follow begins to watch before it asks whether we are awake
	defer j.state.Unlock()
	now := time.Now()
	if j.Watching() > 0 {
		j.left = now
	}
	if j.awake && now.Sub(j.left) > idle {
		j.awake, j.recent = false, nil
	}
	return !j.awake
}

// wake finds out where the histories stand.
func (j *Journal) wake(ctx context.Context) error {
	j.reading.Lock()
	defer j.reading.Unlock()
	if j.awake {
		return nil
	}
	newest, err := j.rows.NewestEvents(ctx, page)
	if err != nil {
		return fmt.Errorf("read the newest events: %w", err)
	}
	j.state.Lock()
	defer j.state.Unlock()
	j.awake, j.left, j.missing, j.recent = true, time.Now(), time.Time{}, nil
	j.since, j.head = 0, 0
	if len(newest) > 0 {
		j.since = newest[0].ID - 1
		j.head = j.since
	}
	for _, e := range newest {
		// What a transaction may still be about to fill is not old.
		if e.ID != j.head+1 && time.Since(e.At) < patience {
			break
		}
		j.recent, j.head = append(j.recent, e), e.ID
	}
	return nil
}

// read reads what is new and tells who follows it. again is true when there is
// more, or when an id is missing.
func (j *Journal) read(ctx context.Context) (again bool, err error) {
	j.reading.Lock()
	defer j.reading.Unlock()
	list, err := j.rows.EventsAfter(ctx, j.head, page)
	if err != nil {
		return false, fmt.Errorf("read events: %w", err)
	}
	settled := j.settled(list)
	j.state.Lock()
	j.recent = append(j.recent, settled...)
	if n := len(settled); n > 0 {
		j.head = settled[n-1].ID
	}
	if extra := len(j.recent) - keep; extra > 0 {
		j.since = j.recent[extra-1].ID
		j.recent = append([]editorial.JobEvent(nil), j.recent[extra:]...)
	}
	j.state.Unlock()
	for i := range settled {
		e := &settled[i]
		j.tell(e.JobID, e.DraftID, All)
		if endsJob(e.Type) {
			j.tell(endOf(e.JobID))
		}
	}
	return len(list) == page || len(settled) < len(list), nil
}

// settled is the beginning of list up to the first id that may still come.
func (j *Journal) settled(list []editorial.JobEvent) []editorial.JobEvent {
	head := j.head
	for i, e := range list {
		if e.ID == head+1 {
			head++
			continue
		}
		now := time.Now()
		if i > 0 || j.missing.IsZero() {
			j.missing = now
		}
		if now.Sub(j.missing) < patience {
			return list[:i]
		}
		head, j.missing = e.ID, time.Time{}
	}
	j.missing = time.Time{}
	return list
}
