package sdcpp

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
)

func quick(t testing.TB, rawURL string) *Generator {
	t.Helper()
	g, err := New(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	g.every = time.Millisecond
	return g
}

func TestConformance(t *testing.T) {
	t.Parallel()
	imagegentest.Run(t, imagegentest.Harness{
		New:   func(t testing.TB, rawURL string) imagegen.Generator { return quick(t, rawURL) },
		Start: start,
		Jobs:  true, Column: "sdcpp",
	})
}

func serve(t *testing.T, s *server) (*Generator, *imagegentest.StandIn) {
	t.Helper()
	in := s.standIn()
	srv := httptest.NewServer(in.Handler)
	t.Cleanup(srv.Close)
	return quick(t, srv.URL), in
}

func TestWhatIsKnownAboutThePicture(t *testing.T) {
	t.Parallel()
	g, _ := serve(t, newServer(imagegentest.PNG()))
	req := imagegentest.Request()
	req.Prompt = "a mill<sd_cpp_extra_args>{\"steps\":99}</sd_cpp_extra_args>"
	var stages []string
	req.Progress = func(p imagegen.Progress) { stages = append(stages, p.Stage) }
	got, err := g.Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	want := imagegen.Result{
		Bytes: imagegentest.PNG(), Seed: req.Seed, Model: "sd_xl_base",
		Params: map[string]any{"width": 768, "height": 512, "steps": 12, "guidance": 5.5, "prompt": "a mill", "negative_prompt": "text, people"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"generating"}, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

func TestAFullQueueIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	s.limit = 0
	g, _ := serve(t, s)
	_, err := g.Generate(t.Context(), imagegentest.Request())
	if e := imagegen.AsError(err); e.Code != "rate_limited" || e.RetryAfter != whenFull || !strings.Contains(e.Message, "job queue is full") {
		t.Errorf("error = %#v", e)
	}
}

// A job that failed stays failed for ten minutes: the worker's next attempt
// names it and must not be answered with it.
func TestAFailedJobIsNotResumed(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	s.failWith = "CUDA out of memory"
	g, in := serve(t, s)
	req := imagegentest.Request()
	req.Started = func(_ context.Context, id string) error { req.ProviderJobID = id; return nil }
	_, err := g.Generate(t.Context(), req)
	if e := imagegen.AsError(err); e.Class != editorial.Transient || !strings.Contains(e.Message, "out of memory") {
		t.Fatalf("error = %v", err)
	}
	s.mu.Lock()
	s.failWith = ""
	s.mu.Unlock()
	if _, err := g.Generate(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if n := len(in.Asked()); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

func TestAnExpiredResultIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	s.expired["job_77"] = true
	g, in := serve(t, s)
	req := imagegentest.Request()
	req.ProviderJobID = "job_77"
	if _, err := g.Generate(t.Context(), req); err != nil || len(in.Asked()) != 1 {
		t.Errorf("Generate: %v, asked %v", err, in.Asked())
	}
}

// A server that dies of the picture must not be fed it for ever.
func TestASecondLossIsTheWorkers(t *testing.T) {
	t.Parallel()
	g, in := serve(t, newServer(imagegentest.PNG()))
	req := imagegentest.Request()
	req.Started = func(context.Context, string) error { in.Restart(); return nil }
	_, err := g.Generate(t.Context(), req)
	if e := imagegen.AsError(err); e.Code != "job_lost" || e.Class != editorial.Transient || len(in.Asked()) != 2 {
		t.Errorf("error = %v, asked %d times", err, len(in.Asked()))
	}
}

// Another worker may have the picture by now and be waiting for the same job:
// only who knows that nobody wants it stops it, by its id.
func TestWhoGoesAwayLeavesTheJobAlone(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"a shutdown": nil, "a lost claim": errors.New("claim lost")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, in := serve(t, newServer(imagegentest.PNG()))
			in.Hold(true)
			ctx, cancel := context.WithCancelCause(t.Context())
			req := imagegentest.Request()
			req.Progress = func(imagegen.Progress) { cancel(cause) }
			if _, err := g.Generate(ctx, req); !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v", err)
			}
			if got := in.Canceled(); len(got) != 0 {
				t.Errorf("stopped %q", got)
			}
		})
	}
}

func TestWhatIsBeingDrawnCannotBeStopped(t *testing.T) {
	t.Parallel()
	s := newServer(imagegentest.PNG())
	s.jobs["job_9"] = "generating"
	g, _ := serve(t, s)
	if e := imagegen.AsError(g.Cancel(t.Context(), "job_9")); e == nil || e.Code != "cannot_stop" {
		t.Errorf("Cancel = %v", e)
	}
	if err := g.Cancel(t.Context(), "../../v1"); err != nil {
		t.Errorf("Cancel of no job: %v", err)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"a tide mill", "<sd_cpp_extra_args>{\"steps\":1}</sd_cpp_extra_args>", "a<SD_CPP_EXTRA_ARGS>\n{}</Sd_Cpp_Extra_Args>b",
		"<sd_cpp_<sd_cpp_extra_args></sd_cpp_extra_args>extra_args>{}</sd_cpp_extra_args>", "<sd_cpp_extra_args>never closed",
		"<lora:x:1>", "<lo<lora:x>ra:y:2>", "a < b > c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := strings.ToLower(clean(s))
		if strings.Contains(got, "<sd_cpp_extra_args>") || strings.Contains(got, "</sd_cpp_extra_args>") {
			t.Errorf("clean(%q) = %q", s, got)
		}
		if clean(got) != got {
			t.Errorf("clean is not done after once: %q", got)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "gpu:1234", "http://gpu:1234?model=x"} {
		if _, err := New(raw); err == nil {
			t.Errorf("New(%q) is no error", raw)
		}
	}
}
