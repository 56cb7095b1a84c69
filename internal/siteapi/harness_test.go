package siteapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/siteapi"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

// bench is the whole site API over a real database and a real dispatch; only
// the queue and what a worker does are played.
type bench struct {
	t        testing.TB
	store    *store.Store
	dispatch *dispatch.Dispatch
	worker   *worker
	can      *abilities
	deps     siteapi.Deps
	handler  http.Handler
	log      *bytes.Buffer
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, newBench(t, s)) })
}

// setup is a bench on SQLite, for what no database has a say in.
func setup(t testing.TB, change ...func(*siteapi.Deps)) *bench {
	t.Helper()
	return newBench(t, storetest.SQLite(t), change...)
}

func newBench(t testing.TB, s *store.Store, change ...func(*siteapi.Deps)) *bench {
	t.Helper()
	b := &bench{t: t, store: s, can: &abilities{}, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(b.log, nil))
	b.dispatch = dispatch.New(dispatch.Config{
		Store: s, Ringer: silentQueue{}, Notifier: nobody{}, Capabilities: b.can, Links: ownLinks{},
		Log: slog.New(slog.DiscardHandler),
	})
	b.worker = &worker{b: b}
	clock := &stepClock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	b.deps = siteapi.Deps{
		Dispatch: b.dispatch, Store: s, Waiter: b.worker, Links: ownLinks{}, Inspector: allWell{},
		Auth: auth.Authenticator{byToken}, Log: log, SyncWait: time.Minute, Version: "1.2.3", Now: clock.now,
	}
	for _, c := range change {
		c(&b.deps)
	}
	api := siteapi.New(b.deps)
	mux := http.NewServeMux()
	api.Register(mux)
	mux.Handle("/api/", api.NotFound())
	b.handler = mux
	return b
}

// byToken knows callers by their role's name as token; "Bearer nobody" and no
// header at all are no credentials.
func byToken(r *http.Request) (*auth.Identity, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer author":
		return &auth.Identity{Subject: "user-1", Name: "ann", Role: auth.Author}, nil
	case "Bearer editor":
		return &auth.Identity{Subject: "user-2", Name: "ed", Role: auth.Editor}, nil
	default:
		return nil, nil
	}
}

type silentQueue struct{}

func (silentQueue) Ring(context.Context, ...dispatch.Bell) error { return nil }
func (silentQueue) States(_ context.Context, bells []dispatch.Bell) ([]dispatch.TaskState, error) {
	return make([]dispatch.TaskState, len(bells)), nil
}

type nobody struct{}

func (nobody) Notify(context.Context, ...dispatch.Note) {}

// abilities answers everything unless told otherwise.
type abilities struct{ none bool }

func (a *abilities) CanAnswer(editorial.Request) bool { return !a.none }

// ownLinks says that our keys are served under /images/ and under the CDN.
type ownLinks struct{}

func (ownLinks) KeyOf(url string) (string, bool) {
	if key, ok := strings.CutPrefix(url, "/images/"); ok {
		return key, true
	}
	return strings.CutPrefix(url, "https://cdn.test/")
}

type allWell struct{}

func (allWell) Inspect(context.Context) siteapi.Condition {
	return siteapi.Condition{
		Database: siteapi.Part{Name: "sqlite", OK: true}, Queue: siteapi.Part{Name: "embedded", OK: true},
		Storage: siteapi.Part{Name: "local", OK: true}, CDN: siteapi.Part{Name: "api", OK: true},
		Generators: []siteapi.Generator{
			{Part: siteapi.Part{Name: "pexels", OK: true}, Stock: true},
			{Part: siteapi.Part{Name: "sdcpp", Detail: "connection refused"}, Model: true},
			{Part: siteapi.Part{Name: "card", OK: true}},
		},
	}
}

// stepClock goes on by 450 ms whenever somebody looks.
type stepClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *stepClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(450 * time.Millisecond)
	return c.at
}

// worker plays the workers: whoever waits for a job makes it happen.
type worker struct {
	b *bench
	// busy leaves jobs as they are; refuses fails them.
	busy, refuses bool
	source        string // of the pictures; empty: card-local
	credit        *editorial.Credit
}

var errNoDeadline = errors.New("waited without a deadline")

