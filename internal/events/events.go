// Package events tells who waits that something changed: one Redis subscription
// a process, fanned out in memory, so that a waiter costs nothing while nothing
// happens.
//
// A note only says "look again"; it may be lost, doubled or late. Whoever waits
// therefore also reads the row every few seconds, which is all that is left
// when Redis is away. It deliberately carries no states.
package events

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// channel is the one Redis channel of all notes.
const channel = "frontispiece:notes"

// lookAgain is how often a waiter reads the row without having been told to.
const lookAgain = 3 * time.Second

// All is the topic of every note.
const All = "*"

// Hub fans notes out to watchers. It is safe for concurrent use.
type Hub struct {
	redis redis.UniversalClient
	log   *slog.Logger
	id    string // of this hub, by which it knows its own messages

	mu       sync.RWMutex
	watchers map[string]map[*Watcher]struct{} // topic -> watchers
}

// NewHub returns a hub that tells and hears through client.
func NewHub(client redis.UniversalClient, log *slog.Logger) *Hub {
	return &Hub{redis: client, log: log, id: rand.Text(), watchers: make(map[string]map[*Watcher]struct{})}
}

// message is what goes through Redis.
type message struct {
	From  string          `json:"from"`
	Notes []dispatch.Note `json:"notes"`
}

// Notify tells this process and then every other. When it returns, watchers
// here have been told, so that whoever caused the change sees it. Telling the
// others is bounded by a short time-out, and a failure is only logged: the row
// has been written.
func (h *Hub) Notify(ctx context.Context, notes ...dispatch.Note) {
	h.fanOut(notes)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	body, err := json.Marshal(message{From: h.id, Notes: notes})
	if err == nil {
		err = h.redis.Publish(ctx, channel, body).Err()
	}
	if err != nil {
		h.log.DebugContext(ctx, "a note could not be sent; waiters elsewhere will look for themselves", "error", err)
	}
}

// Run hears until ctx ends. go-redis subscribes again by itself after a lost
// connection; what was said meanwhile is lost, which waiters allow for.
func (h *Hub) Run(ctx context.Context) {
	sub := h.redis.Subscribe(ctx, channel)
	defer sub.Close()
	messages := sub.Channel(redis.WithChannelSize(1024))
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			var said message
			if json.Unmarshal([]byte(m.Payload), &said) == nil && said.From != h.id {
				h.fanOut(said.Notes)
			}
		}
	}
}

func (h *Hub) fanOut(notes []dispatch.Note) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, n := range notes {
		for _, topic := range topicsOf(n) {
			for w := range h.watchers[topic] {
				w.tell()
			}
		}
	}
}

// topicsOf is whom a note concerns.
func topicsOf(n dispatch.Note) []string {
	topics := make([]string, 0, 5)
	for _, id := range []string{n.JobID, n.DraftID, n.ImageID, All} {
		switch {
		case id == "":
		case n.Type == NoteProgress:
			topics = append(topics, ProgressOf(id))
		default:
			topics = append(topics, id)
		}
	}
	return append(topics, n.Type)
}

// Watcher waits for notes on its topics. Notes are merged: a slow watcher hears
// once that there is something to look at.
type Watcher struct {
	hub    *Hub
	topics []string
	c      chan struct{}
}

// Watch starts watching topics: ids of jobs, drafts or images, types of notes,
// [All], or [ProgressOf] any of the ids. Close the watcher when done.
func (h *Hub) Watch(topics ...string) *Watcher {
	w := &Watcher{hub: h, topics: topics, c: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		if h.watchers[t] == nil {
			h.watchers[t] = make(map[*Watcher]struct{})
		}
		h.watchers[t][w] = struct{}{}
	}
	return w
}

// C has an element when something may have changed since it was last read.
func (w *Watcher) C() <-chan struct{} { return w.c }

func (w *Watcher) tell() {
	select {
	case w.c <- struct{}{}:
	default:
	}
}

// Close stops watching.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	for _, t := range w.topics {
		delete(w.hub.watchers[t], w)
		if len(w.hub.watchers[t]) == 0 {
			delete(w.hub.watchers, t)
		}
	}
}

// Watching is how many watchers there are on topics, for metrics.
func (h *Hub) Watching() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := 0
	for _, set := range h.watchers {
		n += len(set)
	}
	return n
}

// Jobs reads jobs.
type Jobs interface {
	Job(ctx context.Context, id string) (editorial.Job, error)
}

// Waiter waits for jobs to end.
type Waiter struct {
	hub  *Hub
	jobs Jobs
}

// NewWaiter returns a waiter over a hub and the rows.
func NewWaiter(hub *Hub, jobs Jobs) *Waiter { return &Waiter{hub, jobs} }

// WaitJob returns a job when it is final, or as it stands when ctx's deadline
// passes. Only a failure to read it is an error.
func (w *Waiter) WaitJob(ctx context.Context, jobID string) (editorial.Job, error) {
	watcher := w.hub.Watch(jobID) // before the first look, or a note could fall in between
	defer watcher.Close()
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		job, err := w.jobs.Job(context.WithoutCancel(ctx), jobID)
		if err != nil || job.State.IsFinal() {
			return job, err
		}
		select {
		case <-ctx.Done():
			return job, nil
		case <-watcher.C():
		case <-ticker.C:
		}
	}
}
