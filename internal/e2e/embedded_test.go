package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

// embeddedBound is how long promise P1 gives the embedded mode after the last
// fault, and everything then queued to end.
const embeddedBound = time.Minute

// embedded is cmd/api with nothing configured but where to listen and where to
// keep its data.
type embedded struct {
	*client
	api  *program
	data string
	db   *sqlx.DB
}

func startEmbedded(t testing.TB, env ...string) *embedded {
	t.Helper()
	e := newEmbedded(t, filepath.Join(t.TempDir(), "data"), env...)
	e.start()
	return e
}

func newEmbedded(t testing.TB, data string, env ...string) *embedded {
	t.Helper()
	addr := testenv.FreeAddr(t)
	return &embedded{
		client: newClient(t, "http://"+addr),
		api:    newProgram(t, "api", "api", append([]string{"DATA_DIR=" + data, "LISTEN_ADDR=" + addr}, env...)...),
		data:   data,
		db:     openDB(t, "sqlite:"+filepath.Join(data, "frontispiece.db")),
	}
}

func (e *embedded) start() {
	e.t.Helper()
	e.api.start()
	e.api.awaitReady(e.base)
}

func (e *embedded) images() string { return filepath.Join(e.data, "images") }

// check waits until every job has ended and then names each broken promise.
func (e *embedded) check(within time.Duration) *records {
	e.t.Helper()
	var r records
	eventually(e.t, within, func() (err error) {
		r, err = readRows(e.t.Context(), e.db)
		if err != nil {
			return err
		}
		return r.pending(e.acceptedJobs())
	})
	objects, err := readObjects(e.images())
	if err != nil {
		e.t.Fatal(err)
	}
	r.objects = objects
	r.fetch = func(path string) (string, error) { return fetch(e.base + path) }
	for _, v := range violations(&r) {
		e.t.Error(v)
	}
	return &r
}

// pending is an error while something that was accepted, or got into the rows
// without its client being told, has not ended.
func (r *records) pending(accepted []string) error {
	r.accepted = accepted
	live := 0
	for _, j := range r.jobs {
		if j.State == "" {
			live++
		}
	}
	if live > 0 || len(r.jobs) < len(accepted) {
		return fmt.Errorf("%d of %d jobs are live, %d were accepted; images: %v", live, len(r.jobs), len(accepted), r.imageStates())
	}
	return nil
}

func (r *records) imageStates() map[string]int {
	states := make(map[string]int)
	for _, i := range r.images {
		states[i.State]++
	}
	return states
}

func (r *records) wantAllStored(t testing.TB) {
	t.Helper()
	for _, j := range r.jobs {
		if j.State != "stored" {
			t.Errorf("job %s is %s: %s", j.ID, j.State, j.Failure)
		}
	}
}

// The first minute of everybody's acquaintance with the program.
func TestTheFirstPictureNeedsNothing(t *testing.T) {
	t.Parallel()
	e := startEmbedded(t)

	e.api.stdout.says(t, soon, "/docs") // its last line
	banner := e.api.stdout.String()
	for _, want := range []string{strings.TrimPrefix(e.base, "http://127.0.0.1"), e.data, "/desk\n", "curl -X POST", "/api/media/generate-image", "card"} {
		if !strings.Contains(banner, want) {
			t.Errorf("the banner does not say %q:\n%s", want, banner)
		}
	}
	a := e.post("/api/media/generate-image", `{"prompt":"A lighthouse at dawn","use_generation":true}`).want(200)
	m := a.object()
	url, _ := m["image_url"].(string)
	image, _ := m["image"].(map[string]any)
	if m["success"] != true || url == "" || image["url"] != url || image["source"] != "card-local" || image["width"] != 1200.0 || image["height"] != 630.0 {
		t.Fatalf("answer: %s", a.body)
	}
	e.accept(m["job_id"].(string))

	p := e.get(url).want(200)
	if digestOf(p.body) != image["sha256"] {
		t.Error("the picture served is not the one that the answer names")
	}
	for name, want := range map[string]string{
		"Content-Type": "image/png", "Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	e.call("GET", url, "", "If-None-Match", p.header.Get("ETag")).want(304)
	if part := e.call("GET", url, "", "Range", "bytes=0-7").want(206); string(part.body) != "\x89PNG\r\n\x1a\n" {
		t.Errorf("the first bytes are %q", part.body)
	}
	e.check(embeddedBound).wantAllStored(t)

	waiting, err := filepath.Glob(filepath.Join(e.data, "spool", "*-*-*"))
	if err != nil || len(waiting) > 0 {
		t.Errorf("the spool still holds %v", waiting)
	}
}
