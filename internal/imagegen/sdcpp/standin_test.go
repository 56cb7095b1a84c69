package sdcpp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
)

// server stands in for sd-server's /sdcpp/v1: jobs in memory, ids that count
// up, 429 for a full queue, 410 for what has expired, 409 for what has begun.
type server struct {
	mu       sync.Mutex
	picture  []byte
	held     bool
	n        int
	jobs     map[string]string // id: status
	asked    []imagegentest.Asked
	canceled []string
	expired  map[string]bool
	failWith string // the next jobs fail with this
	limit    int
}

func newServer(picture []byte) *server {
	return &server{picture: picture, jobs: map[string]string{}, expired: map[string]bool{}, limit: 64}
}

func start(_ testing.TB, picture []byte) *imagegentest.StandIn { return newServer(picture).standIn() }

func (s *server) standIn() *imagegentest.StandIn {
	locked := func(f func()) { s.mu.Lock(); defer s.mu.Unlock(); f() }
	return &imagegentest.StandIn{
		Handler:  s.routes(),
		Asked:    func() (a []imagegentest.Asked) { locked(func() { a = slices.Clone(s.asked) }); return a },
		Hold:     func(held bool) { locked(func() { s.held = held }) },
		Restart:  func() { locked(func() { clear(s.jobs) }) },
		Canceled: func() (c []string) { locked(func() { c = slices.Clone(s.canceled) }); return c },
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sdcpp/v1/capabilities", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"model": map[string]any{"name": "sd_xl_base", "stem": "sd_xl_base"}, "limits": map[string]any{"max_queue_size": 64}})
	})
	mux.HandleFunc("POST /sdcpp/v1/img_gen", s.submit)
	mux.HandleFunc("GET /sdcpp/v1/jobs/{id}", s.get)
	mux.HandleFunc("POST /sdcpp/v1/jobs/{id}/cancel", s.cancel)
	return mux
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *server) submit(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Prompt       string `json:"prompt"`
		Negative     string `json:"negative_prompt"`
		Width        int    `json:"width"`
		Height       int    `json:"height"`
		Seed         int64  `json:"seed"`
		Batch        int    `json:"batch_count"`
		OutputFormat string `json:"output_format"`
		Sample       struct {
			Steps int `json:"sample_steps"`
		} `json:"sample_params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Prompt == "" || in.Batch != 1 || in.OutputFormat != "png" {
		answer(w, 400, map[string]any{"error": "invalid request"})
		return
	}
	if len(s.jobs) >= s.limit {
		answer(w, 429, map[string]any{"error": "job queue is full"})
		return
	}
	s.n++
	id := fmt.Sprintf("job_%d", s.n)
	s.jobs[id] = "queued"
	s.asked = append(s.asked, imagegentest.Asked{Prompt: in.Prompt, Negative: in.Negative, Width: in.Width, Height: in.Height, Steps: in.Sample.Steps, Seed: in.Seed})
	answer(w, 202, map[string]any{"id": id, "kind": "img_gen", "status": "queued", "created": 1, "poll_url": "/sdcpp/v1/jobs/" + id})
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PathValue("id")
	status, ok := s.jobs[id]
	switch {
	case s.expired[id]:
		answer(w, 410, map[string]any{"error": "job expired"})
		return
	case !ok:
		answer(w, 404, map[string]any{"error": "job not found"})
		return
	}
	out := map[string]any{"id": id, "kind": "img_gen", "created": 1, "started": nil, "completed": nil, "queue_position": 0, "result": nil, "error": nil}
	switch {
	case status == "queued" && !s.held && s.failWith != "":
		status = "failed"
	case status == "queued" && !s.held:
		status = "generating"
	case status == "generating" && !s.held:
		status = "completed"
	case status == "queued":
		out["queue_position"] = 2
	}
	s.jobs[id], out["status"] = status, status
	switch status {
	case "failed":
		out["error"] = map[string]any{"code": "generation_failed", "message": s.failWith}
	case "completed":
		out["result"] = map[string]any{"output_format": "png", "images": []any{map[string]any{"index": 0, "b64_json": base64.StdEncoding.EncodeToString(s.picture)}}}
	}
	answer(w, 200, out)
}

func (s *server) cancel(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PathValue("id")
	switch s.jobs[id] {
	case "":
		answer(w, 404, map[string]any{"error": "job not found"})
	case "generating":
		answer(w, 409, map[string]any{"error": "job is generating and cannot be interrupted yet"})
	case "queued":
		s.jobs[id] = "cancelled"
		s.canceled = append(s.canceled, id)
		fallthrough
	default:
		answer(w, 200, map[string]any{"id": id, "status": s.jobs[id]})
	}
}
