package comfyui

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
)

// server stands in for ComfyUI: a queue and a history in memory, an empty
// history for everything that is not over, and node_errors for a graph that it
// cannot run. An old one has no /api/jobs, and chooses the ids itself.
type server struct {
	old     bool
	picture []byte

	mu       sync.Mutex
	held     bool
	order    []string
	jobs     map[string]string // id: status
	asked    []imagegentest.Asked
	canceled []string
	failWith string            // jobs end with this
	clients  map[string]string // id: the client that is told of it
	says     []message         // to the client of every job
}

type message struct {
	kind websocket.MessageType
	body []byte
}

func newServer(old bool, picture []byte) *server {
	return &server{old: old, picture: picture, jobs: map[string]string{}, clients: map[string]string{}}
}

func (s *server) standIn() *imagegentest.StandIn {
	locked := func(f func()) { s.mu.Lock(); defer s.mu.Unlock(); f() }
	return &imagegentest.StandIn{
		Handler:  s.routes(),
		Asked:    func() (a []imagegentest.Asked) { locked(func() { a = slices.Clone(s.asked) }); return a },
		Hold:     func(held bool) { locked(func() { s.held = held }) },
		Restart:  func() { locked(func() { clear(s.jobs); s.order = nil }) },
		Canceled: func() (c []string) { locked(func() { c = slices.Clone(s.canceled) }); return c },
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			f(w, r)
		})
	}
	handle("GET /system_stats", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, map[string]any{"devices": []any{}}) })
	mux.HandleFunc("GET /ws", s.tell)
	handle("POST /prompt", s.submit)
	handle("GET /history/{id}", s.history)
	handle("GET /queue", s.queue)
	handle("POST /queue", s.remove)
	handle("GET /view", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("filename") != "a b_00001_.png" || r.URL.Query().Get("subfolder") != "front" {
			http.NotFound(w, r)
			return
		}
		w.Write(s.picture)
	})
	if !s.old {
		handle("GET /api/jobs/{id}", s.get)
		handle("POST /api/jobs/{id}/cancel", s.cancel)
	}
	return mux
}

// tell sends what there is to say to a client that has a job here, as the real
// one does: messages go to the client that the job was submitted for.
func (s *server) tell(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	ctx := conn.CloseRead(r.Context())
	for ctx.Err() == nil {
		s.mu.Lock()
		known := slices.Contains(slices.Collect(maps.Values(s.clients)), r.URL.Query().Get("clientId"))
		says := s.says
		s.mu.Unlock()
		for _, m := range says {
			if known && conn.Write(ctx, m.kind, m.body) != nil {
				return
			}
		}
		<-time.After(5 * time.Millisecond)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *server) submit(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID     string `json:"prompt_id"`
		Client string `json:"client_id"`
		Graph  map[string]struct {
			Class  string         `json:"class_type"`
			Inputs map[string]any `json:"inputs"`
		} `json:"prompt"`
	}
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if d.Decode(&in) != nil || len(in.Graph) == 0 {
		answer(w, 400, map[string]any{"error": map[string]any{"type": "no_prompt", "message": "No prompt provided"}, "node_errors": map[string]any{}})
		return
	}
	number := func(node, name string) int64 {
		n, _ := in.Graph[node].Inputs[name].(json.Number)
		i, err := n.Int64()
		if err != nil {
			return -1 // a text where a number belongs: the test sees it
		}
		return i
	}
	text := func(node string) string { t, _ := in.Graph[node].Inputs["text"].(string); return t }
	if s.old {
		in.ID = uuid.NewString()
	}
	if parsed, err := uuid.Parse(in.ID); err != nil || parsed.String() != in.ID {
		answer(w, 400, map[string]any{"error": map[string]any{"type": "invalid_prompt_id", "message": "invalid"}, "node_errors": map[string]any{}})
		return
	}
	if s.jobs[in.ID] != "" {
		answer(w, 409, map[string]any{"error": "prompt_id already exists"})
		return
	}
	s.jobs[in.ID], s.clients[in.ID] = pending, in.Client
	s.order = append(s.order, in.ID)
	s.asked = append(s.asked, imagegentest.Asked{
		Prompt: text("6"), Negative: text("7"), Width: int(number("5", "width")), Height: int(number("5", "height")),
		Steps: int(number("3", "steps")), Seed: number("3", "seed"),
	})
	answer(w, 200, map[string]any{"prompt_id": in.ID, "number": len(s.order), "node_errors": map[string]any{}})
}

