package card

import (
	"flag"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	ximage "golang.org/x/image/draw"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// sheetDir is where TestContactSheet leaves cards for a person to look at:
//
//	go test -run TestContactSheet -sheet /tmp/cards ./internal/imagegen/card
var sheetDir = flag.String("sheet", "", "write sample cards and contact sheets into this folder")

const long200 = "What we learned from moving eleven years of editorial photographs, captions and credits out of a shared network drive and into object storage without losing a single picture or breaking one published link"

// sheetTitles are what an art director would try first.
var sheetTitles = []string{
	"A lighthouse at dawn",
	"Why the slow web keeps winning",
	"Hi",
	long200,
	"Φάρος στην αυγή: ένα ταξίδι στο Αιγαίο",
	"Маяк на рассвете и тихие воды залива",
	"黎明时分的灯塔",
	"Shipping day 🚀🎉: what’s new in version 4 👩‍💻",
	"Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
	"Queues, retries and the art of giving up gracefully",
	"Cà phê sữa đá và những buổi sáng Hà Nội",
	"State-of-the-art GPUs on a shoestring budget",
}

func TestContactSheet(t *testing.T) {
	if *sheetDir == "" {
		t.Skip("needs a folder: go test -run TestContactSheet -sheet /tmp/cards")
	}
	g := New()
	for n := range 4 {
		sheet := image.NewRGBA(image.Rect(0, 0, 1800, 4*320))
		for i, title := range sheetTitles {
			req := imagegen.Request{Title: title, Prompt: fmt.Sprintf("prompt %d", i), Seed: int64(n)}
			x, y := i%3*600, i/3*320
			thumbnail(t, g, req, sheet, image.Rect(x+6, y+3, x+594, y+3+309))
		}
		writePNG(t, fmt.Sprintf("sheet-%d.png", n), sheet)
	}
	shapes := image.NewRGBA(image.Rect(0, 0, 1800, 1300))
	for i := range 18 {
		thumbnail(t, g, imagegen.Request{Title: sheetTitles[i%len(sheetTitles)], Prompt: "square", Seed: int64(i), Width: 1024, Height: 1024},
			shapes, image.Rect(i%6*300+4, i/6*300+4, i%6*300+296, i/6*300+296))
		thumbnail(t, g, imagegen.Request{Title: sheetTitles[i%len(sheetTitles)], Prompt: "tiny", Seed: int64(i), Width: 256, Height: 256},
			shapes, image.Rect(i%7*257, 900+i/7*200, i%7*257+256, 900+i/7*200+256))
	}
	writePNG(t, "shapes.png", shapes)
	strips := image.NewRGBA(image.Rect(0, 0, 1800, 1536))
	for i := range 9 {
		title := sheetTitles[[]int{0, 3, 4, 9, 8, 1, 6, 10, 5}[i]]
		thumbnail(t, g, imagegen.Request{Title: title, Prompt: "tall", Seed: int64(i), Width: 256, Height: 2048},
			strips, image.Rect(i*96, 0, i*96+92, 736))
		thumbnail(t, g, imagegen.Request{Title: title, Prompt: "wide", Seed: int64(i), Width: 2048, Height: 256},
			strips, image.Rect(870, i*118, 1794, i*118+115))
		thumbnail(t, g, imagegen.Request{Title: title, Prompt: "portrait", Seed: int64(i), Width: 800, Height: 1200},
			strips, image.Rect(i*200, 1100, i*200+196, 1394))
	}
	writePNG(t, "strips.png", strips)
	for i, title := range sheetTitles {
		img, _ := generate(t, g, imagegen.Request{Title: title, Prompt: title, Seed: int64(i)})
		writePNG(t, fmt.Sprintf("full-%02d.png", i), img)
		img, _ = generate(t, g, imagegen.Request{Title: title, Prompt: title, Seed: int64(i), Width: 256, Height: 256})
		writePNG(t, fmt.Sprintf("tiny-%02d.png", i), img)
	}
	for seed := range int64(9) {
		img, _ := generate(t, g, imagegen.Request{Title: sheetTitles[0], Prompt: sheetTitles[0], Seed: seed})
		writePNG(t, fmt.Sprintf("dawn-%d.png", seed), img)
	}
}

func thumbnail(t *testing.T, g *Generator, req imagegen.Request, onto draw.Image, at image.Rectangle) {
	t.Helper()
	img, _ := generate(t, g, req)
	ximage.CatmullRom.Scale(onto, at, img, img.Bounds(), draw.Src, nil)
}

func writePNG(t *testing.T, name string, img image.Image) {
	t.Helper()
	f, err := os.Create(filepath.Join(*sheetDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