func (w *worker) WaitJob(ctx context.Context, jobID string) (editorial.Job, error) {
	if _, ok := ctx.Deadline(); !ok {
		return editorial.Job{}, errNoDeadline
	}
	if !w.busy {
		w.work(jobID)
	}
	return w.b.store.Job(ctx, jobID)
}

// work takes every image of a job to its end.
func (w *worker) work(jobID string) {
	w.b.t.Helper()
	job, err := w.b.store.Job(w.b.t.Context(), jobID)
	w.b.must(err)
	for _, img := range job.Images {
		switch {
		case img.State.IsFinal():
		case w.refuses:
			w.fail(img.ID)
		default:
			w.finish(img.ID)
		}
	}
}

func (w *worker) finish(imageID string) {
	w.b.t.Helper()
	ctx, d := w.b.t.Context(), w.b.dispatch
	img, _, err := d.ClaimGenerate(ctx, imageID)
	w.b.must(err)
	img.SpoolID, img.RawSHA256, img.Backend, img.Model = "spool1", strings.Repeat("a", 64), "card", "card-1"
	img.ContentType, img.Width, img.Height, img.Bytes, img.Seed = "image/png", 1200, 630, 1000, 7
	img.Key, img.Credit, img.AltText = dispatch.NewKey(img, "png"), w.credit, "a lighthouse"
	w.b.must(d.Spooled(ctx, img))
	img, _, err = d.ClaimUpload(ctx, imageID)
	w.b.must(err)
	half := strings.ReplaceAll(img.ID, "-", "")
	img.SHA256 = half + half
	w.b.must(d.Finished(ctx, img))
	img.URL, img.Source = "/images/"+img.Key, w.source
	if img.Source == "" {
		img.Source = "card-local"
	}
	w.b.must(d.Stored(ctx, img))
}

func (w *worker) fail(imageID string) {
	w.b.t.Helper()
	img, _, err := w.b.dispatch.ClaimGenerate(w.b.t.Context(), imageID)
	w.b.must(err)
	f := editorial.NewFailure("moderation_blocked", editorial.StageGenerate, editorial.Terminal, "openai", "the provider refuses this prompt")
	w.b.must(w.b.dispatch.GiveUp(w.b.t.Context(), img, f))
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
}

// as sends a request with a role's token; body is JSON text, "" for none.
func (b *bench) as(role, method, target, body string) answer {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+role)
	}
	return b.send(r)
}

func (b *bench) send(r *http.Request) answer {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return answer{b.t, r.Method + " " + r.URL.Path, w.Code, w.Result().Header, w.Body.Bytes()}
}

func (b *bench) get(target string) answer { b.t.Helper(); return b.as("editor", "GET", target, "") }

func (b *bench) post(target, body string) answer {
	b.t.Helper()
	return b.as("editor", "POST", target, body)
}

// want checks the status and decodes the body.
func (a answer) want(status int) map[string]any {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s = %d, want %d\n%s", a.what, a.status, status, a.body)
	}
	var m map[string]any
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &m); err != nil {
			a.t.Fatalf("%s: %v\n%s", a.what, err, a.body)
		}
	}
	return m
}

// refused checks an error's status, code and field in the envelope.
func (a answer) refused(status int, field string) map[string]any {
	a.t.Helper()
	m := a.want(status)
	details, _ := m["details"].(map[string]any)
	got, _ := details["field"].(string)
	if got != field {
		a.t.Errorf("%s blames %q, want %q\n%s", a.what, got, field, a.body)
	}
	if m["message"] == "" || m["message"] != m["detail"] || m["error_code"] == "" || m["request_id"] != a.header.Get("X-Request-ID") {
		a.t.Errorf("%s: not the site's envelope: %s", a.what, a.body)
	}
	return m
}

// newDraft makes a finished draft and returns its id.
func (b *bench) newDraft(title string) string {
	b.t.Helper()
	body, err := json.Marshal(map[string]any{
		"title": title, "content": "# " + title + "\n\nOnce <b>upon</b> a time & so on.", "excerpt": "Once upon a time.",
		"category": "Technology", "tags": []string{"Cloud", "Lighthouses"}, "author": "Jane Doe",
		"seo_title": "In short", "seo_description": "About it.", "seo_keywords": "light, house", "slug": "",
	})
	b.must(err)
	m := b.post("/api/content/tasks", string(body)).want(http.StatusCreated)
	return m["task_id"].(string)
}

const approval = `{"approved":true,"human_feedback":"Reads very well.","reviewer_id":"jane.doe"}`