// advance moves a job on each time that somebody looks.
func (s *server) advance(id string) string {
	if !s.held {
		switch {
		case s.jobs[id] == pending:
			s.jobs[id] = running
		case s.jobs[id] == running && s.failWith != "":
			s.jobs[id] = failed
		case s.jobs[id] == running:
			s.jobs[id] = completed
		}
	}
	return s.jobs[id]
}

func (s *server) outputs() map[string]any {
	return map[string]any{
		"11": map[string]any{"text": []any{"shown"}, "images": "none"},
		"8":  map[string]any{"images": []any{map[string]any{"filename": "preview.png", "subfolder": "", "type": "temp"}}},
		"9":  map[string]any{"images": []any{map[string]any{"filename": "a b_00001_.png", "subfolder": "front", "type": "output"}}},
	}
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	status := s.advance(id)
	if status == "" {
		answer(w, 404, map[string]any{"error": "Job not found"})
		return
	}
	out := map[string]any{"id": id, "status": status, "outputs": map[string]any{}, "execution_error": nil}
	switch status {
	case completed:
		out["outputs"] = s.outputs()
	case failed:
		out["execution_error"] = map[string]any{"exception_type": "OutOfMemoryError", "exception_message": s.failWith}
	}
	answer(w, 200, out)
}

func (s *server) history(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	out := map[string]any{}
	switch s.advance(id) {
	case completed:
		out[id] = map[string]any{"outputs": s.outputs(), "status": map[string]any{"status_str": "success", "completed": true, "messages": []any{}}}
	case failed, cancelled:
		event := []any{"execution_error", map[string]any{"exception_type": "OutOfMemoryError", "exception_message": s.failWith}}
		if s.jobs[id] == cancelled {
			event = []any{"execution_interrupted", map[string]any{}}
		}
		out[id] = map[string]any{"outputs": map[string]any{}, "status": map[string]any{"status_str": "error", "messages": []any{[]any{"execution_start", map[string]any{}}, event}}}
	}
	answer(w, 200, out)
}

func (s *server) queue(w http.ResponseWriter, _ *http.Request) {
	lists := map[string][]any{running: {}, pending: {}}
	for i, id := range s.order {
		if list, ok := lists[s.jobs[id]]; ok {
			lists[s.jobs[id]] = append(list, []any{i, id, map[string]any{}, map[string]any{}, []any{"9"}})
		}
	}
	answer(w, 200, map[string]any{"queue_running": lists[running], "queue_pending": lists[pending]})
}

func (s *server) remove(w http.ResponseWriter, r *http.Request) {
	var in struct{ Delete []string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	for _, id := range in.Delete {
		if s.jobs[id] == pending {
			delete(s.jobs, id) // no trace is kept
			s.canceled = append(s.canceled, id)
		}
	}
	w.WriteHeader(http.StatusOK)
}

func (s *server) cancel(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	can := s.jobs[id] == pending || s.jobs[id] == running
	if can {
		s.jobs[id] = cancelled
		s.canceled = append(s.canceled, id)
	}
	answer(w, 200, map[string]any{"cancelled": can})
}

func newGenerator(t testing.TB, rawURL string) *Generator {
	t.Helper()
	g, err := New(rawURL + "?workflow=testdata/sdxl.json")
	if err != nil {
		t.Fatal(err)
	}
	g.every = 1e6 // a millisecond
	return g
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]bool{"with jobs": false, "with history and queue": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imagegentest.Run(t, imagegentest.Harness{
				New:   func(t testing.TB, rawURL string) imagegen.Generator { return newGenerator(t, rawURL) },
				Start: func(_ testing.TB, picture []byte) *imagegentest.StandIn { return newServer(old, picture).standIn() },
				Jobs:  true, Column: map[bool]string{false: "comfyui", true: "comfyui without jobs"}[old],
			})
		})
	}
}
