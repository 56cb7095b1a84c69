package picture_test

import (
	"bytes"
	"encoding/base64"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	ximage "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/card"
	"github.com/glad-labs/frontispiece/internal/picture"
)

// contactSheet is where TestContactSheet writes what each path produces:
//
//	go test ./internal/picture -run TestContactSheet -contact-sheet ../../docs/contact-sheet.png
var contactSheet = flag.String("contact-sheet", "", "write a sheet of what each path produces into this `file`")

// A sheet is a page of pictures with a line under each.
type sheet struct {
	*image.NRGBA
	t           *testing.T
	bold, plain font.Face
}

const (
	sheetWidth  = 1800
	sheetHeight = 1490
	margin      = 60
	gap         = 30
)

var (
	paper = color.NRGBA{0xfb, 0xfa, 0xf7, 0xff}
	ink   = color.NRGBA{0x22, 0x22, 0x22, 0xff}
	faint = color.NRGBA{0x6b, 0x6b, 0x6b, 0xff}
)

func TestContactSheet(t *testing.T) {
	if *contactSheet == "" {
		t.Skip("needs a file: go test ./internal/picture -run TestContactSheet -contact-sheet ../../docs/contact-sheet.png")
	}
	s := &sheet{image.NewNRGBA(image.Rect(0, 0, sheetWidth, sheetHeight)), t, face(t, gobold.TTF, 30), face(t, goregular.TTF, 19)}
	draw.Draw(s, s.Rect, image.NewUniform(paper), image.Point{}, draw.Src)
	s.say(margin, 78, s.bold, ink, "What each path produces")

	titles := []string{"A lighthouse at dawn", "Why the slow web keeps winning", "What we measured", "Queues, retries and the art of giving up"}
	s.say(margin, 130, s.plain, faint, "card: drawn here from the title, no network")
	for i, title := range titles {
		s.place(cardOf(t, title, int64(i+2)), image.Rect(margin+i*427, 150, margin+i*427+397, 150+208))
		s.say(margin+i*427, 384, s.plain, faint, title)
	}
	s.say(margin, 446, s.plain, faint, "the other sources, each judged, stripped and marked as what it is")
	sources := []struct {
		label string
		m     image.Image
	}{
		{"sdcpp stand-in, 1024 × 1024: AI-generated", finishedOf(t, asPNG(t, scene(7, 1024, 1024)))},
		{"stock photo, cropped to 1200 × 630: credit kept", finishedOf(t, asJPEG(t, scene(21, 1200, 630), 88))},
		{"import, 900 × 1200: source unknown", finishedOf(t, asJPEG(t, scene(35, 900, 1200), 88))},
	}
	x := margin
	for _, source := range sources {
		const high = 440
		size := source.m.Bounds().Size()
		w := high * size.X / size.Y
		s.place(source.m, image.Rect(x, 466, x+w, 466+high))
		s.say(x, 466+high+28, s.plain, faint, source.label)
		x += w + gap
	}
	original := cardOf(t, titles[0], 2)
	f := judged(t, asPNG(t, original))
	copies, err := picture.Renditions(f.Pixels, []int{320, 640, 1200}, picture.Provenance{})
	if err != nil {
		t.Fatal(err)
	}
	s.say(margin, 1004, s.plain, faint, "one picture as readers get it: the placeholder first, then the copy that fits their screen")
	x = margin
	s.place(placeholderOf(t, f.Pixels), image.Rect(x, 1024, x+336, 1024+176))
	s.say(x, 1024+176+28, s.plain, faint, "placeholder, "+kilobytes(len(picture.Placeholder(f.Pixels))))
	x += 336 + gap
	shown := []int{240, 400, 614} // in one line, each smaller than it is
	for i, c := range copies {
		m := judged(t, c.Bytes).Pixels
		w := shown[i]
		h := w * c.Height / c.Width
		s.place(m, image.Rect(x, 1024, x+w, 1024+h))
		s.say(x, 1024+h+28, s.plain, faint, strings.ToUpper(c.Ext)+" "+strconv.Itoa(c.Width)+" px, "+kilobytes(len(c.Bytes)))
		x += w + gap
	}
	s.say(margin, sheetHeight-40, s.plain, faint, "Written by TestContactSheet (internal/picture) from the code as it is. Photographs are drawn stand-ins.")
	if err := os.WriteFile(*contactSheet, asPNG(t, s), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *sheet) say(x, y int, f font.Face, c color.Color, text string) {
	d := font.Drawer{Dst: s, Src: image.NewUniform(c), Face: f, Dot: fixed.P(x, y)}
	d.DrawString(text)
}

func (s *sheet) place(m image.Image, at image.Rectangle) {
	ximage.CatmullRom.Scale(s, at, m, m.Bounds(), draw.Src, nil)
}

func face(t *testing.T, ttf []byte, size float64) font.Face {
	t.Helper()
	f, err := opentype.Parse(ttf)
	if err != nil {
		t.Fatal(err)
	}
	made, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func cardOf(t *testing.T, title string, seed int64) image.Image {
	t.Helper()
	r, err := card.New().Generate(t.Context(), imagegen.Request{Title: title, Prompt: title, Seed: seed, Width: 1200, Height: 630})
	if err != nil {
		t.Fatal(err)
	}
	return judged(t, r.Bytes).Pixels
}

func judged(t *testing.T, b []byte) picture.Facts {
	t.Helper()
	f, err := picture.Judge(b, picture.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// finishedOf is a picture after everything that happens to it.
func finishedOf(t *testing.T, b []byte) image.Image {
	t.Helper()
	e, err := picture.Finish(b, picture.Provenance{SourceType: picture.SourceGenerated, Tool: "Frontispiece (sheet)"})
	if err != nil {
		t.Fatal(err)
	}
	return judged(t, e.Bytes).Pixels
}

// placeholderOf is what a page shows of the placeholder: scaled up and blurred.
func placeholderOf(t *testing.T, p *picture.Pixels) image.Image {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(picture.Placeholder(p), "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	large := image.NewNRGBA(image.Rect(0, 0, 400, 210))
	ximage.BiLinear.Scale(large, large.Rect, m, m.Bounds(), draw.Src, nil)
	return large
}

// scene is a made-up photograph: hills behind hills in the haze of a low sun.
func scene(seed uint64, w, h int) image.Image {
	r := rand.New(rand.NewPCG(seed, 5))
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	sunX, sunY := 0.25+0.5*r.Float64(), 0.25+0.15*r.Float64()
	warm, hue := r.Float64(), r.Float64()*2-1
	type ridge struct{ base, a, b, c, d float64 }
	ridges := make([]ridge, 5)
	for i := range ridges {
		ridges[i] = ridge{0.42 + 0.12*float64(i), 2 + 5*r.Float64(), 6.28 * r.Float64(), 9 + 14*r.Float64(), 6.28 * r.Float64()}
	}
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/float64(w), float64(y)/float64(h)
			glow := math.Exp(-6 * math.Hypot((fx-sunX)*float64(w)/float64(h), fy-sunY))
			red, green, blue := 120+40*hue+90*fy+110*glow, 130+60*fy+80*glow*warm, 170-30*hue-30*fy+20*glow
			for i, ridge := range ridges {
				top := ridge.base - 0.05*math.Sin(ridge.a*fx+ridge.b) - 0.02*math.Sin(ridge.c*fx+ridge.d)
				if fy > top {
					depth := 1 - float64(i)/5
					red, green, blue = 40+(120+40*hue)*depth+60*glow*depth, 55+95*depth, 70+(85-50*hue)*depth
				}
			}
			grain := r.NormFloat64() * 2.5
			m.SetNRGBA(x, y, color.NRGBA{tone(red + grain), tone(green + grain), tone(blue + grain), 0xff})
		}
	}
	return m
}

func tone(v float64) uint8 { return uint8(max(0, min(255, v))) }

func kilobytes(n int) string { return strconv.FormatFloat(float64(n)/1000, 'f', 1, 64) + " KB" }
