package card

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/png"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// generate draws req and decodes what came back.
func generate(t testing.TB, g *Generator, req imagegen.Request) (*image.RGBA, imagegen.Result) {
	t.Helper()
	res, err := g.Generate(t.Context(), req)
	if err != nil {
		t.Fatalf("Generate(%q): %v", req.Title, err)
	}
	img, err := png.Decode(bytes.NewReader(res.Bytes))
	if err != nil {
		t.Fatalf("Generate(%q) is no PNG: %v", req.Title, err)
	}
	return img.(*image.RGBA), res
}

func TestSameRequestSameBytes(t *testing.T) {
	t.Parallel()
	shared := New()
	for i := range families {
		req := imagegen.Request{Title: "Twice the same", Prompt: "any", Seed: int64(i), Width: 300, Height: 256}
		_, want := generate(t, shared, req)
		var wg sync.WaitGroup
		for _, g := range []*Generator{shared, New()} {
			wg.Go(func() {
				got, err := g.Generate(context.Background(), req)
				if err != nil || !bytes.Equal(got.Bytes, want.Bytes) {
					t.Errorf("seed %d: another picture the second time (error %v)", i, err)
				}
			})
		}
		wg.Wait()
		if _, other := generate(t, shared, imagegen.Request{Title: req.Title, Prompt: req.Prompt, Seed: req.Seed + 1000, Width: 300, Height: 256}); bytes.Equal(other.Bytes, want.Bytes) {
			t.Errorf("seeds %d and %d give the same picture", req.Seed, req.Seed+1000)
		}
	}
}

// The digests are of the pixels, so that a new compress/flate does not look
// like a new drawing. Whoever has to change them raises Version.
func TestGolden(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("other processors may fuse multiplication and addition, and round differently")
	}
	want := map[string]string{
		"horizon":  "6af5ce32262134f6",
		"tiles":    "03520121d5fb84b4",
		"contours": "8d3c6c612927bd95",
		"hills":    "c3b426b27cbaad80",
		"scales":   "97f15fb0664a53fb",
		"orbs":     "1c303a5233fb9139",
		"weave":    "e5cf6556015fbd6e",
		"rings":    "402cbcbfad56a973",
		"sprigs":   "eb3be717f1d980b4",
	}
	g, got := New(), map[string]string{}
	for seed := range int64(len(families)) {
		img, res := generate(t, g, imagegen.Request{Title: "A lighthouse at dawn", Prompt: "A lighthouse at dawn", Seed: seed, Width: 400, Height: 256})
		sum := sha256.Sum256(img.Pix)
		got[res.Params["family"].(string)] = hex.EncodeToString(sum[:8])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s draws other pixels than it did (-want +got):\n%s", Version, diff)
	}
}

