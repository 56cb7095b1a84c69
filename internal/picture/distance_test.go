package picture_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/image/draw"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/card"
	"github.com/glad-labs/frontispiece/internal/picture"
)

// landscape is a made-up photograph: sky, hills, a few things in front, grain.
// Every seed has its own light and composition.
func landscape(seed uint64) *image.NRGBA {
	const w, h = 480, 252
	r := rand.New(rand.NewPCG(seed, 99))
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	horizon := 0.25 + 0.5*r.Float64()
	type blob struct{ x, y, size, light float64 }
	things := make([]blob, 3+r.IntN(6))
	for i := range things {
		things[i] = blob{r.Float64(), r.Float64(), 0.04 + 0.25*r.Float64(), 140*r.Float64() - 70}
	}
	waves := [4]float64{}
	for i := range waves {
		waves[i] = 2 + 12*r.Float64()
	}
	sky, ground := 120+110*r.Float64(), 20+120*r.Float64()
	sun, warm := r.Float64(), 40*r.Float64()-20
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/w, float64(y)/h
			edge := horizon + 0.08*math.Sin(waves[0]*fx+waves[1]) + 0.04*math.Sin(waves[2]*fx)
			light := sky - 60*math.Abs(fx-sun)*fy
			if fy > edge {
				light = ground + 40*math.Sin(waves[3]*fx+9*fy)*(fy-edge)
			}
			for _, b := range things {
				if d := math.Hypot(fx-b.x, (fy-b.y)*0.6); d < b.size {
					light += b.light * (1 - d/b.size*0.4)
				}
			}
			light += r.NormFloat64() * 4
			m.SetNRGBA(x, y, color.NRGBA{level(light + warm), level(light), level(light - warm), 255})
		}
	}
	return m
}

func level(v float64) uint8 { return uint8(max(0, min(255, v))) }

func hashOf(t *testing.T, b []byte) picture.Hash {
	t.Helper()
	f, err := picture.Judge(b, picture.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f.Hash
}

func asPNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t *testing.T, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// cover is a card, decoded.
func cover(t *testing.T, title, prompt string, seed int64) *image.NRGBA {
	t.Helper()
	r, err := card.New().Generate(t.Context(), imagegen.Request{Title: title, Prompt: prompt, Seed: seed, Width: 480, Height: 252})
	if err != nil {
		t.Fatal(err)
	}
	f, err := picture.Judge(r.Bytes, picture.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f.Pixels.NRGBA
}

// changed are the ways in which the same picture comes back to a site.
var changed = map[string]func(t *testing.T, m *image.NRGBA) []byte{
	"saved as a poor JPEG": func(t *testing.T, m *image.NRGBA) []byte { return asJPEG(t, m, 40) },
	"half as large":        func(t *testing.T, m *image.NRGBA) []byte { return asPNG(t, scaled(m, 0.5)) },
	"brighter": func(t *testing.T, m *image.NRGBA) []byte {
		return asPNG(t, mapped(m, func(v float64) float64 { return v*1.08 + 8 }))
	},
	"less contrast": func(t *testing.T, m *image.NRGBA) []byte {
		return asPNG(t, mapped(m, func(v float64) float64 { return 128 + (v-128)*0.8 }))
	},
	"a hair cropped": func(t *testing.T, m *image.NRGBA) []byte {
		return asPNG(t, m.SubImage(m.Rect.Inset(m.Rect.Dx()/200)))
	},
}

func scaled(m *image.NRGBA, by float64) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, int(float64(m.Rect.Dx())*by), int(float64(m.Rect.Dy())*by)))
	draw.CatmullRom.Scale(out, out.Rect, m, m.Rect, draw.Src, nil)
	return out
}

func mapped(m *image.NRGBA, fn func(float64) float64) *image.NRGBA {
	out := image.NewNRGBA(m.Rect)
	for i, v := range m.Pix {
		out.Pix[i] = level(fn(float64(v)))
		if i%4 == 3 {
			out.Pix[i] = v
		}
	}
	return out
}

// TestNearDuplicateIsBetween measures what the threshold stands between. With
// -distances it takes as many pictures as docs/decisions/near-duplicates.md.
func TestNearDuplicateIsBetween(t *testing.T) {
	t.Parallel()
	photos, cards, altered := 24, 24, 6
	if *measure {
		photos, cards, altered = 150, 120, 60
	}
	for _, kind := range []struct {
		name  string
		n     int
		draw  func(i int) *image.NRGBA
		apart float64 // of pairs of different pictures, at most this share may be taken for one
	}{
		{"photos", photos, func(i int) *image.NRGBA { return landscape(uint64(i)) }, 0},
		{"cards", cards, func(i int) *image.NRGBA {
			return cover(t, fmt.Sprintf("%s, part %d", titles[i%len(titles)], i/len(titles)+1), fmt.Sprint(i), int64(i))
		}, 0.01},
	} {
		hashes, list := make([]picture.Hash, kind.n), make([]*image.NRGBA, kind.n)
		for i := range list {
			list[i] = kind.draw(i)
			hashes[i] = hashOf(t, asPNG(t, list[i]))
		}
		for name, change := range changed {
			var distances []int
			for i, m := range list[:altered] {
				distances = append(distances, hashes[i].Distance(hashOf(t, change(t, m))))
			}
			missed := beyond(distances)
			t.Logf("%s, %s: median %d, most %d, missed %d of %d", kind.name, name, distances[len(distances)/2], slices.Max(distances), missed, altered)
			if missed > altered/6 {
				t.Errorf("%s, %s: %d of %d are not seen to be the same", kind.name, name, missed, altered)
			}
		}
		var apart []int
		for i, a := range hashes {
			for _, b := range hashes[:i] {
				apart = append(apart, a.Distance(b))
			}
		}
		wrong := len(apart) - beyond(apart)
		t.Logf("%s, different ones: least %d, median %d, %d of %d pairs taken for the same", kind.name, apart[0], apart[len(apart)/2], wrong, len(apart))
		if float64(wrong) > kind.apart*float64(len(apart)) {
			t.Errorf("%s: %d of %d pairs of different pictures are taken for the same", kind.name, wrong, len(apart))
		}
	}
}

// beyond sorts distances and counts those past the threshold.
func beyond(distances []int) (n int) {
	slices.Sort(distances)
	for _, d := range distances {
		if d > editorial.NearDuplicate {
			n++
		}
	}
	return n
}

var measure = flag.Bool("distances", false, "measure the distances of perceptual hashes over more pictures")

var titles = []string{
	"A lighthouse at dawn", "Why the slow web keeps winning", "Queues, retries and the art of giving up gracefully", "Hi",
	"State-of-the-art GPUs on a shoestring budget", "Notes from a harbour town", "What we measured", "Shipping day",
	"How to read a query plan", "The keeper's last night", "Small models, large libraries", "Every picture tells a cost",
}
