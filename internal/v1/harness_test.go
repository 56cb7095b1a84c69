package v1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// world is the API over a real database and a real dispatch; the queue and the
// workers are the test itself.
type world struct {
	t        testing.TB
	api      *v1.API
	dispatch *dispatch.Dispatch
	store    *store.Store
	bells    *bells
	wait     *watchers
	stop     context.CancelFunc // drains the API
}

// bells is a queue that only remembers, and a notifier that tells watchers.
type bells struct {
	mu   sync.Mutex
	rung []dispatch.Bell
}

func (b *bells) Ring(_ context.Context, bells ...dispatch.Bell) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rung = append(b.rung, bells...)
	return nil
}

func (b *bells) States(_ context.Context, bells []dispatch.Bell) ([]dispatch.TaskState, error) {
	return make([]dispatch.TaskState, len(bells)), nil
}

// watchers tells whoever waits, in this process, without Redis.
type watchers struct {
	mu      sync.Mutex
	chans   map[chan struct{}]string
	waiting chan string // has an element when somebody begins to watch
	store   *store.Store
	hub     *events.Hub // wakes the journal
}

func (w *watchers) Notify(ctx context.Context, notes ...dispatch.Note) {
	w.hub.Notify(ctx, notes...)
	w.mu.Lock()
	defer w.mu.Unlock()
	for c, id := range w.chans {
		for _, n := range notes {
			if n.JobID == id || id == events.All {
				select {
				case c <- struct{}{}:
				default:
				}
			}
		}
	}
}

func (w *watchers) Watch(jobID string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chans[c] = jobID
	select {
	case w.waiting <- jobID:
	default:
	}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.chans, c)
	}
}

func (w *watchers) WaitJob(ctx context.Context, jobID string) (editorial.Job, error) {
	changed, stop := w.Watch(jobID)
	defer stop()
	for {
		job, err := w.store.Job(context.WithoutCancel(ctx), jobID)
		if err != nil || job.State.IsFinal() {
			return job, err
		}
		select {
		case <-ctx.Done():
			return job, nil
		case <-changed:
		}
	}
}

type anyGenerator struct{}

func (anyGenerator) CanAnswer(r editorial.Request) bool { return r.UseGeneration }

type localLinks struct{}

func (localLinks) KeyOf(url string) (string, bool) { return strings.CutPrefix(url, "/images/") }

// callers recognises the words of an Authorization header; none is the local
// operator, as in the loopback mode.
func callers(r *http.Request) (*auth.Identity, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return &auth.Identity{Subject: "op", Name: "Olga", Role: auth.Operator, Via: "test"}, nil
	case "Bearer editor":
		return &auth.Identity{Subject: "7a1f0a52-0000-4000-8000-00000000000e", Name: "Edith", Role: auth.Editor, Via: "test"}, nil
	case "Bearer author":
		return &auth.Identity{Subject: "ann", Name: "Ann", Role: auth.Author, Via: "test"}, nil
	case "Bearer nobody":
		return nil, nil
	default:
		return nil, &editorial.Error{Kind: editorial.Unauthorized, Code: "invalid_token", Message: "Invalid or expired token"}
	}
}

func newWorld(t testing.TB, change ...func(*v1.Config)) *world {
	t.Helper()
	db := openStore(t)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w := &world{t: t, store: db, bells: new(bells), wait: &watchers{chans: make(map[chan struct{}]string), waiting: make(chan string, 16), store: db, hub: events.NewHub(nil, log)}}
	w.dispatch = dispatch.New(dispatch.Config{
		Store: db, Ringer: w.bells, Notifier: w.wait, Capabilities: anyGenerator{}, Links: localLinks{}, Log: log,
	})
	journal := events.NewJournal(w.wait.hub, db, log)
	c := v1.Config{
		Journal: journal, Dispatch: w.dispatch, Store: db, Wait: w.wait, Watch: w.wait.Watch, Auth: auth.Authenticator{callers}, Log: log,
		Generators: []v1.Generator{{Name: "card", Kind: "generated"}}, Version: "test", CursorKey: []byte("k"),
	}
	for _, f := range change {
		f(&c)
	}
	drain, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	reading, end := context.WithCancel(context.Background())
	var journals sync.WaitGroup
	journals.Go(func() { journal.Run(reading) })
	t.Cleanup(func() { end(); journals.Wait() })
	w.stop, w.api = stop, v1.New(drain, c)
	return w
}

// template is an empty, migrated database, of which every test gets a copy.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "v1-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	db, err := store.Open(context.Background(), "sqlite:"+path, store.Options{})
	if err != nil {
		return nil, err
	}
	_, err = db.Migrate(context.Background())
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func openStore(t testing.TB) *store.Store {
	t.Helper()
	bytes, err := template()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// answer is a response that was read.
type answer struct {
	*http.Response
	body []byte
}

// decode reads the body as JSON.
func (a answer) decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
}

// problem reads the body as a Problem of a status.
func (a answer) problem(t testing.TB, status int) v1.Problem {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type %q, want application/problem+json", ct)
	}
	var p v1.Problem
	a.decode(t, &p)
	if p.Status != status || p.Code == "" || p.Title == "" || p.Detail == "" || p.Instance == "" {
		t.Errorf("an incomplete problem: %s", a.body)
	}
	return p
}

// header is one header of a request.
type header struct{ name, value string }

