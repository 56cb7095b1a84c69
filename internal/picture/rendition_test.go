package picture

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestRenditions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		w, h   int
		widths []int
		want   []image.Point
	}{
		{"wide", 2000, 50, Widths, []image.Point{{640, 16}, {1280, 32}, {1920, 48}}},
		{"never enlarged", 1200, 63, Widths, []image.Point{{640, 34}, {1200, 63}}},
		{"small", 100, 50, Widths, []image.Point{{100, 50}}},
		{"exact", 640, 10, Widths, []image.Point{{640, 10}}},
		{"unsorted, doubled, senseless", 300, 300, []int{200, 0, 100, -5, 200}, []image.Point{{100, 100}, {200, 200}}},
		{"a strip keeps a pixel", 900, 2, []int{100}, []image.Point{{100, 1}}},
		{"none asked", 300, 300, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := &Pixels{NRGBA: photo(tt.w, tt.h), opaque: true}
			out, err := Renditions(m, tt.widths, generated)
			if err != nil {
				t.Fatal(err)
			}
			var got []image.Point
			for _, e := range out {
				got = append(got, image.Pt(e.Width, e.Height))
				checkRendition(t, e)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sizes (-want +got):\n%s", diff)
			}
		})
	}
}

// checkRendition decodes a rendition and looks for its provenance.
func checkRendition(t *testing.T, e Encoded) {
	t.Helper()
	if e.ContentType != RenditionType || e.Ext != RenditionExt {
		t.Errorf("rendition is %s .%s, want %s .%s", e.ContentType, e.Ext, RenditionType, RenditionExt)
	}
	if size := decodePixels(t, e.Bytes).Rect.Size(); size != image.Pt(e.Width, e.Height) {
		t.Errorf("rendition holds %v, says %dx%d", size, e.Width, e.Height)
	}
	if !bytes.Contains(e.Bytes, []byte(SourceGenerated)) {
		t.Errorf("rendition does not say where it comes from")
	}
}

