// Package events tells who waits that something changed: one Redis subscription
// a process, fanned out in memory, so that a waiter costs nothing while nothing
// happens.
//
// A note only says "look again"; it may be lost, doubled or late, and it carries
// no state. The [Journal] therefore also reads the histories of all jobs every
// few seconds, in one query for everybody who waits, which is all that is left
// when Redis is away.
//
// The trap: PostgreSQL gives ids away before it commits, so an event may appear
// below one that has been read. Only the Journal knows up to where there is
// nothing to come.
package events

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/dispatch"
)

// channel is the one Redis channel of all notes.
const channel = "frontispiece:notes"

// All is the topic of every note.
const All = "*"

// Hub fans notes out to watchers. It is safe for concurrent use.
type Hub struct {
	topics
	redis redis.UniversalClient
	log   *slog.Logger
	id    string // of this hub, by which it knows its own messages
}

// NewHub returns a hub that tells and hears through client; nil for a process
// that nobody shares notes with.
func NewHub(client redis.UniversalClient, log *slog.Logger) *Hub {
	return &Hub{redis: client, log: log, id: rand.Text()}
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
	if h.redis == nil {
		return
	}
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
	if h.redis == nil {
		return
	}
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
	for _, n := range notes {
		h.tell(topicsOf(n)...)
		if endsJob(n.Type) {
			h.tell(endOf(n.JobID))
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