// do sends a request; a body that is no string is sent as JSON.
func (w *world) do(method, path string, body any, headers ...header) answer {
	w.t.Helper()
	return read(w.t, w.serve(w.request(method, path, body, headers...)))
}

func (w *world) request(method, path string, body any, headers ...header) *http.Request {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, reader)
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		r.Header.Set(h.name, h.value)
	}
	return r
}

func (w *world) serve(r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("X-Request-ID", "req-1")
	w.api.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp
}

func read(t testing.TB, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, body}
}

// submit asks for pictures and returns the accepted job.
func (w *world) submit(body map[string]any, headers ...header) v1.Job {
	w.t.Helper()
	if body["prompt"] == nil {
		body["prompt"] = "A lighthouse at dawn"
	}
	a := w.do("POST", "/v1/jobs", body, headers...)
	if a.StatusCode/100 != 2 {
		w.t.Fatalf("submit: %d %s", a.StatusCode, a.body)
	}
	var job v1.Job
	a.decode(w.t, &job)
	return job
}

// draft makes a draft that awaits approval.
func (w *world) draft(id, title string) {
	w.t.Helper()
	err := w.store.InTx(w.t.Context(), func(tx *store.Tx) error {
		return tx.InsertDraft(w.t.Context(), id, map[string]any{
			"topic": title, "title": title, "status": "awaiting_approval", "content": "# " + title + "\n\nThe words of it.",
			"excerpt": "In short.", "category": "technology", "tags": []string{"sea", "light"},
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// generate takes one image through the generator.
func (w *world) generate(imageID string) editorial.Image {
	w.t.Helper()
	ctx := w.t.Context()
	img, _, err := w.dispatch.ClaimGenerate(ctx, imageID)
	if err != nil {
		w.t.Fatal(err)
	}
	img.Backend, img.Model, img.SpoolID, img.RawSHA256 = "card", "card-1", "spool-1", strings.Repeat("1", 64)
	img.Key = fmt.Sprintf("generated/%s.png", img.ID)
	img.ContentType, img.Width, img.Height, img.Bytes, img.Color = "image/png", 1200, 630, 4096, "#203040"
	if img.AltText == "" {
		img.AltText = "A lighthouse"
	}
	if err := w.dispatch.Spooled(ctx, img); err != nil {
		w.t.Fatal(err)
	}
	return img
}

// finish takes one image all the way to stored.
func (w *world) finish(imageID string) {
	w.t.Helper()
	ctx := w.t.Context()
	w.generate(imageID)
	img, _, err := w.dispatch.ClaimUpload(ctx, imageID)
	if err != nil {
		w.t.Fatal(err)
	}
	img.SHA256, img.Placeholder = digest(img.Number), "data:image/png;base64,AA=="
	img.Renditions = []editorial.Rendition{{
		Key: img.Key + "-640.webp", SHA256: strings.Repeat("2", 64), ContentType: "image/webp", Width: 640, Height: 336, Bytes: 512,
	}}
	if err := w.dispatch.Finished(ctx, img); err != nil {
		w.t.Fatal(err)
	}
	img.URL, img.Source = "/images/"+img.Key, "card-local"
	img.Renditions[0].URL = img.URL + "-640.webp"
	if err := w.dispatch.Stored(ctx, img); err != nil {
		w.t.Fatal(err)
	}
}

// fail gives one image up while it is being generated.
func (w *world) fail(imageID string) {
	w.t.Helper()
	img, _, err := w.dispatch.ClaimGenerate(w.t.Context(), imageID)
	if err != nil {
		w.t.Fatal(err)
	}
	f := editorial.NewFailure("refused", editorial.StageGenerate, editorial.Terminal, "card", "the prompt was refused")
	if err := w.dispatch.GiveUp(w.t.Context(), img, f); err != nil {
		w.t.Fatal(err)
	}
}

// digest is the SHA-256 that the harness gives to candidate n.
func digest(n int) string { return strings.Repeat(fmt.Sprint(n), 64) }

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times  = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)
	sealed = regexp.MustCompile(`"next_cursor": "[^"]+"`)
	etags  = regexp.MustCompile(`W/"[^"]+"`)

	secrets = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`)
)

// golden compares an answer with testdata/<name>.golden.json, which names its
// route for TestGoldenAnswersAreAsDescribed; ids, times and
// cursors, which differ from run to run, are replaced by their order.
func golden(t *testing.T, name string, a answer) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, a.body, "", "  "); err != nil {
		t.Fatalf("%s: not JSON: %s", name, a.body)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n", a.Request.Pattern, a.StatusCode)
	for _, h := range []string{"Content-Type", "Location", "Retry-After", "ETag", "Cache-Control", "Preference-Applied"} {
		if v := a.Header.Get(h); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	got := b.String() + "\n" + indented.String()
	seen := make(map[string]string)
	got = uuids.ReplaceAllStringFunc(got, func(id string) string {
		if id == editorial.DefaultAuthorID {
			return id
		}
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("00000000-0000-7000-8000-%012d", len(seen)+1)
		}
		return seen[id]
	})
	got = times.ReplaceAllString(got, `"2026-01-02T03:04:05Z"`)
	got = sealed.ReplaceAllString(got, `"next_cursor": "…"`)
	got = etags.ReplaceAllString(got, `W/"…"`)
	got = secrets.ReplaceAllString(got, "whsec_…")
	compare(t, filepath.Join("testdata", name+".golden.json"), got)
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with: go test ./internal/v1 -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
