package worker_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/worker"
)

// board remembers what was shown of the one image that it is asked to follow.
type board struct {
	site *site

	mu    sync.Mutex
	shown []editorial.Progress
	ended editorial.ImageState // the row's state when it was taken down
}

func (b *board) Follow(_ context.Context, img editorial.Image) (func(editorial.Progress), func()) {
	return func(p editorial.Progress) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.shown = append(b.shown, p)
		}, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			now, err := b.site.store.Image(b.site.t.Context(), img.ID)
			b.site.must(err)
			b.ended = now.State
		}
}

func TestWhatABackendTellsIsShown(t *testing.T) {
	t.Parallel()
	magic, half := "\x89PNG\r\n\x1a\n", 50
	said := []imagegen.Progress{
		{Percent: -1, Step: -1, Steps: -1, Stage: "queued, place 2"},
		{Percent: 49.6, Stage: "generating", Step: 10, Steps: 20, Preview: []byte(magic)},
		{Percent: 250, Step: 21, Steps: 20, Preview: []byte("<svg onload=alert(1)>")},
		{Percent: -1, Step: -1, Steps: -1, Preview: []byte(magic + strings.Repeat("x", editorial.MaxPreview))},
		{Percent: -1, Step: -1, Steps: -1, Preview: []byte(magic + strings.Repeat("x", 5<<20))},
		{Percent: -1, Step: -1, Steps: -1, Preview: large()},
	}
	want := []editorial.Progress{
		{Generator: "painter", Stage: "generating"}, // told by the worker, before the backend says a word
		{Generator: "painter", Stage: "queued, place 2"},
		{Generator: "painter", Stage: "generating", Percent: &half, Step: 10, Steps: 20, Preview: "data:image/png;base64,iVBORw0KGgo="},
		{Generator: "painter", Stage: "generating", Step: 20, Steps: 20},
		{Generator: "painter", Stage: "generating"},
		{Generator: "painter", Stage: "generating"},
		{Generator: "painter", Stage: "generating", Preview: "a small one"},
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		s.painter.answer = func(req imagegen.Request) (imagegen.Result, error) {
			for _, p := range said {
				req.Progress(p)
			}
			return imagegen.Result{Bytes: paint(req.ImageID), Seed: req.Seed}, nil
		}
		b := &board{site: s}
		p := s.open(t.Context(), &life{kill: func() {}}, func(c *worker.Config) { c.Progress = b })
		img := s.submit("", 1).Images[0]
		s.must(p.generate(img.ID))
		if last := &b.shown[len(b.shown)-1]; len(last.Preview) < 2*editorial.MaxPreview && strings.HasPrefix(last.Preview, "data:image/jpeg;base64,") {
			last.Preview = "a small one"
		}
		if diff := cmp.Diff(want, b.shown); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
		if b.ended != editorial.StateUploading {
			t.Errorf("it was taken down while the image was %s, want it to have left generating", b.ended)
		}
	})
}

// large is a preview at the picture's own size, as some servers send it.
func large() []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 512, 512))
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = byte(noise.Uint32())
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes everything
	return b.Bytes()
}
