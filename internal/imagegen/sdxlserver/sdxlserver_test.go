package sdxlserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdxlserver"
)

// server stands in for the SDXL server: it validates as FastAPI does, renders
// under one lock and keeps files by name.
type server struct {
	mu      sync.Mutex
	picture []byte
	asked   []imagegentest.Asked
	files   map[string]bool
	extra   map[string]any // more members of a rendering's answer
	health  string
}

func newServer(picture []byte) *server {
	return &server{
		picture: picture, files: map[string]bool{}, extra: map[string]any{},
		health: `{"status":"idle","degraded":false,"degraded_reason":null,"model":"sdxl_lightning","gpu_available":true}`,
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s.health) })
	mux.HandleFunc("POST /generate", s.generate)
	mux.HandleFunc("GET /images/{name}", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.files[r.PathValue("name")] {
			w.WriteHeader(404)
			io.WriteString(w, `{"detail":"Image not found"}`)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		w.Write(s.picture)
	})
	return mux
}

func (s *server) generate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := struct {
		Prompt   *string  `json:"prompt"`
		Negative string   `json:"negative_prompt"`
		Width    int      `json:"width"`
		Height   int      `json:"height"`
		Steps    *int     `json:"steps"`
		Guidance *float64 `json:"guidance_scale"`
		Seed     int64    `json:"seed"`
	}{Width: 1024, Height: 1024, Seed: -1}
	invalid := func(msg string) {
		w.WriteHeader(422)
		fmt.Fprintf(w, `{"detail":[{"type":"value_error","loc":["body"],"msg":%q}]}`, msg)
	}
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case err != nil || in.Prompt == nil:
		invalid("Field required")
		return
	case in.Width < 256 || in.Width > 2048 || in.Height < 256 || in.Height > 2048:
		invalid("Input should be between 256 and 2048")
		return
	case in.Steps != nil && (*in.Steps < 1 || *in.Steps > 50), in.Guidance != nil && (*in.Guidance < 0 || *in.Guidance > 20):
		invalid("Input should be in range")
		return
	}
	a := imagegentest.Asked{Prompt: *in.Prompt, Negative: in.Negative, Width: in.Width, Height: in.Height, Seed: in.Seed}
	if in.Steps != nil {
		a.Steps = *in.Steps
	}
	s.asked = append(s.asked, a)
	name := fmt.Sprintf("sdxl_%d.png", len(s.asked))
	s.files[name] = true
	out := map[string]any{
		"image_path": "/app/out/" + name, "filename": name, "width": in.Width, "height": in.Height,
		"model": "sdxl_lightning", "generation_time_ms": 2400, "seed": in.Seed,
	}
	for k, v := range s.extra {
		out[k] = v
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (s *server) standIn() *imagegentest.StandIn {
	return &imagegentest.StandIn{Handler: s.routes(), Asked: func() []imagegentest.Asked {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(s.asked)
	}}
}

func open(t testing.TB, rawURL string) *sdxlserver.Generator {
	t.Helper()
	g, err := sdxlserver.New(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func serve(t *testing.T, h http.Handler) *sdxlserver.Generator {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return open(t, srv.URL)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	imagegentest.Run(t, imagegentest.Harness{
		New:    func(t testing.TB, rawURL string) imagegen.Generator { return open(t, rawURL) },
		Start:  func(_ testing.TB, picture []byte) *imagegentest.StandIn { return newServer(picture).standIn() },
		Column: "sdxl",
	})
}

func TestWhatTheServerReports(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	s.extra = map[string]any{"seed": 7, "ocr_text_chars": nil, "ocr_gate_status": "unavailable", "ocr_gate_passed": nil}
	g := serve(t, s.routes())
	got, err := g.Generate(t.Context(), imagegentest.Request())
	if err != nil {
		t.Fatal(err)
	}
	want := imagegen.Result{Bytes: imagegentest.PNG(), Seed: 7, Model: "sdxl_lightning", Params: map[string]any{
		"prompt": "a tide mill at dawn", "negative_prompt": "text, people", "width": 768, "height": 512, "steps": 12, "guidance": 5.5,
		"generation_time_ms": int64(2400), "ocr_gate_status": "unavailable",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if g.Name() != "sdxl" {
		t.Errorf("Name() = %q; image.source must be sdxl-s3 or sdxl-local", g.Name())
	}
}

func TestOddRequestsAreMovedIntoBounds(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	g := serve(t, s.routes())
	for _, req := range []imagegen.Request{
		{Prompt: "x", Width: 1, Height: 9999, Steps: 500, Guidance: 99, Seed: 1},
		{Prompt: "x", Steps: -4, Guidance: -1},
	} {
		if _, err := g.Generate(t.Context(), req); err != nil {
			t.Errorf("%+v: %v", req, err)
		}
	}
	want := []imagegentest.Asked{{Prompt: "x", Width: 256, Height: 2048, Steps: 50, Seed: 1}, {Prompt: "x", Width: 1024, Height: 1024}}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheServersOwnErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		status     int
		class      editorial.Class
		code       string
		after      time.Duration
	}{
		{"degraded", `{"detail":"degraded: pipeline load failed"}`, 503, editorial.Transient, "degraded", 20 * time.Second},
		{"out of memory", `{"detail":"GPU OOM"}`, 503, editorial.Transient, "degraded", 20 * time.Second},
		{"render error", `{"detail":"render failed"}`, 500, editorial.Transient, "unavailable", 0},
		{"text on it", `{"detail":{"error":"ocr_gate_rejected","chars":31}}`, 422, editorial.Terminal, "text_on_picture", 0},
		{"invalid", `{"detail":[{"loc":["body","steps"],"msg":"too many"}]}`, 422, editorial.Terminal, "refused", 0},
		{"verdict in a success", `{"filename":"a.png","ocr_gate_status":"fail"}`, 200, editorial.Terminal, "text_on_picture", 0},
		{"verdict without a status", `{"filename":"a.png","ocr_gate_passed":false}`, 200, editorial.Terminal, "text_on_picture", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}))
			_, err := g.Generate(t.Context(), imagegentest.Request())
			e := imagegen.AsError(err)
			if diff := cmp.Diff([]any{tt.class, tt.code, tt.after}, []any{e.Class, e.Code, e.RetryAfter}); diff != "" {
				t.Errorf("%v (-want +got):\n%s", e, diff)
			}
		})
	}
}