func TestResultSaysWhatWasDrawn(t *testing.T) {
	t.Parallel()
	_, res := generate(t, New(), imagegen.Request{Title: "A  lighthouse 🗼 at dawn", Seed: -7, Width: 300, Height: 300})
	if res.Seed != -7 || res.Model != Version || res.AltText != "A lighthouse at dawn" {
		t.Errorf("seed, model, alt text = %d, %q, %q; want -7, %q, %q", res.Seed, res.Model, res.AltText, Version, "A lighthouse at dawn")
	}
	for _, key := range []string{"family", "palette"} {
		if s, _ := res.Params[key].(string); s == "" {
			t.Errorf("Params[%q] = %v, want a name", key, res.Params[key])
		}
	}
	if res.Params["lettered"] != true {
		t.Errorf("Params[lettered] = %v, want true", res.Params["lettered"])
	}
	if res.Cost != nil || res.Credit != nil {
		t.Errorf("cost and credit = %v, %v; a card has none", res.Cost, res.Credit)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ w, h, wantW, wantH int }{
		{0, 0, 1200, 630},
		{-1, -1, 1200, 630},
		{1, 100000, 256, 2048},
		{2049, 255, 2048, 256},
		{512, 0, 512, 630},
		{257, 301, 257, 301},
	} {
		c := New().compose(imagegen.Request{Title: "Size", Width: tt.w, Height: tt.h})
		c.clear(c.pal.ground)
		if got := c.img.Rect.Size(); got != image.Pt(tt.wantW, tt.wantH) {
			t.Errorf("%dx%d asked: got %v, want %dx%d", tt.w, tt.h, got, tt.wantW, tt.wantH)
		}
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New().Generate(ctx, imagegen.Request{Title: "Never"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Generate with a canceled context = %v, want context.Canceled", err)
	}
}

// The candidates of a round have seeds that follow one another, or random ones.
func TestNeighbouringSeedsAreAChoice(t *testing.T) {
	t.Parallel()
	g := New()
	for p := range 20 {
		prompt := fmt.Sprintf("prompt %d", p)
		seenFamily, seenPalette := map[string]bool{}, map[string]bool{}
		for _, base := range []int64{0, 1 << 62, -2} {
			clear(seenFamily)
			clear(seenPalette)
			for i := range int64(5) {
				c := g.compose(imagegen.Request{Prompt: prompt, Seed: base + i, Width: 256, Height: 256})
				seenFamily[c.family.name], seenPalette[c.pal.name] = true, true
			}
			if len(seenFamily) < 5 || len(seenPalette) < 5 {
				t.Errorf("%q from seed %d: five candidates show %d families and %d palettes, want 5 and 5", prompt, base, len(seenFamily), len(seenPalette))
			}
		}
	}
}

func TestPromptsReachEveryFamilyAndPalette(t *testing.T) {
	t.Parallel()
	g, seen := New(), map[string]bool{}
	for i := range 400 {
		c := g.compose(imagegen.Request{Prompt: fmt.Sprintf("prompt %d", i), Width: 256, Height: 256})
		seen[c.family.name], seen[c.pal.name] = true, true
	}
	for _, f := range families {
		if !seen[f.name] {
			t.Errorf("no prompt gives %s", f.name)
		}
	}
	for _, p := range palettes {
		if !seen[p.name] {
			t.Errorf("no prompt gives %s", p.name)
		}
	}
	if stride%len(families) != 0 || stride%len(palettes) != 0 {
		t.Errorf("stride %d is no multiple of %d families and %d palettes: seeds would repeat early", stride, len(families), len(palettes))
	}
}

// A card that a later check would take for a blank picture is no card.
func TestNeverBlank(t *testing.T) {
	t.Parallel()
	g := New()
	for seed := int64(0); seed < stride; seed += 5 { // 5 meets every family and palette
		c := g.compose(imagegen.Request{Title: "黎", Seed: seed, Width: 256, Height: 256})
		c.paint()
		lo, hi := 1.0, 0.0
		for i := 0; i < len(c.img.Pix); i += 4 {
			l := luminanceOf(c.img.Pix[i], c.img.Pix[i+1], c.img.Pix[i+2])
			lo, hi = min(lo, l), max(hi, l)
		}
		if contrast(lo, hi) < 1.5 {
			t.Errorf("seed %d, %s in %s: lightest and darkest pixel differ by %.2f only", seed, c.family.name, c.pal.name, contrast(lo, hi))
		}
	}
}

func FuzzTitle(f *testing.F) {
	for _, s := range append(sheetTitles, "", " ", "\x00\xff", "a\u0301\u0301\u0301\u0301", "🇫🇷", strings.Repeat("W", 700), "-", "—/-") {
		f.Add(s, int64(0), uint16(256), uint16(256))
	}
	f.Add("wide", int64(3), uint16(2048), uint16(256))
	g := New()
	f.Fuzz(func(t *testing.T, title string, seed int64, w, h uint16) {
		req := imagegen.Request{Title: title, Prompt: title, Seed: seed, Width: int(w), Height: int(h)}
		c := g.compose(req)
		if c.title != "" && !within(c) {
			t.Errorf("%q at %vx%v leaves its frame", title, c.w, c.h)
		}
		if c.w*c.h > 300*300 {
			return
		}
		img, _ := generate(t, g, req)
		if got := img.Rect.Size(); got != image.Pt(int(c.w), int(c.h)) {
			t.Errorf("%q: drawn as %v, want %vx%v", title, got, c.w, c.h)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	g := New()
	for i := range families {
		req := imagegen.Request{Title: "A lighthouse at dawn", Seed: int64(i)}
		b.Run(g.compose(req).family.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := g.Generate(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
