package worker_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/worker"
)

// outcome is what one task leaves behind.
type outcome struct {
	Again   bool // the task comes back
	State   editorial.ImageState
	Attempt int
	Code    string // of the failure
	Stage   editorial.Stage
	Class   editorial.Class
	Steps   string // who was given up on, and why
}

func (s *site) outcome(imageID string, err error) outcome {
	s.t.Helper()
	var again *queue.RetryAfter
	if err != nil && !errors.As(err, &again) {
		s.t.Errorf("the handler returned %v, want nil or a RetryAfter", err)
	}
	img, readErr := s.store.Image(s.t.Context(), imageID)
	s.must(readErr)
	if img.Claim != "" {
		s.t.Errorf("the image is still claimed")
	}
	o := outcome{Again: again != nil, State: img.State, Attempt: img.Attempt}
	if f := img.Failure; f != nil {
		o.Code, o.Stage, o.Class = f.Code, f.Stage, f.Class
		if f.Message == "" || f.Provider == "" || f.At.IsZero() {
			s.t.Errorf("the failure does not say what happened: %+v", f)
		}
	}
	var steps []string
	for _, step := range img.Steps {
		steps = append(steps, step.Backend+" "+step.Failure.Code)
	}
	o.Steps = strings.Join(steps, ", ")
	return o
}

// oneGray is a valid picture that shows nothing.
func oneGray() []byte {
	var out bytes.Buffer
	_ = png.Encode(&out, image.NewGray(image.Rect(0, 0, 64, 64))) // a buffer takes everything
	return out.Bytes()
}

func answers(data []byte) func(imagegen.Request) (imagegen.Result, error) {
	return func(imagegen.Request) (imagegen.Result, error) { return imagegen.Result{Bytes: data}, nil }
}

func refuses(err error) func(imagegen.Request) (imagegen.Result, error) {
	return func(imagegen.Request) (imagegen.Result, error) { return imagegen.Result{}, err }
}

// second is a backend behind the painter.
type second struct{ *painter }

func (second) Name() string { return "second" }

func TestOutcomesOfGenerating(t *testing.T) {
	t.Parallel()
	busy := imagegen.Transientf("unavailable", "the backend answers 503")
	refused := imagegen.Terminalf("moderation_blocked", "the provider refuses this prompt")
	tests := []struct {
		name   string
		answer func(imagegen.Request) (imagegen.Result, error)
		tries  int // 0: one
		change func(*worker.Config)
		want   outcome
	}{
		{name: "a picture", want: outcome{State: "uploading"}},
		{
			name: "transient once", answer: refuses(busy),
			want: outcome{Again: true, State: "queued", Attempt: 1, Code: "unavailable", Stage: "generate", Class: "transient"},
		},
		{
			name: "transient at every attempt", answer: refuses(busy), tries: 3,
			want: outcome{State: "failed", Attempt: 1, Code: "unavailable", Stage: "generate", Class: "transient", Steps: "painter unavailable"},
		},
		{
			name: "an error of no class is transient", answer: refuses(errAway),
			want: outcome{Again: true, State: "queued", Attempt: 1, Code: "unexpected", Stage: "generate", Class: "transient"},
		},
		{
			name: "terminal", answer: refuses(refused),
			want: outcome{State: "failed", Attempt: 1, Code: "moderation_blocked", Stage: "generate", Class: "terminal", Steps: "painter moderation_blocked"},
		},
		{
			name: "terminal, and another backend answers", answer: refuses(refused), change: withSecond,
			want: outcome{State: "uploading", Steps: "painter moderation_blocked"},
		},
		{
			name: "unreachable burns no attempt", tries: 10,
			answer: refuses(&imagegen.Error{Class: editorial.Transient, Code: "unreachable", Message: "connection refused", Unreachable: true}),
			want:   outcome{Again: true, State: "queued", Code: "unreachable", Stage: "generate", Class: "transient"},
		},
		{
			name: "undecodable once may be an accident", answer: answers([]byte("not a picture")),
			want: outcome{Again: true, State: "queued", Attempt: 1, Code: "picture_unknown_format", Stage: "generate", Class: "transient"},
		},
		{
			name: "undecodable twice", answer: answers([]byte("not a picture")), tries: 2,
			want: outcome{State: "failed", Attempt: 1, Code: "picture_unknown_format", Stage: "generate", Class: "terminal", Steps: "painter picture_unknown_format"},
		},
		{
			name: "blank twice, and another backend answers", answer: answers(oneGray()), tries: 2, change: withSecond,
			want: outcome{State: "uploading", Steps: "painter picture_blank"},
		},
		{
			name: "no answer in time", change: func(c *worker.Config) { c.GenerateTimeout = painting / 2 },
			want: outcome{Again: true, State: "queued", Attempt: 1, Code: "timeout", Stage: "generate", Class: "transient"},
		},
		{
			name: "no generator", change: func(c *worker.Config) { c.Chain = imagegen.NewChain(nil) },
			want: outcome{State: "failed", Attempt: 1, Code: "no_generator", Stage: "generate", Class: "terminal"},
		},
		{
			name: "the spool is full", change: func(c *worker.Config) { c.Spool = fullSpool{c.Spool} },
			want: outcome{Again: true, State: "queued", Code: "spool_full", Stage: "generate", Class: "transient"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, newBelfry())
				s.painter.answer = tt.answer
				p := s.open(t.Context(), &life{}, tt.change)
				img := s.submit("", 1).Images[0]
				var err error
				for range max(1, tt.tries) {
					err = p.generate(img.ID)
				}
				if diff := cmp.Diff(tt.want, s.outcome(img.ID, err)); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func withSecond(c *worker.Config) {
	first, _ := c.Chain.Next(editorial.Request{UseGeneration: true}, nil)
	c.Chain = imagegen.NewChain(nil, first, second{&painter{bill: newBill(), calls: map[string]int{}}})
}

type fullSpool struct{ worker.Spool }

func (fullSpool) Put(context.Context, string, []byte, []byte) (spool.Entry, error) {
	return spool.Entry{}, spool.ErrFull
}

// Bytes that are paid for may lie in a spool that cannot be read just now: the
// picture waits for the disk, and the generator is not asked (P2).
func TestAnUnreadableSpoolIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, failing := range []string{"find", "read"} {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, newBelfry())
				img := s.submit("", 1).Images[0]
				_ = s.open(t.Context(), &life{dieAt: 5, before: true}, nil).generate(img.ID) // with its bytes in the spool
				pass(lease + time.Second)
				p := s.open(t.Context(), &life{}, func(c *worker.Config) { c.Spool = unreadable{c.Spool, failing} })
				want := outcome{Again: true, State: "queued", Attempt: 1, Code: "spool_unavailable", Stage: "generate", Class: "transient"}
				if diff := cmp.Diff(want, s.outcome(img.ID, p.generate(img.ID))); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				if n := s.painter.count(img.ID); n != 1 {
					t.Errorf("the generator was asked %d times, want once", n)
				}
			})
		})
	}
}

