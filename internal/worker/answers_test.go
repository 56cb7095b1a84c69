package worker_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/importer"
	"github.com/glad-labs/frontispiece/internal/imagegen/openai"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/worker"
)

// outside is a server that stands for one on the internet, beside one that
// nobody outside may be led to.
type outside struct {
	public, private *httptest.Server
	led             atomic.Int64 // how often somebody was led to the private one
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{}
	o.private = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		o.led.Add(1)
		_, _ = w.Write(paint("0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f"))
	}))
	t.Cleanup(o.private.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /picture.png", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(paint("0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0e"))
	})
	mux.HandleFunc("GET /redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, o.private.URL+"/picture.png", http.StatusFound)
	})
	mux.HandleFunc("GET /round", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/round", http.StatusFound)
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("GET /endless", func(w http.ResponseWriter, r *http.Request) {
		for block := bytes.Repeat([]byte("A"), 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET /drip", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "\x89PNG")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	o.public = httptest.NewServer(mux)
	t.Cleanup(o.public.Close)
	return o
}

// control lets connections to the public server through as if its address were
// one, and guards all others as in production.
func (o *outside) control(network, address string, c syscall.RawConn) error {
	if address == strings.TrimPrefix(o.public.URL, "http://") {
		return nil
	}
	return ssrf.New(ssrf.WithPorts(80, 443, port(o.private))).Safe(network, address, c)
}

func port(s *httptest.Server) (p uint16) {
	_, _ = fmt.Sscanf(s.URL[strings.LastIndexByte(s.URL, ':'):], ":%d", &p)
	return p
}

// Links in a generator's answer that lead where they should not: each ends with
// a recorded error of its code and class, and nothing is published. The host
// that the operator configured is trusted, private as it is.
func TestLinksInAnswers(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	private := strings.TrimPrefix(o.private.URL, "http://127.0.0.1")
	terminal, transient := editorial.Terminal, editorial.Transient
	tests := []struct {
		name, link string
		code       string // empty: the picture is taken
		class      editorial.Class
	}{
		{"a public address", o.public.URL + "/picture.png", "", ""},
		{"the generator's own host", "/own.png", "", ""},
		{"a private address", "http://10.0.0.1/a.png", "private_address", terminal},
		{"the cloud's metadata", "http://169.254.169.254/latest/meta-data", "private_address", terminal},
		{"loopback", "http://127.0.0.1" + private, "private_address", terminal},
		{"a name of loopback", "http://localhost" + private, "private_address", terminal},
		{"loopback as one number", "http://2130706433" + private, "", terminal},
		{"loopback within IPv6", "http://[::ffff:127.0.0.1]" + private, "private_address", terminal},
		{"loopback of IPv6", "http://[::1]" + private, "private_address", terminal},
		{"a redirect to loopback", o.public.URL + "/redirect", "private_address", terminal},
		{"redirects in a circle", o.public.URL + "/round", "redirected", terminal},
		{"a redirect to a file", o.public.URL + "/file", "bad_url", terminal},
		{"an answer that never ends", o.public.URL + "/endless", "too_large", terminal},
		{"an answer that drips", o.public.URL + "/drip", "timeout", transient},
		{"a file", "file:///etc/passwd", "bad_url", terminal},
		{"credentials", "http://user:password@" + strings.TrimPrefix(o.public.URL, "http://"), "bad_link", terminal},
		{"no link", "http://%zz", "bad_link", terminal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, newBelfry())
			p := s.open(t.Context(), &life{}, func(c *worker.Config) {
				c.Chain = imagegen.NewChain(nil, answering(t, o, tt.link))
				c.GenerateTimeout, c.GenerateAttempts = 2*time.Second, 1
			})
			draft := s.draft("A quiet harbour")
			job := s.submit(draft, 1)
			s.approve(draft)
			s.must(p.generate(job.Images[0].ID))
			s.checkAnswer(t, job.Images[0].ID, draft, tt.name, tt.code, tt.class)
		})
	}
	t.Cleanup(func() {
		if n := o.led.Load(); n > 0 {
			t.Errorf("the private server was asked %d times", n)
		}
	})
}

// answering is a generator whose server answers every request with a link.
func answering(t *testing.T, o *outside, link string) imagegen.Generator {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own.png" {
			_, _ = w.Write(paint("0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0d"))
			return
		}
		_, _ = fmt.Fprintf(w, `{"data":[{"url":%q}]}`, link)
	}))
	t.Cleanup(srv.Close)
	g, err := openai.New(srv.URL+"/v1", "", importer.NewWithControl(o.control))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (s *site) checkAnswer(t *testing.T, imageID, draft, name, code string, class editorial.Class) {
	t.Helper()
	img, err := s.store.Image(t.Context(), imageID)
	s.must(err)
	if code == "" && class == "" {
		if img.State != editorial.StateUploading {
			t.Errorf("the picture is %s (%v), want it taken", img.State, img.Failure)
		}
		return
	}
	if img.State != editorial.StateFailed || img.Failure == nil || len(img.Steps) != 1 {
		t.Fatalf("the picture is %s, failure %v, steps %v; want it failed with the reason", img.State, img.Failure, img.Steps)
	}
	// How a resolver reads a lone number differs; where it leads does not.
	if name == "loopback as one number" {
		code = img.Failure.Code
		class = img.Failure.Class
	}
	got := [2]string{img.Failure.Code, string(img.Failure.Class)}
	if diff := cmp.Diff([2]string{code, string(class)}, got); diff != "" {
		t.Errorf("failure (-want +got):\n%s", diff)
	}
	if state, err := s.store.DraftImages(t.Context(), draft); err != nil || state.PostID != "" {
		t.Errorf("published as %q, %v", state.PostID, err)
	}
	if _, err := s.store.PostOfTask(t.Context(), draft); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("there is a post: %v", err)
	}
}
