package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
)

// book is the rows: what has been committed, and how often it was read.
type book struct {
	mu     sync.Mutex
	events []editorial.JobEvent
	err    error
	newest int // readings of either kind
	after  int
	jobs   int
}

// commit makes events visible; their order is that of the commits.
func (b *book) commit(jobID, kind string, ids ...int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.events = append(b.events, editorial.JobEvent{ID: id, JobID: jobID, Type: kind, At: time.Now()})
	}
	slices.SortFunc(b.events, func(x, y editorial.JobEvent) int { return int(x.ID - y.ID) })
}

func (b *book) NewestEvents(_ context.Context, limit int) ([]editorial.JobEvent, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest++
	return slices.Clone(b.events[max(0, len(b.events)-limit):]), b.err
}

func (b *book) EventsAfter(_ context.Context, after int64, limit int) ([]editorial.JobEvent, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after++
	var list []editorial.JobEvent
	for _, e := range b.events {
		if e.ID > after && len(list) < limit {
			list = append(list, e)
		}
	}
	return list, b.err
}

func (b *book) Job(ctx context.Context, id string) (editorial.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jobs++
	job := editorial.Job{ID: id, State: editorial.JobGenerating}
	for _, e := range b.events {
		if e.JobID == id && e.Type == "job.stored" {
			job.State = editorial.JobStored
		}
	}
	return job, errors.Join(b.err, ctx.Err())
}

func (b *book) readings() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.newest + b.after
}

// reading is a journal over a book, told by nobody but the hub.
func reading(t *testing.T, rows *book) (*events.Hub, *events.Journal) {
	t.Helper()
	hub := events.NewHub(nil, slog.New(slog.DiscardHandler))
	journal := events.NewJournal(hub, rows, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { journal.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	synctest.Wait() // it listens
	return hub, journal
}

func follow(t *testing.T, j *events.Journal, topics ...string) *events.Watcher {
	t.Helper()
	w, err := j.Follow(t.Context(), topics...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func since(j *events.Journal, after int64) (ids []int64, head int64, whole bool) {
	list, head, whole := j.Since(after, func(*editorial.JobEvent) bool { return true })
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids, head, whole
}

func TestEventsComeInOrderAndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := new(book)
		rows.commit("old", "job.stored", 1, 2, 3)
		<-time.After(time.Hour)
		hub, j := reading(t, rows)
		w := follow(t, j, "job")
		stranger := follow(t, j, "other")
		_, at, _ := since(j, 3)
		if at != 3 {
			t.Errorf("the journal begins at %d, want 3", at)
		}
		// 5 is visible before 4, whose transaction commits a moment later.
		rows.commit("job", "image.spooled", 5)
		hub.Notify(t.Context(), dispatch.Note{JobID: "job"})
		<-time.After(100 * time.Millisecond)
		if ids, head, _ := since(j, at); told(w) || len(ids) != 0 || head != 3 {
			t.Errorf("since 3: %v up to %d; want nothing while 4 may still come", ids, head)
		}
		rows.commit("job", "image.generating", 4)
		<-time.After(100 * time.Millisecond)
		if ids, head, whole := since(j, at); !told(w) || !slices.Equal(ids, []int64{4, 5}) || head != 5 || !whole {
			t.Errorf("since 3: %v up to %d, whole %v; want 4 and 5", ids, head, whole)
		}
		if told(stranger) || told(w) {
			t.Error("a stranger was told, or somebody twice")
		}
	})
}

// A transaction that was rolled back leaves an id that never comes.
func TestAnIDThatNeverComesIsPassedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := new(book)
		rows.commit("old", "job.stored", 1)
		<-time.After(time.Hour)
		_, j := reading(t, rows)
		w := follow(t, j, events.All)
		rows.commit("job", "job.queued", 3, 4)
		<-time.After(5 * time.Second) // a look by itself, and part of the patience
		if told(w) {
			t.Error("told before the missing id was given up")
		}
		<-time.After(5 * time.Second)
		if ids, head, _ := since(j, 1); !told(w) || !slices.Equal(ids, []int64{3, 4}) || head != 4 {
			t.Errorf("since 1: %v up to %d, want 3 and 4", ids, head)
		}
		// One that was missing long before anybody followed is not waited for.
		_, fresh := reading(t, rows)
		<-time.After(time.Hour)
		follow(t, fresh, events.All)
		if _, head, _ := since(fresh, 0); head != 4 {
			t.Errorf("a journal that wakes later begins at %d, want 4", head)
		}
	})
}

