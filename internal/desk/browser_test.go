package desk_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/glad-labs/frontispiece/internal/app/apptest"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/card"
	"github.com/glad-labs/frontispiece/internal/testenv/chromium"
)

func TestMain(m *testing.M) {
	code := m.Run()
	chromium.Stop()
	os.Exit(code)
}

// window returns a tab in a window of the given size in CSS pixels.
func window(t *testing.T, width, height int64) *chromium.Tab {
	t.Helper()
	tab := chromium.Open(t)
	tab.Resize(chromium.Screen{Width: width, Height: height})
	return tab
}

// js runs a script in the page.
func js(script string) chromium.Step { return chromedp.Evaluate[chromedp.Void](script) }

var until = chromium.Until

func click(selector string) chromium.Step { return chromedp.Click(chromedp.CSS(selector)) }

func visible(selector string) chromium.Step { return chromedp.WaitVisible(chromedp.CSS(selector)) }

// program is the embedded program inside the test, with a generator that the
// test holds the brush of.
type program struct {
	*apptest.Program
	studio *studio
}

// startProgram starts the whole program, as cmd/api does.
func startProgram(t *testing.T, env ...string) *program {
	t.Helper()
	s := newStudio(t)
	p := apptest.Start(t, append([]string{"GENERATORS=sdwebui+" + s.URL, "GENERATE_ATTEMPTS=1"}, env...)...)
	t.Cleanup(s.open) // before the program stops, which waits for its pictures
	return &program{p, s}
}

// studio is a generator of the web UI's kind that paints cards. It can be told
// to hold every picture half done, and refuses prompts with "impossible" in
// them until it is told not to. Its pictures are a third as wide as they were
// asked for: painting, encoding and shrinking them is most of what these tests
// would cost under the race detector, and what a page shows is the same.
type studio struct {
	*httptest.Server
	painter *card.Generator

	mu      sync.Mutex
	gate    chan struct{} // nil: open
	looks   int           // since the gate was closed
	lenient bool
	large   bool // pictures are as large as they were asked for
}

func newStudio(t *testing.T) *studio {
	s := &studio{painter: card.New()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sdapi/v1/txt2img", s.paint)
	mux.HandleFunc("POST /internal/progress", s.progress)
	mux.HandleFunc("GET /sdapi/v1/samplers", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") })
	mux.HandleFunc("GET /sdapi/v1/progress", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// close holds the pictures from now on, open lets them go.
func (s *studio) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate, s.looks = make(chan struct{}), 0
}

func (s *studio) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		close(s.gate)
		s.gate = nil
	}
}

func (s *studio) paint(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Prompt        string
		Width, Height int
		Seed          int64
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	s.mu.Lock()
	gate, lenient, large := s.gate, s.lenient, s.large
	s.mu.Unlock()
	if !large {
		in.Width, in.Height = in.Width/3, in.Height/3
	}
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	if strings.Contains(in.Prompt, "impossible") && !lenient {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"detail":"this prompt asks for the impossible"}`)
		return
	}
	out, err := s.painter.Generate(r.Context(), imagegen.Request{Prompt: in.Prompt, Width: in.Width, Height: in.Height, Seed: in.Seed})
	if err != nil {
		return
	}
	info, _ := json.Marshal(map[string]any{"seed": in.Seed, "sd_model_name": "studio-xl"})
	_ = json.NewEncoder(w).Encode(map[string]any{"images": []string{base64.StdEncoding.EncodeToString(out.Bytes)}, "info": string(info)})
}

// progress goes on by a fifth at every look.
func (s *studio) progress(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	_ = json.NewEncoder(w).Encode(map[string]any{"active": true, "queued": false, "progress": min(0.2*float64(s.looks), 0.9)})
}

// call sends a form without a browser, as a page without scripts would, and
// follows redirects.
func (p *program) call(method, path, form string) (int, string) {
	contentType := ""
	if form != "" {
		contentType = "application/x-www-form-urlencoded"
	}
	status, page := p.Do(method, path, contentType, []byte(form))
	return status, string(page)
}
