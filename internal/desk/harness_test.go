package desk_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/desk"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

// world is the desk over a real database and a real dispatch; the queue and the
// workers are the test itself.
type world struct {
	t        testing.TB
	desk     *desk.Desk
	dispatch *dispatch.Dispatch
	store    *store.Store
	notes    *notes
}

type bells struct{}

func (bells) Ring(context.Context, ...dispatch.Bell) error { return nil }

func (bells) States(_ context.Context, bells []dispatch.Bell) ([]dispatch.TaskState, error) {
	return make([]dispatch.TaskState, len(bells)), nil
}

// notes tells whoever watches.
type notes struct {
	mu    sync.Mutex
	chans map[chan struct{}]string
}

func (n *notes) Notify(_ context.Context, list ...dispatch.Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c, topic := range n.chans {
		for _, note := range list {
			if topic == "*" || topic == note.DraftID || topic == note.JobID {
				select {
				case c <- struct{}{}:
				default:
				}
			}
		}
	}
}

func (n *notes) watch(topic string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.chans[c] = topic
	return c, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.chans, c)
	}
}

type anyGenerator struct{}

func (anyGenerator) CanAnswer(editorial.Request) bool { return true }

type localLinks struct{}

func (localLinks) KeyOf(url string) (string, bool) { return strings.CutPrefix(url, "/images/") }

// callers recognises the words of an Authorization header; none is an operator.
func callers(r *http.Request) (*auth.Identity, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return &auth.Identity{Subject: "op", Name: "Olga", Role: auth.Operator, Via: "test"}, nil
	case "Bearer editor":
		return &auth.Identity{Subject: "edith", Name: "Edith", Role: auth.Editor, Via: "test"}, nil
	case "Bearer author":
		return &auth.Identity{Subject: "ann", Name: "Ann", Role: auth.Author, Via: "test"}, nil
	default:
		return nil, nil
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, storetest.SQLite(t))
}

func newWorldOn(t testing.TB, db *store.Store) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	w := &world{t: t, store: db, notes: &notes{chans: make(map[chan struct{}]string)}}
	w.dispatch = dispatch.New(dispatch.Config{
		Store: db, Ringer: bells{}, Notifier: w.notes, Capabilities: anyGenerator{}, Links: localLinks{}, Log: log,
	})
	drain, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	w.desk = desk.New(drain, desk.Config{
		Dispatch: w.dispatch, Store: db, Watch: w.notes.watch, Auth: auth.Authenticator{callers},
		Generators: []string{"card", "pexels"}, Log: log, Samples: true, Site: "lighthouse.example",
	})
	return w
}

// as is a header that says who is calling.
type as string

// page is an answer of the desk.
type page struct {
	status   int
	body     string
	location string
	header   http.Header
}

func (w *world) get(path string, who ...as) page { return w.send(http.MethodGet, path, nil, who...) }

func (w *world) post(path string, form url.Values, who ...as) page {
	return w.send(http.MethodPost, path, form, who...)
}

func (w *world) send(method, path string, form url.Values, who ...as) page {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	for _, name := range who {
		r.Header.Set("Authorization", "Bearer "+string(name))
	}
	return w.serve(r)
}

func (w *world) serve(r *http.Request) page {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.desk.ServeHTTP(rec, r)
	body, err := io.ReadAll(rec.Result().Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return page{rec.Code, string(body), rec.Header().Get("Location"), rec.Header()}
}

func (p page) wants(t testing.TB, status int, texts ...string) page {
	t.Helper()
	if p.status != status {
		t.Fatalf("status %d, want %d: %s", p.status, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("the page does not say %q:\n%s", text, p.body)
		}
	}
	return p
}

// draft makes a draft that awaits approval.
func (w *world) draft(id, title string, more map[string]any) string {
	w.t.Helper()
	columns := map[string]any{
		"topic": "A topic", "title": title, "status": "awaiting_approval", "content": "# " + title + "\n\nThe words of it.",
		"excerpt": "In short.", "category": "technology",
	}
	for k, v := range more {
		columns[k] = v
	}
	err := w.store.InTx(w.t.Context(), func(tx *store.Tx) error { return tx.InsertDraft(w.t.Context(), id, columns) })
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// ask asks for pictures of a draft.
func (w *world) ask(draftID string, count int) editorial.Job {
	w.t.Helper()
	job, _, err := w.dispatch.Submit(w.t.Context(), dispatch.Submission{
		DraftID: draftID, Caller: "ann", Request: editorial.Request{Prompt: "A lighthouse at dawn", Count: count, UseGeneration: true},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return job
}

// finish takes one image all the way to stored; change alters it on its way.
func (w *world) finish(imageID string, change ...func(*editorial.Image)) editorial.Image {
	w.t.Helper()
	ctx := w.t.Context()
	img, _, err := w.dispatch.ClaimGenerate(ctx, imageID)
	if err != nil {
		w.t.Fatal(err)
	}
	img.Backend, img.Model, img.SpoolID, img.RawSHA256 = "card", "card/1", "spool-1", strings.Repeat("1", 64)
	img.Key = fmt.Sprintf("generated/%s.png", img.ID)
	img.ContentType, img.Width, img.Height, img.Bytes, img.Color = "image/png", 1200, 630, 4096, "#203040"
	for _, f := range change {
		f(&img)
	}
	if err := w.dispatch.Spooled(ctx, img); err != nil {
		w.t.Fatal(err)
	}
	up, _, err := w.dispatch.ClaimUpload(ctx, imageID)
	if err != nil {
		w.t.Fatal(err)
	}
	up.SHA256, up.Placeholder = strings.Repeat(fmt.Sprint(img.Number), 64), "data:image/png;base64,AAAA"
	up.Renditions = []editorial.Rendition{{Key: img.Key + "-640.webp", SHA256: strings.Repeat("2", 64), ContentType: "image/webp", Width: 640, Height: 336, Bytes: 512}}
	if err := w.dispatch.Finished(ctx, up); err != nil {
		w.t.Fatal(err)
	}
	up.URL, up.Source = "/images/"+img.Key, "card-local"
	up.Renditions[0].URL = up.URL + "-640.webp"
	if err := w.dispatch.Stored(ctx, up); err != nil {
		w.t.Fatal(err)
	}
	return up
}

// fail gives one image up while it is being generated.
func (w *world) fail(imageID, message string) {
	w.t.Helper()
	img, _, err := w.dispatch.ClaimGenerate(w.t.Context(), imageID)
	if err != nil {
		w.t.Fatal(err)
	}
	f := editorial.NewFailure("refused", editorial.StageGenerate, editorial.Terminal, "card", message)
	if err := w.dispatch.GiveUp(w.t.Context(), img, f); err != nil {
		w.t.Fatal(err)
	}
}

func pick(img editorial.Image) url.Values { return url.Values{"pick": {img.ID + ":" + img.SHA256}} }

func (w *world) status(draftID string) editorial.DraftStatus {
	w.t.Helper()
	d, err := w.store.Draft(w.t.Context(), draftID)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Status
}
