package desk_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/card"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// patience is how long a test waits for something. Only one that fails waits so
// long, and a machine may be busy with much else.
const patience = 3 * time.Minute

// chromium is one browser for all tests; each has a tab in a profile of its own.
var chromium struct {
	sync.Mutex
	ctx  context.Context
	stop func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

// browser returns a tab, of a window of the given size in CSS pixels. Where
// there is no Chromium the test is skipped.
func browser(t *testing.T, width, height int64) context.Context {
	t.Helper()
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx == nil {
		path, err := exec.LookPath("chromium")
		if err != nil {
			testenv.Missing(t, "chromium")
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
			chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("disable-gpu", true))
		alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop := chromedp.NewContext(alloc)
		chromium.ctx, chromium.stop = ctx, func() { stop(); stopAlloc() }
		if err := chromedp.Do(ctx); err != nil {
			t.Fatalf("start chromium: %v", err)
		}
	}
	ctx, stop := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	t.Cleanup(cancel)
	window(ctx, t, width, height)
	return ctx
}

type step = chromedp.Action[chromedp.Void]

// window makes the page see a window of a size; a narrow one is a phone's.
func window(ctx context.Context, t *testing.T, width, height int64) {
	t.Helper()
	do(ctx, t, command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	}))
}

// command is a command of the browser's protocol whose answer is nobody's need.
func command[P, R any](c cdp.Command[P, R], params P) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// do runs steps in a tab; when one fails the test says what the page says.
func do(ctx context.Context, t *testing.T, steps ...step) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		text, _ := chromedp.Run(look, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		t.Fatalf("%v; the page says:\n%s", err, text)
	}
}

// eval is the value of an expression in the page, awaited when it is a promise.
func eval[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// js runs a script in the page.
func js(script string) step { return chromedp.Evaluate[chromedp.Void](script) }

// until waits for an expression to be true, also across the loading of another
// page, in which it throws or cannot be asked.
func until(expression string) step {
	ask := chromedp.Evaluate[bool]("!!(" + expression + ")")
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for {
			is, err := ask(ctx, t)
			if is {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait until %s: %w", expression, errors.Join(ctx.Err(), err))
			case <-tick.C:
			}
		}
	})
}

func click(selector string) step { return chromedp.Click(chromedp.CSS(selector)) }

func visible(selector string) step { return chromedp.WaitVisible(chromedp.CSS(selector)) }

// program is the embedded program inside the test, with a generator that the
// test holds the brush of.
type program struct {
	base   string
	studio *studio
	token  string // with which the test itself asks; empty: as everybody on this machine
}

// startProgram starts the whole program, as cmd/api does.
func startProgram(t *testing.T, env ...string) *program {
	t.Helper()
	s := newStudio(t)
	addr := freeAddr(t)
	environ := append([]string{
		"DATA_DIR=" + t.TempDir(), "LISTEN_ADDR=" + addr, "GENERATORS=sdwebui+" + s.URL, "GENERATE_ATTEMPTS=1", "LOG_LEVEL=ERROR",
	}, env...)
	cfg, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	a, err := app.Open(ctx, app.API, cfg, app.Logger(cfg, t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	banner := &lines{told: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() { report(t, a.RunAPI(ctx, banner)) })
	running.Go(func() { report(t, a.RunWorker(ctx)) })
	t.Cleanup(func() {
		s.open()
		stop()
		running.Wait()
		report(t, a.Close())
	})
	select {
	case <-banner.told: // it listens
	case <-time.After(patience):
		t.Fatal("the program never said where it listens")
	}
	return &program{base: "http://" + addr, studio: s}
}

func report(t *testing.T, err error) {
	if err != nil {
		t.Errorf("the program: %v", err)
	}
}

// lines closes told at the first write.
type lines struct {
	once sync.Once
	told chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.once.Do(func() { close(l.told) })
	return len(p), nil
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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

func (p *program) sign(r *http.Request) {
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
}

// call sends a form without a browser, as a page without scripts would, and
// follows redirects.
func (p *program) call(t *testing.T, method, path, form string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.base+path, bytes.NewBufferString(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html")
	p.sign(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// api sends JSON to the site's API or /v1.
func (p *program) api(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, p.base+path, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	p.sign(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %v %v", method, path, resp.Status, out, err)
	}
	return out
}

// draft makes a draft through the site's API and returns its id.
func (p *program) draft(t *testing.T, title string, more map[string]any) string {
	t.Helper()
	body := map[string]any{"title": title, "topic": title[:min(len(title), 180)], "content": "# " + title + "\n\nSome words about it.", "excerpt": "In short.", "category": "Culture"}
	for k, v := range more {
		body[k] = v
	}
	return fmt.Sprint(p.api(t, "POST", "/api/content/tasks", body)["task_id"])
}
