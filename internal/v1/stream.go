package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

type eventsInput struct {
	ID          string `path:"id" doc:"The job's id"`
	LastEventID int64  `header:"Last-Event-ID" minimum:"0" doc:"Sent by browsers when they connect again: the stream goes on after it"`
}

// Limits of a stream.
const (
	// eventPage is how many lines of a history are read at once.
	eventPage = 100
	// slowClient is how long a client may leave what was sent unread before it
	// is dropped; it connects again and misses nothing.
	slowClient = 30 * time.Second
	// retryMillis is what an EventSource waits before it connects again.
	retryMillis = 3000
)

// events answers with a job's history from its beginning, or from what the
// client has seen, and then with what happens until the job ends.
func (a *API) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	job, err := a.readJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.LastEventID > 0 && job.State.IsFinal() {
		more, err := a.Store.Events(ctx, in.ID, in.LastEventID, 1)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			// The only answer that stops an EventSource from asking again.
			return &huma.StreamResponse{Body: func(h huma.Context) { h.SetStatus(http.StatusNoContent) }}, nil
		}
	}
	return &huma.StreamResponse{Body: func(h huma.Context) { //nolint:contextcheck // huma's context carries it
		_, w := humago.Unwrap(h)
		s := &stream{api: a, w: w, rc: http.NewResponseController(w), jobID: in.ID, last: in.LastEventID}
		if err := s.run(h.Context()); err != nil && h.Context().Err() == nil {
			a.Log.DebugContext(h.Context(), "an event stream broke off", "job", in.ID, "error", err)
		}
	}}, nil
}

// stream is one event stream being written.
type stream struct {
	api   *API
	w     http.ResponseWriter
	rc    *http.ResponseController
	jobID string
	last  int64 // id of the last event sent
}

// run ends when the job has, when the client is gone or too slow, or when the
// server drains.
func (s *stream) run(ctx context.Context) error {
	changed, stop := s.api.Watch(s.jobID) // before the first look, or a change could fall in between
	defer stop()
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	s.w.WriteHeader(http.StatusOK)
	if err := s.send(fmt.Appendf(nil, "retry: %d\n\n", retryMillis)); err != nil {
		return err
	}
	heartbeat := time.NewTicker(s.api.Heartbeat)
	defer heartbeat.Stop()
	for look := true; ; {
		ended, err := s.catchUp(ctx, look)
		if ended || err != nil {
			return err
		}
		look = false
		select {
		case <-ctx.Done():
			return nil
		case <-s.api.drain.Done():
			return nil
		case <-changed:
		case <-heartbeat.C:
			if err := s.send([]byte(": still here\n\n")); err != nil {
				return err
			}
			look = true // a note may have been lost
		}
	}
}

// catchUp sends what is new, and the end when the job has ended. Unless look is
// true the job's row is read only when an event says that it ended: most
// changes then cost one query.
func (s *stream) catchUp(ctx context.Context, look bool) (ended bool, err error) {
	final, err := s.sendNew(ctx)
	if err != nil || !final && !look {
		return false, err
	}
	job, err := s.api.Store.Job(ctx, s.jobID)
	if err != nil || !job.State.IsFinal() {
		return false, err
	}
	// The end was written together with its events: whatever was not there at
	// the first look is there now.
	if _, err := s.sendNew(ctx); err != nil {
		return false, err
	}
	data, err := json.Marshal(viewJob(job, 0))
	if err != nil {
		return false, fmt.Errorf("encode job %s: %w", s.jobID, err)
	}
	return true, s.send(event(s.last, "end", data))
}

func (s *stream) sendNew(ctx context.Context) (final bool, err error) {
	for {
		events, err := s.api.Store.Events(ctx, s.jobID, s.last, eventPage)
		if err != nil || len(events) == 0 {
			return final, err
		}
		var page bytes.Buffer
		for _, e := range events {
			data, err := json.Marshal(viewEvent(e))
			if err != nil {
				return false, fmt.Errorf("encode event %d: %w", e.ID, err)
			}
			page.Write(event(e.ID, e.Type, data))
			s.last = e.ID
			final = final || endsJob(e.Type)
		}
		if err := s.send(page.Bytes()); err != nil {
			return false, err
		}
	}
}

// endsJob reports whether an event is of the kind "job.<final state>".
func endsJob(kind string) bool {
	const prefix = "job."
	return len(kind) > len(prefix) && kind[:len(prefix)] == prefix && editorial.JobState(kind[len(prefix):]).IsFinal()
}

func event(id int64, kind string, data []byte) []byte {
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", id, kind, data)
}

func (s *stream) send(b []byte) error {
	// A writer without deadlines is a test's.
	_ = s.rc.SetWriteDeadline(time.Now().Add(slowClient))
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("write to event stream: %w", err)
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("flush event stream: %w", err)
	}
	return nil
}
