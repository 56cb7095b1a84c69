package card

import (
	"fmt"
	"image"
	"math"
	"testing"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// wcag is the contrast ratio of WCAG 2.2, written out a second time so that
// the code under test is not its own judge.
func wcag(a, b [3]uint8) float64 {
	l := func(c [3]uint8) float64 {
		sum := 0.0
		for i, part := range []float64{0.2126, 0.7152, 0.0722} {
			v := float64(c[i]) / 255
			if v <= 0.03928 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += part * v
		}
		return sum
	}
	la, lb := l(a), l(b)
	if la < lb {
		la, lb = lb, la
	}
	return (la + 0.05) / (lb + 0.05)
}

func bytesOf(c rgb) [3]uint8 { return [3]uint8{uint8(c.r), uint8(c.g), uint8(c.b)} }

// worst is the least contrast between the ink and the pixels of r.
func worst(img *image.RGBA, r rect, ink rgb) float64 {
	least, seen := 21.0, map[[3]uint8]bool{}
	area := r.pixels().Intersect(img.Rect)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			p := img.RGBAAt(x, y)
			col := [3]uint8{p.R, p.G, p.B}
			if !seen[col] {
				seen[col] = true
				least = min(least, wcag(bytesOf(ink), col))
			}
		}
	}
	return least
}

func TestTitleStandsOutFromItsBackground(t *testing.T) {
	t.Parallel()
	g := New()
	sizes := []image.Point{{440, 256}, {320, 320}, {256, 420}, {600, 256}}
	titles := []string{"A lighthouse at dawn", long200, "Hi"}
	for seed := range int64(63) {
		size := sizes[seed%int64(len(sizes))]
		c := g.compose(imagegen.Request{
			Title: titles[seed%int64(len(titles))], Prompt: fmt.Sprintf("prompt %d", seed/9),
			Seed: seed, Width: size.X, Height: size.Y,
		})
		c.paint()
		c.calm()
		for _, line := range c.block.inkOfLines(c.at) {
			if got := worst(c.img, line, c.pal.ink); got < 4.5 {
				t.Errorf("seed %d, %s in %s: contrast %.2f, want 4.5 or more", seed, c.family.name, c.pal.name, got)
			}
		}
	}
}

// Whatever a motif paints, the title stays legible: here it paints the ink.
func TestCalmRescuesTheTitle(t *testing.T) {
	t.Parallel()
	g := New()
	for seed := range int64(16) {
		c := g.compose(imagegen.Request{Title: "Rescued", Seed: seed, Width: 300, Height: 300})
		c.paint()
		c.fill(c.bounds(), c.pal.ink)
		if before := worst(c.img, c.quiet, c.pal.ink); before > 1.01 {
			t.Fatalf("%s: contrast %.2f before, the test shows nothing", c.pal.name, before)
		}
		c.calm()
		for _, line := range c.block.inkOfLines(c.at) {
			if got := worst(c.img, line, c.pal.ink); got < 4.5 {
				t.Errorf("%s: contrast %.2f, want 4.5 or more", c.pal.name, got)
			}
		}
	}
}

func TestPalettes(t *testing.T) {
	t.Parallel()
	for _, p := range palettes {
		if got := wcag(bytesOf(p.ink), bytesOf(p.ground)); got < 8 {
			t.Errorf("%s: ink on ground has contrast %.2f, want 8 or more", p.name, got)
		}
		// The rule is an ornament, but it should be seen.
		if got := wcag(bytesOf(p.accent), bytesOf(p.ground)); got < 2.8 {
			t.Errorf("%s: accent on ground has contrast %.2f, want 2.8 or more", p.name, got)
		}
		if p.tones[0] == p.tones[3] || p.name == "" {
			t.Errorf("%q: tones or name missing", p.name)
		}
	}
}
