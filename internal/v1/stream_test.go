package v1_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/v1"
)

// sse is one event, or one comment, of a stream.
type sse struct{ id, event, data, comment string }

// open connects to a stream over a real server.
func (w *world) open(server *httptest.Server, path, lastEventID string) (*http.Response, <-chan sse) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", server.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	events := make(chan sse, 100)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		var e sse
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.event = value
			case "data":
				e.data = value
			case "":
				if value != "" {
					e.comment = value
				} else if e != (sse{}) {
					events <- e
					e = sse{}
				}
			}
		}
	}()
	return resp, events
}

func (w *world) listen() *httptest.Server {
	server := httptest.NewServer(w.api)
	w.t.Cleanup(server.Close)
	return server
}

// next is the stream's next event that is no comment.
func next(t *testing.T, events <-chan sse) sse {
	t.Helper()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatal("the stream ended early")
			}
			if e.comment == "" {
				return e
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no event came")
		}
	}
}

func TestStreamFromQueuedToTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.listen()
	job := w.submit(map[string]any{})
	resp, events := w.open(server, job.URLs.Events, "")
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("Content-Type %q", ct)
	}
	if e := next(t, events); e.event != "job.queued" || e.id == "" {
		t.Errorf("first event %+v, want job.queued", e)
	}
	w.finish(job.Candidates[0].ID)
	var got []string
	var last sse
	for last.event != "end" {
		last = next(t, events)
		got = append(got, last.event)
	}
	if want := "image.generating image.spooled image.uploading image.stored job.stored end"; strings.Join(got, " ") != want {
		t.Errorf("events %v, want %s", got, want)
	}
	if !strings.Contains(last.data, `"state":"stored"`) || !strings.Contains(last.data, job.ID) {
		t.Errorf("the end carries %s, want the job", last.data)
	}
	if _, open := <-events; open {
		t.Error("the stream goes on after its end")
	}

	t.Run("resumes after what was seen", func(t *testing.T) {
		w := *w
		w.t = t
		_, events := w.open(server, job.URLs.Events, previous(t, last.id))
		if e := next(t, events); e.event != "job.stored" {
			t.Errorf("first event %+v, want job.stored", e)
		}
		if e := next(t, events); e.event != "end" {
			t.Errorf("second event %+v, want end", e)
		}
	})
	t.Run("says that there is nothing more", func(t *testing.T) {
		w := *w
		w.t = t
		resp, _ := w.open(server, job.URLs.Events, last.id)
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("status %d, want 204", resp.StatusCode)
		}
	})
}

func previous(t *testing.T, id string) string {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(id, &n); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(n - 1)
}

func TestStreamSendsHeartbeatsAndLooksByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *v1.Config) {
		// Nobody tells this journal of changes, as with Redis away.
		log := slog.New(slog.DiscardHandler)
		journal := events.NewJournal(events.NewHub(nil, log), c.Store.(*store.Store), log)
		journal.Every = 5 * time.Millisecond
		go journal.Run(t.Context())
		c.Journal, c.Heartbeat = journal, 5*time.Millisecond
	})
	job := w.submit(map[string]any{})
	_, events := w.open(w.listen(), job.URLs.Events, "")
	next(t, events)
	if e := <-events; e.comment == "" {
		t.Errorf("got %+v, want a heartbeat", e)
	}
	w.finish(job.Candidates[0].ID)
	for next(t, events).event != "end" {
	}
}

// Where a connection is many answers, none is taken over, and nothing else
// differs.
func TestStreamOverHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewUnstartedServer(w.api)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	job := w.submit(map[string]any{})
	resp, events := w.open(server, job.URLs.Events, "")
	if resp.ProtoMajor != 2 || resp.Header.Get("Connection") != "" {
		t.Errorf("%s, headers %v", resp.Proto, resp.Header)
	}
	next(t, events)
	w.do("POST", job.URLs.Cancel, nil)
	for next(t, events).event != "end" {
	}
	if _, open := <-events; open {
		t.Error("the stream goes on after its end")
	}
}

// Nothing is kept for a client that has left, however it was answered.
func TestStreamsOfClientsThatLeftAreForgotten(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var journal v1.Journal
			w := newWorld(t, func(c *v1.Config) { journal = c.Journal })
			watching := journal.(*events.Journal).Watching
			server := httptest.NewUnstartedServer(w.api)
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			job := w.submit(map[string]any{})
			ofJob, ofOne := w.open(server, job.URLs.Events, "")
			ofAll, _ := w.open(server, "/v1/events", "")
			next(t, ofOne)
			if n := watching(); n != 2 {
				t.Errorf("%d are followed, want 2", n)
			}
			ofJob.Body.Close()
			ofAll.Body.Close()
			tick, limit := time.NewTicker(time.Millisecond), time.After(30*time.Second)
			defer tick.Stop()
			for watching() > 0 {
				select {
				case <-limit:
					t.Fatalf("%d are still followed", watching())
				case <-tick.C:
				}
			}
		})
	}
}