func TestRenditionsLookLikeThePicture(t *testing.T) {
	t.Parallel()
	f, err := Judge(pngOf(t, photo(360, 240)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Renditions(f.Pixels, []int{80, 160, 320, 640}, Provenance{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range out {
		r, err := Judge(e.Bytes, Limits{})
		if err != nil {
			t.Fatalf("a rendition is judged %v", err)
		}
		if d := r.Hash.Distance(f.Hash); d > editorial.NearDuplicate {
			t.Errorf("rendition %d: hash distance %d, want at most %d", e.Width, d, editorial.NearDuplicate)
		}
	}
}

func TestRenditionsKeepProfile(t *testing.T) {
	t.Parallel()
	m := photo(100, 60)
	rgb, ink := profile("RGB ", 500), profile("CMYK", 500)
	tests := []struct {
		name  string
		bytes []byte
		want  []byte
	}{
		{"RGB", afterIHDR(pngOf(t, m), iccp(t, rgb)), rgb},
		{"CMYK", afterSOI(cmyk(t, m), segment(jpegAPP2, iccID+"\x01\x01"+string(ink))), nil},
		{"grey", afterIHDR(pngOf(t, drawn(image.NewGray(m.Rect), m)), iccp(t, profile("GRAY", 500))), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Judge(tt.bytes, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			out, err := Renditions(f.Pixels, []int{50}, generated)
			if err != nil {
				t.Fatal(err)
			}
			_, h, err := open(out[0].Bytes, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(h.profile, tt.want) {
				t.Errorf("rendition has a profile of %d bytes, want %d", len(h.profile), len(tt.want))
			}
		})
	}
}

// TestResize compares with what the shapes must become, whatever the kernel.
func TestResize(t *testing.T) {
	t.Parallel()
	t.Run("an even area stays exactly even", func(t *testing.T) {
		t.Parallel()
		c := color.NRGBA{R: 17, G: 130, B: 255, A: 255}
		got := (&Pixels{NRGBA: uniform(333, 217, c), opaque: true}).resize(100, 65)
		if diff := difference(t, got.NRGBA, uniform(100, 65, c)); diff != 0 {
			t.Errorf("differs by %v", diff)
		}
	})
	t.Run("fine stripes become grey and no pattern", func(t *testing.T) {
		t.Parallel()
		m := uniform(400, 400, color.Black)
		for y := range 400 {
			for x := 0; x < 400; x += 2 {
				m.Set(x, y, color.White)
			}
		}
		got := (&Pixels{NRGBA: m, opaque: true}).resize(100, 100)
		for x := 2; x < 98; x++ {
			if v := got.NRGBAAt(x, 50).R; v < 120 || v > 135 {
				t.Errorf("column %d = %d, want a grey near 127", x, v)
			}
		}
	})
	t.Run("invisible colour does not bleed", func(t *testing.T) {
		t.Parallel()
		m := uniform(400, 400, color.NRGBA{R: 255}) // invisible red
		for y := range 400 {
			for x := range 200 {
				m.Set(x, y, color.NRGBA{B: 200, A: 255})
			}
		}
		got := (&Pixels{NRGBA: m}).resize(90, 90)
		for x := range 90 {
			px := got.NRGBAAt(x, 45)
			if px.R != 0 || px.A > 8 && px.B < 195 {
				t.Errorf("column %d = %v, want blue or nothing", x, px)
			}
		}
	})
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    *image.NRGBA
		want image.Point
	}{
		{"landscape", photo(400, 210), image.Pt(10, 5)},
		{"portrait with alpha", veil(50, 150), image.Pt(3, 10)},
		{"square, worst to compress", noise(10, 10), image.Pt(10, 10)},
		{"strip", photo(3000, 2), image.Pt(10, 1)},
		{"pixel", photo(1, 1), image.Pt(1, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Placeholder(newPixels(tt.m, header{orientation: upright}))
			if len(got) >= 1024 {
				t.Errorf("placeholder has %d characters, want fewer than 1024", len(got))
			}
			data, ok := strings.CutPrefix(got, "data:image/png;base64,")
			if !ok {
				t.Fatalf("placeholder = %.40s, want a PNG data URL", got)
			}
			b, err := base64.StdEncoding.DecodeString(data)
			if err != nil {
				t.Fatal(err)
			}
			m, err := png.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if m.Bounds().Size() != tt.want {
				t.Errorf("placeholder is %v, want %v", m.Bounds().Size(), tt.want)
			}
		})
	}
}

func noise(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	state := uint32(1)
	for i := range m.Pix {
		state = state*1664525 + 1013904223
		m.Pix[i] = byte(state >> 24)
	}
	return m
}

func TestHash(t *testing.T) {
	t.Parallel()
	hash := func(m *image.NRGBA) Hash {
		return hashOf(shrink(m, sampleSide, sampleSide))
	}
	m := photo(240, 180)
	want := hash(m)
	bright := photo(240, 180)
	for i := range bright.Pix {
		if i%4 != 3 {
			bright.Pix[i] = byte(min(255, int(bright.Pix[i])*11/10+10))
		}
	}
	mirrored := orientation(2).turn(m)
	alike := map[string]*image.NRGBA{
		"scaled": photo(120, 90), "squeezed": photo(180, 180), "brighter": bright,
		"as JPEG": decodePixels(t, jpegOf(t, m)),
	}
	for name, other := range alike {
		if d := hash(other).Distance(want); d > editorial.NearDuplicate {
			t.Errorf("%s: distance %d, want at most %d", name, d, editorial.NearDuplicate)
		}
	}
	for name, other := range map[string]*image.NRGBA{"mirrored": mirrored, "noise": noise(240, 180)} {
		if d := hash(other).Distance(want); d <= 2*editorial.NearDuplicate {
			t.Errorf("%s: distance %d, want more than %d", name, d, 2*editorial.NearDuplicate)
		}
	}
	if got, err := ParseHash(want.String()); err != nil || got != want {
		t.Errorf("ParseHash(%s) = %v, %v, want the same", want, got, err)
	}
	for _, s := range []string{"", "12", "zzzzzzzzzzzzzzzz", "00000000000000000"} {
		if _, err := ParseHash(s); err == nil {
			t.Errorf("ParseHash(%q) took it", s)
		}
	}
}
