package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

// bench is a Dispatch over a real database with a queue that only remembers.
type bench struct {
	*dispatch.Dispatch
	t     *testing.T
	store *store.Store
	queue *queueBook
	notes *noteBook
	can   *abilities
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, newBench(t, s)) })
}

func newBench(t *testing.T, s *store.Store) *bench {
	b := &bench{t: t, store: s, queue: &queueBook{}, notes: &noteBook{}, can: &abilities{}}
	b.Dispatch = dispatch.New(dispatch.Config{
		Store: s, Ringer: b.queue, Notifier: b.notes, Capabilities: b.can, Links: ownLinks{},
		Log: slog.New(slog.DiscardHandler), Targets: []string{"revalidate"},
	})
	return b
}

// queueBook remembers what was rung and answers look-ups from a table.
type queueBook struct {
	mu     sync.Mutex
	rung   []dispatch.Bell
	down   bool
	states map[string]dispatch.TaskState // by task id; absent otherwise
}

var errQueueDown = errors.New("connection refused")

func (q *queueBook) Ring(_ context.Context, bells ...dispatch.Bell) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down {
		return errQueueDown
	}
	q.rung = append(q.rung, bells...)
	return nil
}

func (q *queueBook) States(_ context.Context, bells []dispatch.Bell) ([]dispatch.TaskState, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down {
		return nil, errQueueDown
	}
	states := make([]dispatch.TaskState, len(bells))
	for i, b := range bells {
		states[i] = q.states[b.Payload.TaskID()]
	}
	return states, nil
}

type noteBook struct {
	mu    sync.Mutex
	notes []dispatch.Note
}

func (n *noteBook) Notify(_ context.Context, notes ...dispatch.Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(n.notes, notes...)
}

func (n *noteBook) count(kind string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, note := range n.notes {
		if note.Type == kind {
			count++
		}
	}
	return count
}

// abilities answers everything unless told otherwise.
type abilities struct{ none bool }

func (a *abilities) CanAnswer(editorial.Request) bool { return !a.none }

// ownLinks says that our keys are served under https://cdn.test/.
type ownLinks struct{}

func (ownLinks) KeyOf(url string) (string, bool) { return strings.CutPrefix(url, "https://cdn.test/") }

// draft inserts a draft awaiting approval and returns its id.
func (b *bench) draft(title string, columns map[string]any) string {
	b.t.Helper()
	id := uuid.NewString()
	row := map[string]any{
		"topic": title, "title": title, "status": "awaiting_approval", "content": "The text of " + title + ".",
		"task_metadata": map[string]any{"title": title},
	}
	for k, v := range columns {
		row[k] = v
	}
	err := b.store.InTx(b.t.Context(), func(tx *store.Tx) error { return tx.InsertDraft(b.t.Context(), id, row) })
	if err != nil {
		b.t.Fatalf("insert draft: %v", err)
	}
	return id
}

// submit asks for count pictures for a draft.
func (b *bench) submit(draftID string, count int) editorial.Job {
	b.t.Helper()
	job, _, err := b.Submit(b.t.Context(), dispatch.Submission{
		Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: count},
		DraftID: draftID, Caller: "tester",
	})
	if err != nil {
		b.t.Fatalf("submit: %v", err)
	}
	return job
}

// spool takes an image as far as the spool.
func (b *bench) spool(imageID string) editorial.Image {
	b.t.Helper()
	img, _, err := b.ClaimGenerate(b.t.Context(), imageID)
	if err != nil {
		b.t.Fatalf("claim for generating: %v", err)
	}
	made(&img)
	if err := b.Spooled(b.t.Context(), img); err != nil {
		b.t.Fatalf("spooled: %v", err)
	}
	return img
}

// made fills in what a generator and a spool would.
func made(img *editorial.Image) {
	img.SpoolID, img.RawSHA256, img.Backend = "spool1", digest("raw"+img.ID), "card"
	img.ContentType, img.Width, img.Height, img.Bytes = "image/png", 1200, 630, 1000
	img.Key = dispatch.NewKey(*img, "png")
}

func digest(s string) string { return strings.Repeat("0", 64-len(s)%64) + s[:len(s)%64] }

// store takes an image all the way and returns what finishing answered.
func (b *bench) storeImage(imageID string) error {
	b.t.Helper()
	b.spool(imageID)
	return b.upload(imageID)
}

// upload takes a spooled image to its end.
func (b *bench) upload(imageID string) error {
	b.t.Helper()
	img, _, err := b.ClaimUpload(b.t.Context(), imageID)
	if err != nil {
		return err
	}
	img.SHA256 = strings.ReplaceAll(img.ID, "-", "") + strings.ReplaceAll(img.ID, "-", "")
	if err := b.Finished(b.t.Context(), img); err != nil {
		return err
	}
	img.URL, img.Source = "https://cdn.test/"+img.Key, "card-s3"
	return b.Stored(b.t.Context(), img)
}

// fail gives an image up.
func (b *bench) fail(imageID string) {
	b.t.Helper()
	img, _, err := b.ClaimGenerate(b.t.Context(), imageID)
	if err != nil {
		b.t.Fatalf("claim: %v", err)
	}
	f := editorial.NewFailure("moderation_blocked", editorial.StageGenerate, editorial.Terminal, "openai", "the provider refuses this prompt")
	if err := b.GiveUp(b.t.Context(), img, f); err != nil {
		b.t.Fatalf("give up: %v", err)
	}
}

func (b *bench) approve(draftID string) dispatch.Outcome {
	b.t.Helper()
	o, err := b.Decide(b.t.Context(), dispatch.Decision{DraftID: draftID, Approved: true, Reviewer: "jane", Feedback: "fine as it is"})
	if err != nil {
		b.t.Fatalf("approve: %v", err)
	}
	return o
}

func (b *bench) job(id string) editorial.Job {
	b.t.Helper()
	j, err := b.store.Job(b.t.Context(), id)
	if err != nil {
		b.t.Fatalf("read job: %v", err)
	}
	return j
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// kindOf is the kind of an editorial.Error, "" for any other.
func kindOf(err error) editorial.Kind {
	var e *editorial.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func codeOf(err error) string {
	var e *editorial.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
