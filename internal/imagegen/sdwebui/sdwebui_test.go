package sdwebui

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
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
)

// server stands in for the web UI: one render at a time, progress by task, an
// interrupt that hits whatever runs and is answered with the half picture, and
// renders that go on when their client has gone.
type server struct {
	picture []byte
	lock    sync.Mutex // the server's own: one render at a time

	mu          sync.Mutex
	asked       []imagegentest.Asked
	bodies      []map[string]any
	current     string
	waiting     int
	interrupts  int
	interrupted bool
	drawing     chan string   // told the id of each render that begins, when not nil
	gate        chan struct{} // renders wait for it, when not nil; an interrupt opens it
	open        func()
}

func newServer(picture []byte) *server { return &server{picture: picture, open: func() {}} }

// hold makes renders wait until the gate is opened.
func (s *server) hold() {
	s.gate, s.drawing = make(chan struct{}), make(chan string, 8)
	s.open = sync.OnceFunc(func() { close(s.gate) })
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sdapi/v1/samplers", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `[{"name":"Euler","aliases":[],"options":{}}]`)
	})
	mux.HandleFunc("POST /sdapi/v1/txt2img", s.txt2img)
	mux.HandleFunc("GET /sdapi/v1/progress", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"progress": 0, "state": map[string]any{"interrupted": s.interrupted}})
	})
	mux.HandleFunc("POST /internal/progress", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			ID string `json:"id_task"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		s.mu.Lock()
		defer s.mu.Unlock()
		active := in.ID != "" && in.ID == s.current
		_ = json.NewEncoder(w).Encode(map[string]any{
			"active": active, "queued": !active && s.waiting > 0, "completed": false, "progress": 0.25, "eta": 3,
			"live_preview": "data:image/png;base64," + base64.StdEncoding.EncodeToString(imagegentest.PNG()), "id_live_preview": 1, "textinfo": "",
		})
	})
	mux.HandleFunc("GET /internal/pending-tasks", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"size": s.waiting, "tasks": []string{}})
	})
	mux.HandleFunc("POST /sdapi/v1/interrupt", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		s.interrupts++
		s.interrupted = true
		s.mu.Unlock()
		s.open()
		io.WriteString(w, "{}")
	})
	return mux
}

func (s *server) txt2img(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	in := struct {
		Prompt   string `json:"prompt"`
		Negative string `json:"negative_prompt"`
		Width    int    `json:"width"`
		Height   int    `json:"height"`
		Steps    int    `json:"steps"`
		Seed     int64  `json:"seed"`
		TaskID   string `json:"force_task_id"`
		Batch    int    `json:"batch_size"`
	}{Width: 512, Height: 512, Steps: 50, Seed: -1}
	body := map[string]any{}
	if json.Unmarshal(raw, &in) != nil || json.Unmarshal(raw, &body) != nil || in.Batch != 1 || in.TaskID == "" {
		w.WriteHeader(422)
		io.WriteString(w, `{"detail":[{"msg":"invalid"}]}`)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.mu.Lock()
	s.current, s.interrupted = in.TaskID, false
	s.asked = append(s.asked, imagegentest.Asked{Prompt: in.Prompt, Negative: in.Negative, Width: in.Width, Height: in.Height, Steps: in.Steps, Seed: in.Seed})
	s.bodies = append(s.bodies, body)
	s.mu.Unlock()
	if s.gate != nil {
		s.drawing <- in.TaskID
		<-s.gate
	}
	s.mu.Lock()
	s.current = ""
	s.mu.Unlock()
	info, _ := json.Marshal(map[string]any{"seed": in.Seed, "sd_model_name": "juggernautXL", "sampler_name": "Euler", "version": "v1.10.1"})
	_ = json.NewEncoder(w).Encode(map[string]any{
		"images": []string{base64.StdEncoding.EncodeToString(s.picture)}, "parameters": body, "info": string(info),
	})
}

func (s *server) standIn() *imagegentest.StandIn {
	return &imagegentest.StandIn{Handler: s.routes(), Asked: func() []imagegentest.Asked {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(s.asked)
	}}
}

func quick(t testing.TB, rawURL string) *Generator {
	t.Helper()
	g, err := New(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	g.every = time.Millisecond
	return g
}

func serve(t *testing.T, s *server, settings string) *Generator {
	t.Helper()
	srv := httptest.NewServer(s.routes())
	t.Cleanup(srv.Close)
	t.Cleanup(func() { s.open() }) // before Close, which waits for renders
	return quick(t, srv.URL+settings)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	imagegentest.Run(t, imagegentest.Harness{
		New: func(t testing.TB, rawURL string) imagegen.Generator {
			g := quick(t, rawURL)
			g.stop = 50 * time.Millisecond
			return g
		},
		Start:  func(_ testing.TB, picture []byte) *imagegentest.StandIn { return newServer(picture).standIn() },
		Column: "sdwebui",
	})
}

func TestRequestAndAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	g := serve(t, s, "?model=flux&sampler=Euler+a")
	req := imagegentest.Request()
	req.Prompt, req.Width, req.Height = "a mill <lora:x:1><sd_cpp_extra_args>{}</sd_cpp_extra_args>", 1201, 9000
	got, err := g.Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	want := imagegen.Result{Bytes: imagegentest.PNG(), Seed: req.Seed, Model: "juggernautXL", Version: "v1.10.1", Params: map[string]any{
		"prompt": "a mill ", "negative_prompt": "text, people", "width": 1200, "height": 2048, "steps": 12, "guidance": 5.5,
		"sampler": "Euler",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	body := s.bodies[0]
	if id, _ := body["force_task_id"].(string); !strings.HasPrefix(id, req.ImageID+"-") {
		t.Errorf("task id %q does not begin with the image's", id)
	}
	delete(body, "force_task_id")
	wantBody := map[string]any{
		"prompt": "a mill ", "negative_prompt": "text, people", "width": 1200.0, "height": 2048.0, "steps": 12.0, "cfg_scale": 5.5,
		"seed": 424242.0, "batch_size": 1.0, "n_iter": 1.0, "sampler_name": "Euler a", "send_images": true, "save_images": false,
		"override_settings": map[string]any{"sd_model_checkpoint": "flux"}, "override_settings_restore_afterwards": true,
	}
	if diff := cmp.Diff(wantBody, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestProgressIsOfThisTask(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	s.hold()
	g := serve(t, s, "")
	req := imagegentest.Request()
	var last imagegen.Progress
	req.Progress = func(p imagegen.Progress) {
		if p.Stage == "generating" {
			last = p
			s.open()
		}
	}
	if _, err := g.Generate(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	want := imagegen.Progress{Percent: 25, Stage: "generating", Step: -1, Steps: -1, Preview: imagegentest.PNG()}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnInterruptHitsOurTaskOrNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		current    string // what the server draws instead of ours
		waiting    int
		interrupts int
	}{
		{"ours runs alone", "", 0, 1},
		{"ours runs, others wait", "", 2, 0},
		{"another runs, ours waits", "task(other)", 1, 0},
		{"ours is over, another runs", "task(other)", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(imagegentest.PNG())
			s.hold()
			g := serve(t, s, "")
			ctx, cancel := context.WithCancel(t.Context())
			end := make(chan error, 1)
			go func() {
				_, err := g.Generate(ctx, imagegentest.Request())
				end <- err
			}()
			ours := <-s.drawing
			s.mu.Lock()
			s.current, s.waiting = ours, tt.waiting
			if tt.current != "" {
				s.current = tt.current
			}
			s.mu.Unlock()
			cancel()
			if err := <-end; !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v, want ctx's", err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.interrupts != tt.interrupts {
				t.Errorf("%d interrupts, want %d", s.interrupts, tt.interrupts)
			}
		})
	}
}

// The server answers an interrupted request as a success.
func TestHalfAPictureIsNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		stop  func(t *testing.T, g *Generator, s *server, id string)
		class editorial.Class
		code  string
	}{
		{"we canceled it", func(t *testing.T, g *Generator, _ *server, id string) {
			if err := g.Cancel(t.Context(), id); err != nil {
				t.Error(err)
			}
		}, editorial.Canceled, "stopped"},
		{"somebody pressed the button", func(_ *testing.T, _ *Generator, s *server, _ string) {
			s.mu.Lock()
			s.interrupted = true
			s.mu.Unlock()
			s.open()
		}, editorial.Transient, "interrupted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(imagegentest.PNG())
			s.hold()
			g := serve(t, s, "")
			var started string
			req := imagegentest.Request()
			req.Started = func(_ context.Context, id string) error { started = id; return nil }
			end := make(chan error, 1)
			go func() {
				_, err := g.Generate(t.Context(), req)
				end <- err
			}()
			id := <-s.drawing
			if id != started {
				t.Errorf("the task is %q, Started was told %q", id, started)
			}
			tt.stop(t, g, s, id)
			if e := imagegen.AsError(<-end); e == nil || e.Class != tt.class || e.Code != tt.code {
				t.Errorf("error = %v, want %s", e, tt.code)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status     int
		body, says string
		class      editorial.Class
	}{
		{404, `{"detail":"Not Found"}`, "--api", editorial.Terminal},
		{404, `{"detail":"Sampler not found"}`, "Sampler not found", editorial.Terminal},
		{401, `{"detail":"Incorrect username or password"}`, "Incorrect username", editorial.Terminal},
		{500, `{"error":"OutOfMemoryError","detail":"","body":"","errors":"CUDA out of memory"}`, "CUDA out of memory", editorial.Transient},
		{200, `{"images":[],"parameters":{},"info":""}`, "no picture", editorial.Transient},
	}
	for _, tt := range tests {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		}))
		_, err := quick(t, srv.URL).Generate(t.Context(), imagegentest.Request())
		if e := imagegen.AsError(err); e == nil || e.Class != tt.class || !strings.Contains(e.Message, tt.says) {
			t.Errorf("%d %s: %v, want %q", tt.status, tt.body, e, tt.says)
		}
		srv.Close()
	}
}

// A dialect with neither progress nor info still gives its picture.
func TestThePlainDialect(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.URL.Path != "/sdapi/v1/txt2img" || user != "ed" || password != "p:w" {
			w.WriteHeader(404)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"images": []string{base64.StdEncoding.EncodeToString(imagegentest.PNG())}, "info": ""})
	}))
	defer srv.Close()
	g := quick(t, strings.Replace(srv.URL, "://", "://ed:p%3Aw@", 1))
	req := imagegentest.Request()
	req.Progress = func(imagegen.Progress) {}
	if got, err := g.Generate(t.Context(), req); err != nil || got.Seed != req.Seed {
		t.Errorf("Generate = %+v, %v", got, err)
	}
	if e := imagegen.AsError(g.Cancel(t.Context(), "x")); e == nil || e.Code != "cannot_stop" {
		t.Errorf("Cancel = %v", e)
	}
}

// The server goes on for a step after an interrupt. A second one for the same
// task could by then hit whoever came next.
func TestOneInterruptATask(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	s.hold()
	let := s.open
	s.open = func() {} // an interrupt does not end the step
	g := serve(t, s, "")
	t.Cleanup(let)
	var id string
	req := imagegentest.Request()
	req.Started = func(_ context.Context, got string) error { id = got; return nil }
	end := make(chan error, 1)
	go func() {
		_, err := g.Generate(t.Context(), req)
		end <- err
	}()
	<-s.drawing
	for range 3 {
		if err := g.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	interrupts := s.interrupts
	s.mu.Unlock()
	if interrupts != 1 {
		t.Errorf("%d interrupts for one task, want 1", interrupts)
	}
	let()
	if e := imagegen.AsError(<-end); e == nil || e.Class != editorial.Canceled {
		t.Errorf("the interrupted picture ends with %v, want it canceled", e)
	}
}
