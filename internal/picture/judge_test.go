package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/color/palette"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// TestJudgeRefuses is the list of what generators, proxies and attackers send
// in place of a picture.
func TestJudgeRefuses(t *testing.T) {
	t.Parallel()
	m := photo(64, 48)
	cut := func(b []byte, n int) []byte { return b[:len(b)-n] }
	tests := []struct {
		name   string
		bytes  func(tb testing.TB) []byte
		limits Limits
		code   Code
		says   string
	}{
		{"no bytes", func(testing.TB) []byte { return nil }, Limits{}, CodeEmpty, "no bytes"},
		{"too many bytes", func(tb testing.TB) []byte { return pngOf(tb, m) }, Limits{MaxBytes: 100}, CodeTooLarge, "at most"},

		{"SVG posing as PNG", text(`<?xml version="1.0"?><svg onload="alert(1)"/>`), Limits{}, CodeUnknownFormat, "SVG"},
		{"SVG behind a byte order mark", text("\ufeff\n <svg/>"), Limits{}, CodeUnknownFormat, "SVG"},
		{"HTML posing as PNG", text("<!DOCTYPE html><title>502 Bad Gateway</title>"), Limits{}, CodeUnknownFormat, "HTML"},
		{"JSON error", text(`{"error":"out of memory"}`), Limits{}, CodeUnknownFormat, "JSON"},
		{"base64 not decoded", text("iVBORw0KGgoAAAANSUhEUg"), Limits{}, CodeUnknownFormat, "base64"},
		{"data URL not decoded", text("data:image/png;base64,iVBORw0"), Limits{}, CodeUnknownFormat, "data: URL"},
		{"GIF", text("GIF89a\x01\x00\x01\x00"), Limits{}, CodeUnknownFormat, "GIF"},
		{"AVIF", text("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00"), Limits{}, CodeUnknownFormat, "AVIF"},
		{"noise", text("\x00\x01\x02\x03"), Limits{}, CodeUnknownFormat, "unknown"},
		{"RIFF that is sound", text("RIFF\x04\x00\x00\x00WAVE"), Limits{}, CodeUnknownFormat, "unknown"},

		{"PNG signature alone", text(pngSignature), Limits{}, CodeTruncated, "PNG"},
		{"PNG cut in its data", func(tb testing.TB) []byte { return cut(pngOf(tb, m), 500) }, Limits{}, CodeTruncated, "PNG"},
		{"PNG cut before its end", func(tb testing.TB) []byte { return cut(pngOf(tb, m), 12) }, Limits{}, CodeTruncated, "PNG"},
		{"PNG whole but its data short", shortData, Limits{}, CodeUndecodable, "not enough"},
		{"JPEG cut in its data", func(tb testing.TB) []byte { return cut(jpegOf(tb, m), 200) }, Limits{}, CodeTruncated, "JPEG"},
		{"JPEG cut before its end", func(tb testing.TB) []byte { return cut(jpegOf(tb, m), 2) }, Limits{}, CodeTruncated, "JPEG"},
		{"JPEG cut in a header", func(tb testing.TB) []byte { return jpegOf(tb, m)[:30] }, Limits{}, CodeTruncated, "JPEG"},
		{"WebP cut", func(tb testing.TB) []byte { return cut(webpOf(tb, m), 100) }, Limits{}, CodeTruncated, "WebP"},
		{"WebP chunk longer than its file", func(testing.TB) []byte { return riff([]byte("VP8 \xff\xff\x00\x00")) }, Limits{}, CodeTruncated, "WebP"},

		{"PNG with a wrong checksum", func(tb testing.TB) []byte { return brokenChecksum(pngOf(tb, m)) }, Limits{}, CodeUndecodable, "PNG"},
		{"PNG without header", func(testing.TB) []byte { return pngFile() }, Limits{}, CodeUndecodable, "header"},
		{"JPEG without picture", func(testing.TB) []byte { return []byte("\xff\xd8\xff\xd9") }, Limits{}, CodeUndecodable, "no picture"},
		{"JPEG with arithmetic coding", arithmetic, Limits{}, CodeUndecodable, "browsers"},
		{"WebP without picture", func(testing.TB) []byte { return riff(vp8x(0, 9, 9)) }, Limits{}, CodeUndecodable, "no picture"},
		{"WebP of zeros", func(testing.TB) []byte { return riff(appendWebPChunk(nil, "VP8 ", make([]byte, 64))) }, Limits{}, CodeUndecodable, "key frame"},

		{"animated PNG", func(tb testing.TB) []byte {
			return afterIHDR(pngOf(tb, m), chunk("acTL", []byte{0, 0, 0, 3, 0, 0, 0, 0}))
		}, Limits{}, CodeAnimated, "frame"},
		{"animated WebP", animatedWebP, Limits{}, CodeAnimated, "frame"},

		{"too wide", func(testing.TB) []byte { return pngFile(ihdr(8193, 10, 8, 2, 0)) }, Limits{}, CodeBounds, "8193"},
		{"too many pixels", func(testing.TB) []byte { return pngFile(ihdr(8000, 8000, 8, 2, 0)) }, Limits{}, CodeBounds, "64.0 megapixels"},
		{"PNG bomb in the header", func(testing.TB) []byte { return pngFile(ihdr(1<<31-1, 1<<31-1, 16, 6, 1)) }, Limits{}, CodeBounds, "8192 a side"},
		{"PNG bomb with a negative side", func(testing.TB) []byte { return pngFile(ihdr(-1, 5, 8, 2, 0)) }, Limits{}, CodeBounds, "pixels"},
		{"PNG that cannot hold what it promises", func(tb testing.TB) []byte {
			return pngFile(ihdr(6000, 6000, 8, 2, 0), chunk("IDAT", deflate(tb, make([]byte, 100))))
		}, Limits{}, CodeTruncated, "cannot hold"},
		{"PNG bomb of zeros within the bounds", func(tb testing.TB) []byte {
			return pngFile(ihdr(600, 600, 8, 2, 0), chunk("IDAT", deflate(tb, make([]byte, 600*(1+3*600)))))
		}, Limits{}, CodeBlank, "even colour"},
		{"JPEG bomb in the header", func(tb testing.TB) []byte { return jpegSized(tb, 65535, 65535) }, Limits{}, CodeBounds, "65535"},
		{"JPEG of no size", func(tb testing.TB) []byte { return jpegSized(tb, 0, 10) }, Limits{}, CodeUndecodable, "pixels"},
		{"JPEG bomb of scans", scanBomb, Limits{}, CodeBounds, "scans"},
		{"WebP bomb in the header", func(testing.TB) []byte { return riff(lossyHeader(16383, 16383)) }, Limits{}, CodeBounds, "16383"},
		{"WebP bomb behind a small canvas", func(testing.TB) []byte { return riff(vp8x(0, 8, 8), lossyHeader(8000, 4000)) }, Limits{}, CodeUndecodable, "canvas"},
		{"WebP bomb of alpha", func(testing.TB) []byte {
			return riff(vp8x(vp8xAlpha, 1<<24, 1<<24), appendWebPChunk(nil, "ALPH", []byte{0}), lossyHeader(8, 8))
		}, Limits{}, CodeUndecodable, "canvas"},

		{"black", func(tb testing.TB) []byte { return pngOf(tb, uniform(64, 64, color.Black)) }, Limits{}, CodeBlank, "even colour"},
		{"white JPEG", func(tb testing.TB) []byte { return jpegOf(tb, uniform(64, 64, color.White)) }, Limits{}, CodeBlank, "even colour"},
		{"one pixel", func(tb testing.TB) []byte { return pngOf(tb, photo(1, 1)) }, Limits{}, CodeBlank, "even colour"},
		{"grain on grey", func(tb testing.TB) []byte { return pngOf(tb, grainy(64, 64)) }, Limits{}, CodeBlank, "even colour"},
		{"black with a stuck pixel", func(tb testing.TB) []byte {
			m := uniform(100, 100, color.Black)
			m.Set(7, 7, color.White)
			return pngOf(tb, m)
		}, Limits{}, CodeBlank, "even colour"},
		{"invisible", func(tb testing.TB) []byte {
			m := photo(64, 64)
			for i := 3; i < len(m.Pix); i += 4 {
				m.Pix[i] = 0
			}
			return pngOf(tb, m)
		}, Limits{}, CodeBlank, "even colour"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := tt.bytes(t)
			_, err := Judge(b, tt.limits)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Judge = %v, want an *Error", err)
			}
			if e.Code != tt.code || !strings.Contains(e.Message, tt.says) {
				t.Errorf("Judge = %v, want code %s and a message with %q", e, tt.code, tt.says)
			}
		})
	}
}

