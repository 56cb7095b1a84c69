package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"
)

// This file draws the tests' pictures and writes the containers that the
// standard library reads but cannot write.

// photo has what photographs have: gradients, edges, grain.
func photo(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/float64(w), float64(y)/float64(h)
			v := 128 + 60*math.Sin(9*fx+4*math.Sin(7*fy)) + 40*math.Sin(31*fx*fy+3*fx)
			if math.Hypot(fx-0.6, fy-0.4) < 0.2 {
				v -= 70
			}
			px := m.Pix[m.PixOffset(x, y):]
			for c := range 3 {
				px[c] = uint8(max(0, min(255, v+40*math.Sin(float64(c)+5*fy)+r.NormFloat64()*3)))
			}
			px[3] = 255
		}
	}
	return m
}

// veil is photo fading out to the right.
func veil(w, h int) *image.NRGBA {
	m := photo(w, h)
	for y := range h {
		for x := range w {
			m.Pix[m.PixOffset(x, y)+3] = uint8(255 - 255*x/w)
		}
	}
	return m
}

func uniform(w, h int, c color.Color) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return m
}

// drawn is src drawn into another kind of picture.
func drawn(dst draw.Image, src image.Image) image.Image {
	draw.Draw(dst, dst.Bounds(), src, image.Point{}, draw.Src)
	return dst
}

func pngOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatalf("encode png: %v", err)
	}
	return b.Bytes()
}

func jpegOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		tb.Fatalf("encode jpeg: %v", err)
	}
	return b.Bytes()
}

// chunk is a PNG chunk.
func chunk(kind string, body []byte) []byte { return appendPNGChunk(nil, kind, body) }

func ihdr(w, h int, depth, colorType, interlace byte) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(w))
	body = binary.BigEndian.AppendUint32(body, uint32(h))
	return chunk("IHDR", append(body, depth, colorType, 0, 0, interlace))
}

func deflate(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// pngFile joins chunks to a file and adds the end.
func pngFile(chunks ...[]byte) []byte {
	out := []byte(pngSignature)
	for _, c := range chunks {
		out = append(out, c...)
	}
	return append(out, chunk("IEND", nil)...)
}

// afterIHDR puts chunks behind a PNG's header.
func afterIHDR(b []byte, chunks ...[]byte) []byte {
	const at = len(pngSignature) + 25
	return bytes.Join([][]byte{b[:at], bytes.Join(chunks, nil), b[at:]}, nil)
}

// interlaced writes m as an Adam7 PNG, 8-bit RGB.
func interlaced(tb testing.TB, m *image.NRGBA) []byte {
	tb.Helper()
	passes := [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	var raw []byte
	for _, p := range passes {
		for y := p[1]; y < h && p[0] < w; y += p[3] {
			raw = append(raw, 0) // no filter
			for x := p[0]; x < w; x += p[2] {
				raw = append(raw, m.Pix[m.PixOffset(x, y):][:3]...)
			}
		}
	}
	return pngFile(ihdr(w, h, 8, 2, 1), chunk("IDAT", deflate(tb, raw)))
}

// segment is a JPEG segment.
func segment(marker byte, body string) []byte { return appendJPEGSegment(nil, marker, body, nil) }

// afterSOI puts segments at a JPEG's beginning.
func afterSOI(b []byte, segments ...[]byte) []byte {
	return bytes.Join([][]byte{b[:2], bytes.Join(segments, nil), b[2:]}, nil)
}

// cmyk writes a four-channel JPEG: each channel is encoded as a grey picture
// and the four scans are put behind one common header.
func cmyk(tb testing.TB, m *image.NRGBA) []byte {
	tb.Helper()
	size := m.Rect.Size()
	ink := image.NewCMYK(m.Rect)
	draw.Draw(ink, ink.Rect, m, image.Point{}, draw.Src)
	out := append([]byte{0xff, jpegSOI}, segment(jpegAPPE, "Adobe\x00\x64\x00\x00\x00\x00\x00")...)
	for c := range 4 {
		grey := image.NewGray(m.Rect)
		for i := range grey.Pix {
			grey.Pix[i] = 255 - ink.Pix[4*i+c] // Adobe stores ink inverted
		}
		h, err := parseJPEG(jpegOf(tb, grey))
		if err != nil {
			tb.Fatal(err)
		}
		for i := 0; i < len(h.spans); i += 2 {
			switch marker, body := h.spans[i][1], h.spans[i+1]; {
			case marker == jpegSOS:
				scan := append([]byte(nil), body...)
				scan[3] = byte(c + 1) // the component's id
				out = append(append(out, h.spans[i]...), scan...)
			case marker == jpegSOF0:
				if c == 0 {
					frame := []byte{8, byte(size.Y >> 8), byte(size.Y), byte(size.X >> 8), byte(size.X), 4}
					for id := byte(1); id <= 4; id++ {
						frame = append(frame, id, 0x11, 0)
					}
					out = append(out, segment(jpegSOF0, string(frame))...)
				}
			case c == 0:
				out = append(append(out, h.spans[i]...), body...)
			}
		}
	}
	return append(out, 0xff, jpegEOI)
}

// riff writes a WebP of chunks.
func riff(chunks ...[]byte) []byte {
	out := append([]byte("RIFF\x00\x00\x00\x00WEBP"), bytes.Join(chunks, nil)...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func vp8x(flags byte, w, h int) []byte {
	return appendWebPChunk(nil, "VP8X", (&header{size: image.Pt(w, h)}).vp8x(flags))
}

// webpChunks are a WebP's own chunks: its picture.
func webpChunks(tb testing.TB, b []byte) []byte {
	tb.Helper()
	h, err := parseWebP(b)
	if err != nil {
		tb.Fatal(err)
	}
	var out []byte
	for _, s := range h.spans {
		out = appendWebPChunk(out, string(s[:4]), s[8:])
	}
	return out
}

// profile is a colour profile as far as anything here looks at it.
func profile(space string, size int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, uint32(size))
	copy(b[16:], space)
	copy(b[36:], "acsp")
	return b
}

func iccp(tb testing.TB, p []byte) []byte {
	return chunk("iCCP", append([]byte("name\x00\x00"), deflate(tb, p)...))
}

// exifWith is an EXIF block with an orientation and a secret.
func exifWith(o orientation, secret string) []byte {
	return append(o.exif(), secret...)
}

// decodePixels is the picture as everybody else decodes it.
func decodePixels(tb testing.TB, b []byte) *image.NRGBA {
	tb.Helper()
	c, _, err := open(b, Limits{})
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	img, err := c.decode(bytes.NewReader(b))
	if err != nil {
		tb.Fatalf("decode: %v", err)
	}
	return toNRGBA(img, isOpaque(img))
}

// difference is the mean distance of two pictures' bytes.
func difference(tb testing.TB, a, b *image.NRGBA) float64 {
	tb.Helper()
	if a.Rect.Size() != b.Rect.Size() {
		tb.Fatalf("sizes differ: %v and %v", a.Rect, b.Rect)
	}
	var sum float64
	for i := range a.Pix {
		sum += math.Abs(float64(a.Pix[i]) - float64(b.Pix[i]))
	}
	return sum / float64(len(a.Pix))
}

// brokenChecksum spoils the last byte of a PNG's first chunk of data.
func brokenChecksum(b []byte) []byte {
	out := bytes.Clone(b)
	out[bytes.Index(out, []byte("IDAT"))+20] ^= 0xff
	return out
}

// webSafe is a palette with an invisible entry.
func webSafe() color.Palette {
	return append(color.Palette{color.NRGBA{}}, palette.WebSafe...)
}
