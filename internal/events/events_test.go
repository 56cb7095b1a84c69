package events_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

func hear(t *testing.T, w *events.Watcher, what string) {
	t.Helper()
	select {
	case <-w.C():
	case <-time.After(10 * time.Second):
		t.Fatal(what)
	}
}

func told(w *events.Watcher) bool {
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

// Whoever caused a change must see it at once, or a client would get its own
// cancel answered with what was before.
func TestNotifyTellsThisProcessFirst(t *testing.T) {
	t.Parallel()
	away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { away.Close() })
	hub := events.NewHub(away, slog.New(slog.DiscardHandler))
	for name, tt := range map[string]struct {
		topic string
		want  bool
	}{
		"the job": {"job", true}, "its draft": {"draft", true}, "its image": {"image", true},
		"the type": {"image.stored", true}, "everything": {events.All, true}, "another job": {"other", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := hub.Watch(tt.topic)
			defer w.Close()
			hub.Notify(t.Context(), dispatch.Note{JobID: "job", ImageID: "image", DraftID: "draft", Type: "image.stored"})
			if got := told(w); got != tt.want {
				t.Errorf("told = %v with Redis away, want %v", got, tt.want)
			}
		})
	}
}

func TestNotifyTellsEveryProcessOnce(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedis(t)
	log := slog.New(slog.DiscardHandler)
	open := func() *events.Hub {
		client := redis.NewClient(&redis.Options{Addr: server.Addr})
		hub := events.NewHub(client, log)
		done := make(chan struct{})
		t.Cleanup(func() { client.Close(); <-done })
		go func() { hub.Run(t.Context()); close(done) }()
		return hub
	}
	here, there := open(), open()
	mine, theirs := here.Watch("job"), there.Watch("job")
	settle := func(from, to *events.Hub) {
		marker := to.Watch("marker")
		defer marker.Close()
		for !told(marker) { // until the subscription stands
			from.Notify(t.Context(), dispatch.Note{JobID: "marker"})
		}
	}
	settle(here, there)
	settle(there, here)

	here.Notify(t.Context(), dispatch.Note{JobID: "job"})
	if !told(mine) {
		t.Error("the own process was not told by the time Notify returned")
	}
	hear(t, theirs, "the other process was never told")
	// What here said came back to it before anything that there says from now on.
	last := here.Watch("last")
	there.Notify(t.Context(), dispatch.Note{JobID: "last"})
	hear(t, last, "the other process was never heard")
	if told(mine) {
		t.Error("the own message was heard again")
	}
}