func text(s string) func(testing.TB) []byte { return func(testing.TB) []byte { return []byte(s) } }

// shortData is a well-formed PNG whose pixels end early.
func shortData(tb testing.TB) []byte {
	return pngFile(ihdr(64, 64, 8, 2, 0), chunk("IDAT", deflate(tb, make([]byte, 64*100))))
}

func arithmetic(tb testing.TB) []byte {
	b := bytes.Clone(jpegOf(tb, photo(16, 16)))
	b[bytes.Index(b, []byte{0xff, jpegSOF0, 0})+1] = 0xc9
	return b
}

// jpegSized is a small JPEG that claims another size.
func jpegSized(tb testing.TB, w, h uint16) []byte {
	b := bytes.Clone(jpegOf(tb, photo(16, 16)))
	at := bytes.Index(b, []byte{0xff, jpegSOF0, 0}) + 5
	binary.BigEndian.PutUint16(b[at:], h)
	binary.BigEndian.PutUint16(b[at+2:], w)
	return b
}

// scanBomb repeats an empty scan of a large progressive picture.
func scanBomb(tb testing.TB) []byte {
	b := jpegSized(tb, 8000, 4000)
	at := bytes.Index(b, []byte{0xff, jpegSOF0, 0})
	b[at+1] = jpegSOF2
	scan := segment(jpegSOS, "\x01\x01\x00\x00\x00\x00")
	return append(append(b[:len(b)-2:len(b)-2], bytes.Repeat(scan, 2000)...), 0xff, jpegEOI)
}

