package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

// sdServer is an sd-server with a slow card: its jobs wait until they are let
// go, in its memory.
type sdServer struct {
	mu       sync.Mutex
	held     bool
	jobs     map[string]string // id: status
	asked    []string          // prompts, in order
	canceled []string          // prompts
	prompts  map[string]string // of jobs
}

func newSDServer() *sdServer {
	return &sdServer{held: true, jobs: map[string]string{}, prompts: map[string]string{}}
}

func (s *sdServer) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(id string, r *http.Request) (int, any)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			status, body := f(r.PathValue("id"), r)
			s.mu.Unlock()
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	handle("GET /sdcpp/v1/capabilities", func(string, *http.Request) (int, any) {
		return 200, map[string]any{"model": map[string]any{"name": "sd_xl_base"}}
	})
	handle("POST /sdcpp/v1/img_gen", func(_ string, r *http.Request) (int, any) {
		var in struct {
			Prompt string `json:"prompt"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		id := fmt.Sprintf("job_%d", len(s.asked)+1)
		s.asked, s.jobs[id], s.prompts[id] = append(s.asked, in.Prompt), "queued", in.Prompt
		return 202, map[string]any{"id": id, "status": "queued"}
	})
	handle("GET /sdcpp/v1/jobs/{id}", func(id string, _ *http.Request) (int, any) {
		status, ok := s.jobs[id]
		switch {
		case !ok:
			return 404, map[string]any{"error": "job not found"}
		case status == "queued" && s.held:
			return 200, map[string]any{"id": id, "status": status, "queue_position": 2}
		case status == "queued":
			s.jobs[id] = "completed"
		}
		return 200, map[string]any{"id": id, "status": s.jobs[id], "result": map[string]any{
			"images": []any{map[string]any{"b64_json": base64.StdEncoding.EncodeToString(stripes(id))}},
		}}
	})
	handle("POST /sdcpp/v1/jobs/{id}/cancel", func(id string, _ *http.Request) (int, any) {
		if s.jobs[id] == "queued" {
			s.jobs[id], s.canceled = "cancelled", append(s.canceled, s.prompts[id])
		}
		return 200, map[string]any{"id": id, "status": s.jobs[id]}
	})
	return mux
}

func (s *sdServer) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
}

func (s *sdServer) seen() (asked, canceled []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked), slices.Clone(s.canceled)
}

// stripes is a picture of a job's own.
func stripes(id string) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 96, 64))
	for i := range 96 * 64 {
		x, y := i%96, i/96
		img.SetNRGBA(x, y, color.NRGBA{R: uint8(x * 2), G: uint8(y * 3), B: uint8((x * y) ^ int(id[len(id)-1])*5), A: 255})
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes everything
	return b.Bytes()
}

// progressing is what these tests read of a job that is being made.
type progressing struct {
	Candidates []struct {
		Backend  string `json:"backend"`
		State    string `json:"state"`
		Progress *struct {
			Generator string `json:"generator"`
			Stage     string `json:"stage"`
		} `json:"progress"`
	} `json:"candidates"`
}

func (c *client) awaitStage(id, stage string) {
	c.t.Helper()
	eventually(c.t, 20*time.Second, func() error {
		var j progressing
		a := c.get("/v1/jobs/" + id).want(http.StatusOK)
		a.into(&j)
		if p := j.Candidates[0].Progress; p == nil || p.Generator != "sdcpp" || p.Stage != stage {
			return fmt.Errorf("no progress %q of sdcpp: %s", stage, a.body)
		}
		return nil
	})
}

// The whole program with a generator that takes its time: its progress is
// shown, a restart in the middle goes on with the same job, and a cancel stops
// the job of that picture and no other.
func TestAGeneratorThroughARestartAndACancel(t *testing.T) {
	t.Parallel()
	sd := newSDServer()
	srv := httptest.NewServer(sd.routes())
	t.Cleanup(srv.Close)
	e := startEmbedded(t, "GENERATORS=sdcpp+"+srv.URL+"?concurrency=2,card:")
	kept := e.mustSubmit(`{"prompt":"a tide mill at dawn","generator":"sdcpp"}`)
	e.awaitStage(kept, "queued, place 2")

	e.api.kill()
	e.start()
	e.awaitStage(kept, "queued, place 2")
	if asked, _ := sd.seen(); len(asked) != 1 {
		t.Errorf("after a restart the server was asked for %q, want the one picture", asked)
	}

	dropped := e.mustSubmit(`{"prompt":"a lighthouse in fog"}`)
	e.awaitStage(dropped, "queued, place 2")
	e.post("/v1/jobs/"+dropped+"/cancel", "").want(http.StatusOK)
	eventually(t, 20*time.Second, func() error {
		if _, canceled := sd.seen(); !slices.Equal(canceled, []string{"a lighthouse in fog"}) {
			return fmt.Errorf("stopped %q, want the lighthouse and nothing else", canceled)
		}
		return nil
	})

	sd.letGo()
	if j := e.awaitJob(kept, embeddedBound); j.State != "stored" {
		t.Errorf("the picture that was not canceled: %+v", j)
	}
	if asked, canceled := sd.seen(); len(asked) != 2 || len(canceled) != 1 {
		t.Errorf("asked %q, stopped %q", asked, canceled)
	}
	e.check(embeddedBound)
}

// A generator that is not there: its pictures wait without an attempt, others
// are made meanwhile, everybody is told, and when it comes it makes them.
func TestAGeneratorThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	addr := testenv.FreeAddr(t)
	e := startEmbedded(t, "GENERATORS=sdcpp+http://"+addr+",card:")
	waiting := e.mustSubmit(`{"prompt":"a tide mill at dawn"}`)
	eventually(t, 20*time.Second, func() error {
		c := e.job(waiting).Candidates[0]
		if c.State != "queued" || c.Attempt != 0 || c.Failure == nil || c.Failure.Code != "unreachable" {
			return fmt.Errorf("%s, attempt %d, %+v; want it queued with the reason", c.State, c.Attempt, c.Failure)
		}
		return nil
	})
	if j := e.awaitJob(e.mustSubmit(`{"prompt":"a quiet cover","generator":"card"}`), embeddedBound); j.State != "stored" {
		t.Errorf("another generator's picture: %+v", j)
	}
	var can struct {
		Generators []struct {
			Name      string `json:"name"`
			Available *bool  `json:"available"`
		} `json:"generators"`
	}
	e.get("/v1/capabilities").want(http.StatusOK).into(&can)
	if g := can.Generators; len(g) != 2 || g[0].Available == nil || *g[0].Available || g[1].Available == nil || !*g[1].Available {
		t.Errorf("capabilities tell %+v, want sdcpp away and card there", g)
	}
	for _, path := range []string{"/readyz", "/api/media/health"} {
		if a := e.get(path).want(http.StatusOK); !bytes.Contains(a.body, []byte(`"name":"sdcpp","ok":false`)) {
			t.Errorf("%s does not tell that sdcpp is away: %s", path, a.body)
		}
	}

	sd := newSDServer()
	sd.letGo()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("somebody else has taken the port meanwhile: %v", err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: sd.routes(), ReadHeaderTimeout: time.Minute}}
	srv.Start()
	t.Cleanup(srv.Close)
	if j := e.awaitJob(waiting, embeddedBound); j.State != "stored" {
		t.Errorf("the picture that waited: %+v", j)
	}
	e.check(embeddedBound)
}
