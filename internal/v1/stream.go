package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/glad-labs/frontispiece/internal/edge"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Limits of a stream.
const (
	// eventPage is how many lines of a history are read at once.
	eventPage = 100
	// slowClient is how long a client may leave what was sent unread before it
	// is dropped; it connects again and misses nothing.
	slowClient = 30 * time.Second
	// retryMillis is what an EventSource waits before it connects again.
	retryMillis = 3000
	// lookEvery is after how many heartbeats a job's row is read all the same.
	lookEvery = 20
)

type eventsInput struct {
	ID          string `path:"id" doc:"The job's id"`
	LastEventID int64  `header:"Last-Event-ID" minimum:"0" doc:"Sent by browsers when they connect again: the stream goes on after it"`
}

// events answers with a job's history from its beginning, or from what the
// client has seen, and then with what happens until the job ends.
func (a *API) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	watcher, err := a.Journal.Follow(ctx, in.ID) // before the first look, or a change could fall in between
	if err != nil {
		return nil, err
	}
	job, err := a.readJob(ctx, in.ID)
	if err != nil {
		watcher.Close()
		return nil, err
	}
	if in.LastEventID > 0 && job.State.IsFinal() {
		more, err := a.Store.EventLog(ctx, store.EventFilter{JobID: in.ID, After: in.LastEventID, Limit: 1})
		if err != nil || len(more) == 0 {
			watcher.Close()
			if err != nil {
				return nil, err
			}
			// The only answer that stops an EventSource from asking again.
			return &huma.StreamResponse{Body: func(h huma.Context) { h.SetStatus(http.StatusNoContent) }}, nil
		}
	}
	return a.stream(watcher, stream{filter: store.EventFilter{JobID: in.ID}, last: in.LastEventID, at: in.LastEventID, pictures: picturesOf(job)}), nil //nolint:contextcheck // huma's own, when it writes
}

type allEventsInput struct {
	Job         string `query:"job" format:"uuid" doc:"Only those of one job"`
	Draft       string `query:"draft" maxLength:"255" doc:"Only those of one draft's jobs"`
	LastEventID int64  `header:"Last-Event-ID" minimum:"0" doc:"Sent by browsers when they connect again: the stream goes on after it"`
}

// allEvents answers with what happens to every job, for as long as the client
// stays.
func (a *API) allEvents(ctx context.Context, in *allEventsInput) (*huma.StreamResponse, error) {
	job := strings.ToLower(in.Job)
	topic := events.All
	switch {
	case job != "":
		topic = job
	case in.Draft != "":
		topic = in.Draft
	}
	watcher, err := a.Journal.Follow(ctx, topic)
	if err != nil {
		return nil, err
	}
	s := stream{filter: store.EventFilter{JobID: job, DraftID: in.Draft}, last: in.LastEventID, at: in.LastEventID, endless: true}
	if s.at == 0 {
		_, s.at, _ = a.Journal.Since(0, func(*editorial.JobEvent) bool { return false })
	}
	return a.stream(watcher, s), nil //nolint:contextcheck // huma's own, when it writes
}

// stream is one event stream being written.
type stream struct {
	api     *API
	w       streamWriter
	filter  store.EventFilter // whose events
	endless bool              // does not end with the job
	last    int64             // id of the last event sent
	at      int64             // nothing up to here is still to be sent

	pictures []string             // whose progress is sent; none for an endless stream
	shown    map[string]time.Time // when their progress was, that was sent last

	changed   <-chan struct{} // there may be new events
	further   <-chan struct{} // pictures may have got further; may be nil
	heartbeat *time.Ticker
	ended     bool // the job has, and the client knows
}

// streamWriter is the response of a handler, or what takes its place afterwards.
type streamWriter interface {
	Write(b []byte) (int, error)
	Flush() error
	SetWriteDeadline(t time.Time) error
}

type response struct {
	*http.ResponseController
	io.Writer
}

// stream answers with what there is to send by now. Then the handler returns,
// where it can: what follows is little, and takes hours.
func (a *API) stream(watcher *events.Watcher, s stream) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		r, w := humago.Unwrap(h)
		s.api, s.w = a, response{http.NewResponseController(w), w}
		further, stop := s.watchProgress()
		s.changed, s.further, s.heartbeat = watcher.C(), further, time.NewTicker(a.Heartbeat)
		end := func() {
			s.heartbeat.Stop()
			stop()
			watcher.Close()
		}
		detached := false
		defer func() {
			if !detached {
				end()
			}
		}()
		ctx := r.Context()
		err := s.begin(w, r)
		if err == nil {
			err = s.catchUp(ctx, true)
		}
		if err == nil && !s.ended {
			detached = edge.Detach(w, r, a.Log, func(d *edge.Detached) {
				defer end()
				s.w = d
				// r's context ends with the handler, its values are small.
				s.brokeOff(s.follow(context.WithoutCancel(ctx), d.Gone(), d.Call))
			})
			if !detached {
				err = s.follow(ctx, ctx.Done(), func(f func() error) error { return f() })
			}
		}
		if ctx.Err() == nil {
			s.brokeOff(err)
		}
	}}
}

func (s *stream) brokeOff(err error) {
	if err != nil {
		s.api.Log.Debug("an event stream broke off", "job", s.filter.JobID, "error", err)
	}
}