// lossyHeader is a VP8 chunk of which only the size is right.
func lossyHeader(w, h int) []byte {
	body := append([]byte("\x10\x00\x00\x9d\x01\x2a"), byte(w), byte(w>>8), byte(h), byte(h>>8))
	return appendWebPChunk(nil, "VP8 ", body)
}

func animatedWebP(tb testing.TB) []byte {
	frame := append(make([]byte, 16), webpChunks(tb, webpOf(tb, photo(32, 32)))...)
	return riff(vp8x(vp8xAnimation, 32, 32),
		appendWebPChunk(nil, "ANIM", make([]byte, 6)),
		appendWebPChunk(nil, "ANMF", frame), appendWebPChunk(nil, "ANMF", frame))
}

func grainy(w, h int) *image.NRGBA {
	m := uniform(w, h, color.Gray{Y: 120})
	for i := range m.Pix {
		if i%4 != 3 {
			m.Pix[i] += byte(i * 2654435761 >> 16 % 5)
		}
	}
	return m
}

// TestJudgeAccepts walks the variants that decoders trip over: whatever the
// storage, the picture is recognised as the same one.
func TestJudgeAccepts(t *testing.T) {
	t.Parallel()
	m := photo(96, 64)
	rect := m.Rect
	want := hashOf(shrink(m, sampleSide, sampleSide))
	tests := []struct {
		name        string
		bytes       func(tb testing.TB) []byte
		contentType string
	}{
		{"PNG", func(tb testing.TB) []byte { return pngOf(tb, m) }, "image/png"},
		{"PNG 16 bits", func(tb testing.TB) []byte { return pngOf(tb, drawn(image.NewRGBA64(rect), m)) }, "image/png"},
		{"PNG 16 bits with alpha", func(tb testing.TB) []byte {
			deep := drawn(image.NewNRGBA64(rect), m).(*image.NRGBA64)
			deep.SetNRGBA64(0, 0, color.NRGBA64{A: 0x8000})
			return pngOf(tb, deep)
		}, "image/png"},
		{"PNG grey", func(tb testing.TB) []byte { return pngOf(tb, drawn(image.NewGray(rect), m)) }, "image/png"},
		{"PNG grey 16 bits", func(tb testing.TB) []byte { return pngOf(tb, drawn(image.NewGray16(rect), m)) }, "image/png"},
		{"PNG palette", func(tb testing.TB) []byte { return pngOf(tb, drawn(image.NewPaletted(rect, palette.Plan9), m)) }, "image/png"},
		{"PNG interlaced", func(tb testing.TB) []byte { return interlaced(tb, m) }, "image/png"},
		{"PNG with a still acTL", func(tb testing.TB) []byte {
			return afterIHDR(pngOf(tb, m), chunk("acTL", []byte{0, 0, 0, 1, 0, 0, 0, 0}))
		}, "image/png"},
		{"PNG with bombs in iCCP and zTXt", func(tb testing.TB) []byte {
			bomb := deflate(tb, make([]byte, 5<<20))
			return afterIHDR(pngOf(tb, m), chunk("iCCP", append([]byte("x\x00\x00"), bomb...)), chunk("zTXt", append([]byte("x\x00\x00"), bomb...)))
		}, "image/png"},
		{"JPEG", func(tb testing.TB) []byte { return jpegOf(tb, m) }, "image/jpeg"},
		{"JPEG grey", func(tb testing.TB) []byte { return jpegOf(tb, drawn(image.NewGray(rect), m)) }, "image/jpeg"},
		{"JPEG CMYK", func(tb testing.TB) []byte { return cmyk(tb, m) }, "image/jpeg"},
		{"WebP", func(tb testing.TB) []byte { return webpOf(tb, m) }, "image/webp"},
		{"WebP lossless", func(tb testing.TB) []byte { return losslessOf(tb, m) }, "image/webp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Judge(tt.bytes(t), Limits{})
			if err != nil {
				t.Fatalf("Judge = %v", err)
			}
			if f.ContentType != tt.contentType || f.Width != 96 || f.Height != 64 {
				t.Errorf("Judge = %s %dx%d, want %s 96x64", f.ContentType, f.Width, f.Height, tt.contentType)
			}
			if d := f.Hash.Distance(want); d > editorial.NearDuplicate {
				t.Errorf("hash is %d from the same picture's, want at most %d", d, editorial.NearDuplicate)
			}
			if strings.Contains(tt.name, "grey") {
				return
			}
			if d := difference(t, f.Pixels.NRGBA, m); d > 12 {
				t.Errorf("pixels differ by %.1f levels, want the same picture", d)
			}
		})
	}
}