// The render is the dear part: a file that could not be fetched is fetched
// again, and rendered again only when it is gone.
func TestAFailedFetchCostsNoSecondRender(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	down := true
	g := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down && strings.HasPrefix(r.URL.Path, "/images/") {
			w.WriteHeader(502)
			return
		}
		s.routes().ServeHTTP(w, r)
	}))
	req := imagegentest.Request()
	req.Started = func(_ context.Context, id string) error { req.ProviderJobID = id; return nil }
	if _, err := g.Generate(t.Context(), req); imagegen.AsError(err).Code != "unavailable" {
		t.Fatalf("error = %v", err)
	}
	down = false
	if _, err := g.Generate(t.Context(), req); err != nil || len(s.asked) != 1 {
		t.Errorf("Generate: %v after %d renders, want one", err, len(s.asked))
	}
	clear(s.files)
	if _, err := g.Generate(t.Context(), req); err != nil || len(s.asked) != 2 {
		t.Errorf("Generate: %v after %d renders, want two", err, len(s.asked))
	}
}

func TestADegradedServerIsNotHealthy(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	s.health = `{"status":"degraded","degraded":true,"degraded_reason":"no GPU"}`
	err := serve(t, s.routes()).Health(t.Context())
	if e := imagegen.AsError(err); e == nil || e.Code != "degraded" || !strings.Contains(e.Message, "no GPU") {
		t.Errorf("Health = %v", err)
	}
}
