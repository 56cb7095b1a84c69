package desk_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/desk"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

var everyDraft = store.DraftFilter{Limit: 1}

// counting counts what a page asks of the store. Each of these reads is one
// statement, or two whose number does not depend on the rows.
type counting struct {
	*store.Store
	n atomic.Int64
}

func (c *counting) Drafts(ctx context.Context, f store.DraftFilter) ([]editorial.Draft, int, error) {
	c.n.Add(1)
	return c.Store.Drafts(ctx, f)
}

func (c *counting) Draft(ctx context.Context, id string) (editorial.Draft, error) {
	c.n.Add(1)
	return c.Store.Draft(ctx, id)
}

func (c *counting) DraftImagesOf(ctx context.Context, ids []string) (map[string]editorial.DraftImages, error) {
	c.n.Add(1)
	return c.Store.DraftImagesOf(ctx, ids)
}

func (c *counting) Images(ctx context.Context, ids []string) (map[string]editorial.Image, error) {
	c.n.Add(1)
	return c.Store.Images(ctx, ids)
}

func (c *counting) ImagesOfDraft(ctx context.Context, id string) ([]editorial.Image, error) {
	c.n.Add(1)
	return c.Store.ImagesOfDraft(ctx, id)
}

func (c *counting) PresentRounds(ctx context.Context, ids []string) (map[string]editorial.Job, error) {
	c.n.Add(1)
	return c.Store.PresentRounds(ctx, ids)
}

func (c *counting) Job(ctx context.Context, id string) (editorial.Job, error) {
	c.n.Add(1)
	return c.Store.Job(ctx, id)
}

func (c *counting) QueueHead(ctx context.Context) ([]string, error) {
	c.n.Add(1)
	return c.Store.QueueHead(ctx)
}

func (c *counting) DraftCounts(ctx context.Context) (map[editorial.DraftStatus]int, error) {
	c.n.Add(1)
	return c.Store.DraftCounts(ctx)
}

func (c *counting) CountFailed(ctx context.Context) (int, error) {
	c.n.Add(1)
	return c.Store.CountFailed(ctx)
}

// fill makes drafts with three pictures each, of which so many are stored and
// the others wait.
func (w *world) fill(from, to, stored int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		id := w.draft(fmt.Sprintf("draft-%03d", i), fmt.Sprintf("The %dth Lighthouse of the Northern Coast", i), nil)
		job := w.ask(id, 3)
		for _, img := range job.Images[:stored] {
			w.finish(img.ID)
		}
	}
}

// counted is the same desk over a store that counts.
func (w *world) counted(t testing.TB) (*world, *counting) {
	t.Helper()
	c := &counting{Store: w.store}
	other := *w
	other.desk = desk.New(t.Context(), desk.Config{
		Dispatch: w.dispatch, Store: c, Watch: w.notes.watch, Auth: auth.Authenticator{callers}, Log: slog.New(slog.DiscardHandler),
	})
	return &other, c
}

func TestAListAsksAsLittleForManyAsForFew(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.Store) {
		w := newWorldOn(t, db)
		counted, c := w.counted(t)
		reads := func() int64 {
			c.n.Store(0)
			counted.get("/desk?per=200").wants(t, 200)
			return c.n.Load()
		}
		w.fill(0, 3, 1)
		few := reads()
		w.fill(3, 60, 0)
		if many := reads(); many != few || many > 8 {
			t.Errorf("%d reads for 60 drafts and %d for 3", many, few)
		}
	})
}

func TestTheFirstViewIsSmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(0, 25, 2)
	page := []byte(w.get("/desk").wants(t, 200).body)
	raw, sent := len(page), zipped(t, page)
	static := os.DirFS("static")
	files, err := fs.Glob(static, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		body, err := fs.ReadFile(static, name)
		if err != nil {
			t.Fatal(err)
		}
		raw += len(body)
		sent += zipped(t, body)
	}
	t.Logf("the first view, 25 drafts of three pictures: %d bytes, %d as they are sent", raw, sent)
	if sent > 100_000 {
		t.Errorf("the first view takes %d bytes without pictures", sent)
	}
}

func zipped(t *testing.T, body []byte) int {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

// BenchmarkTwoHundredDrafts is the server's time for the desk with 200 drafts
// on one page, three pictures each. On a machine that does other things beside
// it, the processor's own time says more than the clock's.
func BenchmarkTwoHundredDrafts(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorldOn(b, open(b))
			w.fill(0, 200, 2)
			before := processorTime(b)
			for b.Loop() {
				w.get("/desk?per=200").wants(b, 200)
			}
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processorTime is what this process has used so far, its garbage collection
// included.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