func TestJudgeKeepsAlpha(t *testing.T) {
	t.Parallel()
	m := veil(96, 64)
	for _, b := range []func(testing.TB) []byte{
		func(tb testing.TB) []byte { return pngOf(tb, m) },
		func(tb testing.TB) []byte { return losslessOf(tb, m) },
		func(tb testing.TB) []byte { return webpOf(tb, m) },
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			f, err := Judge(b(t), Limits{})
			if err != nil {
				t.Fatalf("Judge = %v", err)
			}
			for x := range 96 {
				i := f.Pixels.PixOffset(x, 30) + 3
				if got, want := int(f.Pixels.Pix[i]), int(m.Pix[i]); max(got-want, want-got) > 2 {
					t.Fatalf("alpha at column %d = %d, want %d", x, got, want)
				}
			}
		})
	}
}

// TestJudgeFacts pins what is stored with the row.
func TestJudgeFacts(t *testing.T) {
	t.Parallel()
	m := uniform(300, 200, color.NRGBA{R: 0x1a, G: 0x2b, B: 0x8c, A: 255})
	for x := range 80 {
		for y := range 200 {
			m.Set(x, y, color.NRGBA{R: 0xf0, G: 0xe0, B: 0xd0, A: 255})
		}
	}
	f, err := Judge(pngOf(t, m), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	f.Pixels = nil
	want := Facts{ContentType: "image/png", Ext: "png", Width: 300, Height: 200, Color: "#1a2b8c", Hash: f.Hash}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("Judge (-want +got):\n%s", diff)
	}
}

// TestNotBlank are the sparse pictures that must pass.
func TestNotBlank(t *testing.T) {
	t.Parallel()
	gradient := image.NewNRGBA(image.Rect(0, 0, 256, 256))
	line := uniform(256, 256, color.White)
	for i := range 256 {
		for j := range 256 {
			gradient.Set(i, j, color.Gray{Y: uint8(100 + j/20)})
		}
		line.Set(i, 128, color.Black)
		line.Set(i, 129, color.Black)
	}
	stencil := uniform(64, 64, color.Black)
	for i := range 32 * 64 {
		stencil.Pix[4*i+3] = 0
	}
	for name, m := range map[string]*image.NRGBA{"faint gradient": gradient, "thin line on white": line, "black shape on nothing": stencil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Judge(pngOf(t, m), Limits{}); err != nil {
				t.Errorf("Judge = %v, want a picture", err)
			}
		})
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	b := afterSOI(jpegOf(t, photo(96, 64)), segment(jpegAPP1, exifID+string(exifWith(6, ""))))
	got, err := Inspect(b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := Header{ContentType: "image/jpeg", Width: 64, Height: 96, Memory: 96 * 64 * (3 + 4 + 4)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Inspect (-want +got):\n%s", diff)
	}
}
