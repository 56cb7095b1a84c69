// Package imagegentest is what every backend must pass, so that the worker
// need not know which one it talks to.
//
// It deliberately brings no server: each backend's tests write a [StandIn]
// from the facts about theirs, and the suite puts between it and the backend
// whatever a network, a proxy or a restart does to an answer.
//
// It is imported by tests only. The trap: a stand-in that is kinder than the
// real server makes every backend pass; it must check what the real one checks
// and forget what the real one forgets.
package imagegentest

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// Secret is the password in every address that the suite hands out. A backend
// with a key of another kind is made with this one.
const Secret = "sk-conformance/secret"

// Asked is one picture that a stand-in was asked to make.
type Asked struct {
	Prompt, Negative     string
	Width, Height, Steps int
	Seed                 int64
}

// StandIn is a faithful server for one backend. Its functions are called while
// requests are served.
type StandIn struct {
	Handler http.Handler
	// Asked lists the pictures that were paid for so far, whatever became of
	// them: the accepted submissions, in order.
	Asked func() []Asked

	// The rest is for backends with jobs.

	// Hold keeps new jobs waiting, or lets all go on.
	Hold func(held bool)
	// Restart forgets every job.
	Restart func()
	// Canceled lists the ids of the jobs that were stopped.
	Canceled func() []string
}

// Harness is a backend under test.
type Harness struct {
	// New makes the backend for a server's address, which holds user:Secret@.
	// Waits between two polls must be so short that nobody notices them.
	New func(t testing.TB, rawURL string) imagegen.Generator
	// Start makes a fresh stand-in that answers every request with picture.
	Start func(t testing.TB, picture []byte) *StandIn
	// Want is what a request should look like at the server; nil when the
	// protocol carries all of it.
	Want func(imagegen.Request) Asked
	// Jobs says that the backend has ids and can resume.
	Jobs bool
	// Column is what docs/generators.md calls the backend; its table is made of
	// the tests that passed.
	Column string
}

type suiteTest struct {
	name string
	run  func(*testing.T, Harness)
}

// Tests lists the names of all tests, those of backends with jobs last.
func Tests() (names []string) {
	for _, test := range append(suiteTests[:len(suiteTests):len(suiteTests)], jobTests...) {
		names = append(names, test.name)
	}
	return names
}

var suiteTests = []suiteTest{
	{"makes the picture that was asked for", testPicture},
	{"pictures made at once do not mix", testConcurrent},
	{"a call that is over asks for nothing", testAlreadyCanceled},
	{"hangs up when the caller does", testCanceled},
	{"a slow answer is an answer", testSlow},
	{"a server that never answers is a time-out", testHung},
	{"an answer that never ends is cut off", testEndless},
	{"nobody listening counts no attempt", testRefused},
	{"statuses are sorted", testStatuses},
	{"a server's wish to wait is heard", testRetryAfter},
	{"a redirect is not followed", testRedirect},
	{"cut connections may pass", testCut},
	{"answers that are none", testNonsense},
	{"answers without a picture", testNoPicture},
	{"health", testHealth},
	{"no secret in any error", testSecret},
}

// Run runs the suite, every test against a server of its own.
func Run(t *testing.T, h Harness) {
	t.Helper()
	tests := suiteTests
	if h.Jobs {
		tests = append(tests[:len(tests):len(tests)], jobTests...)
	}
	passed := newRecord(tests)
	t.Cleanup(func() { passed.check(t, h.Column) }) // after the last of them
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() { passed.note(test.name, !t.Failed()) })
			test.run(t, h)
		})
	}
}

// Request is an ordinary request.
func Request() imagegen.Request {
	return imagegen.Request{
		ImageID: "0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f", Title: "On Tide Mills", Prompt: "a tide mill at dawn", NegativePrompt: "text, people",
		Keywords: []string{"tide", "mill"}, Width: 768, Height: 512, Steps: 12, Guidance: 5.5, Seed: 424242,
	}
}