// A board sees every job and every decision from where it began, and after a
// break all that it missed.
func TestStreamOfEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.listen()
	w.submit(map[string]any{}) // before anybody looks
	w.draft("draft-1", "A lighthouse at dawn")
	_, all := w.open(server, "/v1/events", "")
	begun := next(t, all)
	if begun.id == "" || begun.event != "" {
		t.Fatalf("a board begins with %+v, want where it begins", begun)
	}
	first := w.submit(map[string]any{"draft_id": "draft-1"})
	second := w.submit(map[string]any{})
	_, ofDraft := w.open(server, "/v1/events?draft=draft-1", begun.id)
	_, ofJob := w.open(server, "/v1/events?job="+strings.ToUpper(second.ID), begun.id)
	w.do("POST", second.URLs.Cancel, nil)
	w.finish(first.Candidates[0].ID)
	w.do("POST", "/v1/drafts/draft-1/approve", nil)

	ofFirst := []string{"job.queued", "image.generating", "image.spooled", "image.uploading", "image.stored", "job.stored", "draft.approved", "post.published"}
	ofSecond := []string{"job.queued", "image.canceled", "job.canceled"}
	for name, tt := range map[string]struct {
		stream        <-chan sse
		first, second []string
	}{
		"all": {all, ofFirst, ofSecond}, "the draft": {ofDraft, ofFirst, nil}, "the job": {ofJob, nil, ofSecond},
	} {
		var got [2][]string
		var last sse
		for range len(tt.first) + len(tt.second) {
			last = next(t, tt.stream)
			var e v1.Event
			if err := json.Unmarshal([]byte(last.data), &e); err != nil || e.Type != last.event || fmt.Sprint(e.ID) != last.id {
				t.Fatalf("%s: %+v, %v", name, last, err)
			}
			which := 0
			if e.JobID == second.ID {
				which = 1
			} else if e.DraftID != "draft-1" {
				t.Errorf("%s: %s of draft %q", name, e.Type, e.DraftID)
			}
			got[which] = append(got[which], e.Type)
		}
		if diff := cmp.Diff([2][]string{tt.first, tt.second}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w.do("GET", "/v1/events?job=nonsense", nil).problem(t, http.StatusUnprocessableEntity)
}

func TestStreamTellsProgress(t *testing.T) {
	t.Parallel()
	told := make(chan struct{})
	p := &progress{}
	w := newWorld(t, func(c *v1.Config) {
		c.Progress = p
		c.WatchProgress = func(string) (<-chan struct{}, func()) { return told, func() {} }
	})
	job := w.submit(map[string]any{})
	_, events := w.open(w.listen(), job.URLs.Events, "")
	next(t, events)
	half := 50
	p.known = map[string]editorial.Progress{job.Candidates[0].ID: {Generator: "sdcpp", Percent: &half, Stage: "generating", At: time.Now()}}
	told <- struct{}{}
	told <- struct{}{} // nothing new: nothing is sent
	e := next(t, events)
	var got v1.ImageProgress
	if err := json.Unmarshal([]byte(e.data), &got); err != nil {
		t.Fatal(err)
	}
	if e.event != "image.progress" || e.id != "" || got.JobID != job.ID || got.ImageID != job.Candidates[0].ID || *got.Percent != 50 {
		t.Errorf("got %+v, want half without an id", e)
	}
	w.do("POST", job.URLs.Cancel, nil)
	if e := next(t, events); e.event != "image.canceled" {
		t.Errorf("then %+v, want what the history says", e)
	}
}

func TestDrainClosesStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.submit(map[string]any{})
	_, events := w.open(w.listen(), job.URLs.Events, "")
	next(t, events)
	w.stop()
	if e, open := <-events; open {
		t.Errorf("got %+v, want the end of the connection", e)
	}
}

func TestStreamOfACanceledJobEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.submit(map[string]any{})
	_, events := w.open(w.listen(), job.URLs.Events, "")
	next(t, events)
	w.do("POST", job.URLs.Cancel, nil)
	var got []string
	for len(got) == 0 || got[len(got)-1] != "end" {
		got = append(got, next(t, events).event)
	}
	if want := "image.canceled job.canceled end"; strings.Join(got, " ") != want {
		t.Errorf("events %v, want %s", got, want)
	}
}

// deadlines is a response whose connection remembers its read deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// The trap of the package comment: a deadline for the body that outlives it
// ends the request while it waits.
func TestTheBodysDeadlineIsLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	w.api.ServeHTTP(d, w.request("POST", "/v1/jobs", `{`+prompt+`}`))
	if d.Code != http.StatusAccepted {
		t.Fatalf("status %d: %s", d.Code, d.Body)
	}
	if n := len(d.set); n < 2 || d.set[0].IsZero() || !d.set[n-1].IsZero() {
		t.Errorf("read deadlines %v, want one and then none", d.set)
	}
}

func TestSlowBodiesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *v1.Config) { c.BodyTimeout = 20 * time.Millisecond })
	server := w.listen()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// The rest of the body never comes.
	fmt.Fprint(conn, "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := read(t, resp).problem(t, http.StatusBadRequest); p.Code != "body_incomplete" {
		t.Errorf("code %q, want body_incomplete", p.Code)
	}
}
