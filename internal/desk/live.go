package desk

import (
	"net/http"
	"time"
)

const (
	// livePause bounds how often a page is told to look again: a burst of
	// progress is one look.
	livePause = 400 * time.Millisecond
	// slowClient is how long a browser may leave what was sent unread.
	slowClient = 30 * time.Second
)

// live tells a page when to look again, as server-sent events without content:
// the page reads itself anew and changes what differs. After a lost connection
// the browser connects again by itself and looks once.
func (d *Desk) live(w http.ResponseWriter, r *http.Request) error {
	topic := r.URL.Query().Get("topic")
	if topic == "" {
		topic = topicAll
	}
	changed, stop := d.Watch(topic)
	defer stop()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	rc := http.NewResponseController(w)
	send := func(s string) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(slowClient)) // a writer without deadlines is a test's
		_, err := w.Write([]byte(s))
		return err == nil && rc.Flush() == nil
	}
	if !send("retry: 2000\nevent: look\ndata: connected\n\n") {
		return nil
	}
	heartbeat := time.NewTicker(d.Heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-d.drain.Done():
			return nil
		case <-heartbeat.C:
			if !send(": still here\n\n") {
				return nil
			}
		case <-changed:
			if !send("event: look\ndata: changed\n\n") {
				return nil
			}
			select {
			case <-time.After(livePause):
			case <-r.Context().Done():
				return nil
			case <-d.drain.Done():
				return nil
			}
		}
	}
}