// PNG is a small picture with something on it.
func PNG() []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 32, 24))
	for i := range img.Rect.Dx() * img.Rect.Dy() {
		x, y := i%32, i/32
		img.SetNRGBA(x, y, color.NRGBA{R: uint8(x * 8), G: uint8(y * 10), B: uint8(x * y), A: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // unreachable: a buffer takes everything
	}
	return b.Bytes()
}

// bench is one backend, its server and what stands between them.
type bench struct {
	*StandIn
	gen   imagegen.Generator
	fault atomic.Pointer[http.HandlerFunc] // nil: the stand-in answers itself
	calls atomic.Int64
	close func()
}

func start(t *testing.T, h Harness, picture []byte) *bench {
	t.Helper()
	b := &bench{StandIn: h.Start(t, picture)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		if f := b.fault.Load(); f != nil {
			(*f)(w, r)
			return
		}
		b.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	b.close = srv.Close
	address := strings.Replace(srv.URL, "http://", "http://user:"+strings.ReplaceAll(Secret, "/", "%2F")+"@", 1)
	b.gen = h.New(t, address)
	return b
}

func (b *bench) fail(f http.HandlerFunc) { b.fault.Store(&f) }

// within is a deadline that only a hanging test meets.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// failed is err as the worker records it: never empty, never with a secret.
func failed(t *testing.T, err error) *imagegen.Error {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	e := imagegen.AsError(err)
	if e.Code == "" || e.Code == "unexpected" || e.Class == "" || e.Message == "" {
		t.Errorf("error %#v lacks a code, a class or a message", e)
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if strings.Contains(cause.Error(), Secret) || strings.Contains(cause.Error(), strings.ReplaceAll(Secret, "/", "%2F")) {
			t.Errorf("the error repeats the secret: %v", cause)
		}
	}
	return e
}

func testPicture(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	req := Request()
	req.Progress = func(p imagegen.Progress) {
		if p.Percent > 100 {
			t.Errorf("Progress = %v percent", p.Percent)
		}
	}
	got, err := b.gen.Generate(within(t), req)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes, PNG()) {
		t.Errorf("Generate answers %d bytes, want the server's %d", len(got.Bytes), len(PNG()))
	}
	want := Asked{req.Prompt, req.NegativePrompt, req.Width, req.Height, req.Steps, req.Seed}
	if h.Want != nil {
		want = h.Want(req)
	} else if got.Seed != req.Seed {
		t.Errorf("Seed = %d, want %d", got.Seed, req.Seed)
	}
	if diff := cmp.Diff([]Asked{want}, b.Asked()); diff != "" {
		t.Errorf("the server was asked for (-want +got):\n%s", diff)
	}
	if b.gen.Name() == "" || b.gen.Name() != strings.ToLower(b.gen.Name()) {
		t.Errorf("Name() = %q, want a lower-case word", b.gen.Name())
	}
}

func testConcurrent(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	const n = 4
	errs := make(chan error, n)
	for i := range n {
		req := Request()
		req.ImageID = req.ImageID[:35] + string(rune('a'+i))
		req.Seed += int64(i)
		go func() {
			_, err := b.gen.Generate(within(t), req)
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := len(b.Asked()); got != n {
		t.Errorf("the server was asked %d times, want %d", got, n)
	}
}

func testAlreadyCanceled(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.gen.Generate(ctx, Request()); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want ctx's", err)
	}
	if got := b.Asked(); len(got) != 0 {
		t.Errorf("the server was asked for %v", got)
	}
}

func testCanceled(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	ctx, cancel := context.WithCancel(within(t))
	b.fail(func(_ http.ResponseWriter, r *http.Request) { cancel(); hang(r) })
	_, err := b.gen.Generate(ctx, Request())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want ctx's", err)
	}
	_ = failed(t, err)
}