func TestTheMemoryReachesBackSoFar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := new(book)
		hub, j := reading(t, rows)
		follow(t, j, "job")
		for id := int64(1); id <= 5000; id++ {
			rows.commit("job", "image.postponed", id)
		}
		hub.Notify(t.Context(), dispatch.Note{JobID: "job"})
		<-time.After(time.Second)
		if _, head, whole := since(j, 100); whole || head != 5000 {
			t.Errorf("since 100: whole %v up to %d; want the rows to be asked", whole, head)
		}
		if ids, _, whole := since(j, 4000); !whole || len(ids) != 1000 || ids[0] != 4001 {
			t.Errorf("since 4000: %d events, whole %v; want 1000", len(ids), whole)
		}
	})
}

// Five thousand who wait for as many jobs cost one query every few seconds, and
// nobody costs none.
func TestWaitersCostNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := new(book)
		hub, j := reading(t, rows)
		<-time.After(time.Hour)
		if n := rows.readings(); n != 0 {
			t.Errorf("%d readings for nobody", n)
		}
		waiter := events.NewWaiter(hub, j, rows)
		var waiting sync.WaitGroup
		ended := 0
		var mu sync.Mutex
		for i := range 5000 {
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				defer cancel()
				job, err := waiter.WaitJob(ctx, fmt.Sprint("job ", i))
				mu.Lock()
				defer mu.Unlock()
				if err == nil && job.State == editorial.JobStored {
					ended++
				}
			})
		}
		synctest.Wait()
		before, jobsBefore := rows.readings(), rows.jobs
		<-time.After(time.Minute)
		if n := rows.readings() - before; n > 21 {
			t.Errorf("%d readings in a minute, want one every 3 s", n)
		}
		if n := rows.jobs - jobsBefore; n != 0 {
			t.Errorf("jobs were read %d times while nothing happened", n)
		}
		rows.commit("job 7", "job.stored", 1) // and the note is lost
		waiting.Wait()
		if ended != 1 {
			t.Errorf("%d jobs ended, want one", ended)
		}
		if n := rows.jobs; n != 2*5000 {
			t.Errorf("jobs were read %d times by 5000 waiters, want twice each", n)
		}
		<-time.After(2 * time.Minute) // it goes to sleep
		before = rows.readings()
		<-time.After(time.Hour)
		if n := rows.readings() - before; n != 0 || hub.Watching() != 1 {
			t.Errorf("%d readings when all have gone, %d watchers left", n, hub.Watching())
		}
	})
}

func TestWaitJob(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		final time.Duration // after the start; negative: never
		noted bool
		rows  error
		want  editorial.JobState
		least time.Duration // when it returns
		most  time.Duration
	}{
		{name: "final already", want: editorial.JobStored},
		{name: "told at once", final: 1700 * time.Millisecond, noted: true, want: editorial.JobStored, least: 1700 * time.Millisecond, most: 1700 * time.Millisecond},
		{name: "the note was lost", final: 7 * time.Second, want: editorial.JobStored, least: 7 * time.Second, most: 10*time.Second + 10*time.Millisecond},
		{name: "the deadline", final: -1, want: editorial.JobGenerating, least: 20 * time.Second, most: 20 * time.Second},
		{name: "rows that cannot be read", final: -1, rows: errors.New("the database is away")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rows := &book{err: tt.rows}
				hub, j := reading(t, rows)
				<-time.After(time.Second) // out of step with the ticker
				start := time.Now()
				end := func() {
					rows.commit("job", "job.stored", 1)
					if tt.noted {
						hub.Notify(context.Background(), dispatch.Note{JobID: "job", Type: "job.stored"})
					}
				}
				switch {
				case tt.final == 0:
					end()
				case tt.final > 0:
					time.AfterFunc(tt.final, end)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				job, err := events.NewWaiter(hub, j, rows).WaitJob(ctx, "job")
				if !errors.Is(err, tt.rows) || job.State != tt.want {
					t.Errorf("WaitJob = %q, %v; want %q, %v", job.State, err, tt.want, tt.rows)
				}
				if took := time.Since(start); took < tt.least || took > tt.most {
					t.Errorf("it took %s, want %s to %s", took, tt.least, tt.most)
				}
				if n := hub.Watching() + j.Watching(); n != 1 { // the journal's own
					t.Errorf("%d watchers are left", n-1)
				}
			})
		})
	}
}

// A database that is away is read again when it is back, and nothing is missed.
func TestTheJournalOutlivesTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := new(book)
		_, j := reading(t, rows)
		w := follow(t, j, events.All)
		rows.mu.Lock()
		rows.err = errors.New("the database is away")
		rows.mu.Unlock()
		rows.commit("job", "job.queued", 1)
		<-time.After(10 * time.Second)
		if told(w) {
			t.Error("told of what could not be read")
		}
		rows.mu.Lock()
		rows.err = nil
		rows.mu.Unlock()
		<-time.After(5 * time.Second)
		if ids, _, _ := since(j, 0); !told(w) || !slices.Equal(ids, []int64{1}) {
			t.Errorf("since 0: %v, want 1", ids)
		}
	})
}