// follow ends when the job has, when the client is gone or too slow, or when
// the server drains. It has call do what there is to do, and itself only waits.
func (s *stream) follow(ctx context.Context, gone <-chan struct{}, call func(func() error) error) error {
	beats := 0
	for {
		var more func(context.Context) error
		look := false
		select {
		case <-gone:
			return nil
		case <-s.api.drain.Done():
			return nil
		case <-s.changed:
		case <-s.further:
			more = s.sendProgress
		case <-s.heartbeat.C:
			more = s.beat
			beats++
			look = beats%lookEvery == 0
		}
		err := call(func() error {
			if more != nil {
				if err := more(ctx); err != nil {
					return err
				}
			}
			return s.catchUp(ctx, look)
		})
		if err != nil || s.ended {
			return err
		}
	}
}

func (s *stream) beat(context.Context) error { return s.send([]byte(": still here\n\n")) }

// begin tells the client how long to wait before it connects again and, where
// there is no history to begin with, from where to go on then: an id without
// data moves an EventSource's last id and is no event.
func (s *stream) begin(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close") // the server has none to keep when the stream is detached
	}
	w.WriteHeader(http.StatusOK)
	text := fmt.Appendf(nil, "retry: %d\n\n", retryMillis)
	if s.endless && s.last == 0 && s.at > 0 {
		text = fmt.Appendf(text, "id: %d\n\n", s.at)
	}
	return s.send(text)
}

// catchUp sends what is new, and the end when the job has ended. Unless look is
// true the job's row is read only when an event says that it ended: what
// happens then costs no query at all.
func (s *stream) catchUp(ctx context.Context, look bool) error {
	final, err := s.sendNew(ctx)
	if err != nil || s.endless || !final && !look {
		return err
	}
	// All who follow a job hear of its end at once, and read it once.
	read, err, _ := s.api.looks.Do("end of "+s.filter.JobID, func() (any, error) {
		return s.api.Store.Job(context.WithoutCancel(ctx), s.filter.JobID)
	})
	if err != nil {
		return err
	}
	job := read.(editorial.Job)
	if !job.State.IsFinal() && final { // whoever read it began before the end
		if job, err = s.api.Store.Job(ctx, job.ID); err != nil {
			return err
		}
	}
	if !job.State.IsFinal() {
		return nil
	}
	// The end was written together with its events, so they are all there,
	// whatever the journal still waits for.
	if _, err := s.sendRows(ctx, 0); err != nil {
		return err
	}
	data, err := json.Marshal(viewJob(job, 0))
	if err != nil {
		return fmt.Errorf("encode job %s: %w", job.ID, err)
	}
	s.ended = true
	return s.send(event(s.last, "end", data))
}

// sendNew sends what the journal has and, where its memory does not reach back
// far enough, first what the rows have.
func (s *stream) sendNew(ctx context.Context) (final bool, err error) {
	list, head, whole := s.api.Journal.Since(s.at, s.wants)
	if !whole {
		if final, err = s.sendRows(ctx, head); err != nil {
			return final, err
		}
		list, head, whole = s.api.Journal.Since(max(s.at, head), s.wants)
		if !whole { // it remembers too little for how long that took
			return s.sendNew(ctx)
		}
	}
	more, err := s.sendEvents(list)
	s.at = max(s.at, head)
	return final || more, err
}

func (s *stream) wants(e *editorial.JobEvent) bool {
	return (s.filter.JobID == "" || s.filter.JobID == e.JobID) && (s.filter.DraftID == "" || s.filter.DraftID == e.DraftID)
}

// sendRows sends what the rows have up to an id, 0 for all of it.
func (s *stream) sendRows(ctx context.Context, upTo int64) (final bool, err error) {
	f := s.filter
	f.After, f.UpTo, f.Limit = s.at, upTo, eventPage
	for {
		list, err := s.api.Store.EventLog(ctx, f)
		if err != nil {
			return final, err
		}
		ended, err := s.sendEvents(list)
		final = final || ended
		if err != nil || len(list) < f.Limit {
			s.at = max(s.at, upTo)
			return final, err
		}
		f.After = list[len(list)-1].ID
		s.at = f.After
	}
}

func (s *stream) sendEvents(list []editorial.JobEvent) (final bool, err error) {
	if len(list) == 0 {
		return false, nil
	}
	var text bytes.Buffer
	for _, e := range list {
		data, err := json.Marshal(viewEvent(e))
		if err != nil {
			return false, fmt.Errorf("encode event %d: %w", e.ID, err)
		}
		text.Write(event(e.ID, e.Type, data))
		final = final || endsJob(e.Type)
	}
	s.last = list[len(list)-1].ID
	return final, s.send(text.Bytes())
}

// endsJob reports whether an event is of the kind "job.<final state>".
func endsJob(kind string) bool {
	state, ok := strings.CutPrefix(kind, "job.")
	return ok && editorial.JobState(state).IsFinal()
}

func event(id int64, kind string, data []byte) []byte {
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", id, kind, data)
}

func (s *stream) send(b []byte) error {
	// A writer without deadlines is a test's.
	_ = s.w.SetWriteDeadline(time.Now().Add(slowClient))
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("write to event stream: %w", err)
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("flush event stream: %w", err)
	}
	return nil
}