type unreadable struct {
	worker.Spool
	failing string
}

func (u unreadable) Find(id string) ([]spool.Entry, error) {
	if u.failing == "find" {
		return nil, errAway
	}
	return u.Spool.Find(id)
}

func (u unreadable) Read(id, digest string) (data, facts []byte, err error) {
	if u.failing == "read" {
		return nil, nil, errAway
	}
	return u.Spool.Read(id, digest)
}

// A picture whose worker dies at every attempt is not tried for ever.
func TestAPictureThatKillsItsWorkerIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		img := s.submit("", 1).Images[0]
		for range 3 {
			p := s.open(t.Context(), &life{dieAt: 3}, nil) // in the generator
			_ = p.generate(img.ID)
			pass(lease + time.Second)
		}
		p := s.open(t.Context(), &life{}, nil)
		want := outcome{State: "failed", Attempt: 1, Code: "attempts_exhausted", Stage: "generate", Class: "terminal", Steps: "painter attempts_exhausted"}
		if diff := cmp.Diff(want, s.outcome(img.ID, p.generate(img.ID))); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
		if n := s.painter.count(img.ID); n != 3 {
			t.Errorf("the generator was asked %d times, want 3", n)
		}
	})
}

// A worker that is told to stop gives its pictures back, and the try is not
// held against them.
func TestShutdownIsNobodysFailure(t *testing.T) {
	t.Parallel()
	for _, stage := range []editorial.ImageState{editorial.StateQueued, editorial.StateUploading} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, newBelfry())
				p := s.open(t.Context(), &life{}, func(c *worker.Config) { c.Bucket = slow{c.Bucket} })
				img := s.submit("", 1).Images[0]
				handle := p.generate
				if stage == editorial.StateUploading {
					s.must(p.generate(img.ID))
					handle = p.upload
				}
				time.AfterFunc(painting/2, p.life.kill) // the context only: the process lives
				err := handle(img.ID)
				code := "canceled"
				if stage == editorial.StateUploading {
					code = "shutdown"
				}
				want := outcome{Again: true, State: stage, Code: code, Stage: "generate", Class: "transient"}
				if stage == editorial.StateUploading {
					want.Stage = "upload"
				}
				if diff := cmp.Diff(want, s.outcome(img.ID, err)); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				var again *queue.RetryAfter
				if errors.As(err, &again) && again.Delay != 0 {
					t.Errorf("the next worker waits %s", again.Delay)
				}
			})
		})
	}
}
