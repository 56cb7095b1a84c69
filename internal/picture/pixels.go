package picture

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
)

const (
	nrgbaBytes = 4
	// sampleSide is the side of the sample that colour, hash and placeholder
	// are read from.
	sampleSide = 64
)

// newPixels brings whatever the decoder made into the one form that the rest
// of the package reads. An opaque RGBA picture is adopted as it is: without
// transparency the two forms are the same bytes.
func newPixels(img image.Image, h header) *Pixels {
	opaque := isOpaque(img)
	m := h.orientation.turn(toNRGBA(img, opaque))
	p := &Pixels{NRGBA: m, opaque: opaque, sample: shrink(m, sampleSide, sampleSide)}
	// A profile of ink or of grey no longer holds: the values are RGB now.
	if isRGBProfile(h.profile) {
		p.profile = h.profile
	}
	return p
}

// isOpaque asks the decoder's own type: most of them know without looking at
// every pixel. Of the two most usual ones every pixel is looked at, two at once.
func isOpaque(img image.Image) bool {
	switch m := img.(type) {
	case *image.RGBA:
		return isOpaquePix(m.Pix, m.Stride, m.Rect)
	case *image.NRGBA:
		return isOpaquePix(m.Pix, m.Stride, m.Rect)
	case interface{ Opaque() bool }:
		return m.Opaque()
	default:
		return false
	}
}

func isOpaquePix(pix []byte, stride int, r image.Rectangle) bool {
	const alphas = 0xff000000_ff000000
	for y := range r.Dy() {
		row := pix[y*stride:][:nrgbaBytes*r.Dx()]
		all := uint64(alphas)
		for ; len(row) >= 2*nrgbaBytes; row = row[2*nrgbaBytes:] {
			all &= binary.LittleEndian.Uint64(row)
		}
		if all != alphas || len(row) > 0 && row[3] != 0xff {
			return false
		}
	}
	return true
}

func toNRGBA(img image.Image, opaque bool) *image.NRGBA {
	switch m := img.(type) {
	case *image.NRGBA:
		return m
	case *image.RGBA:
		if opaque {
			return &image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}
		}
	case *image.YCbCr, *image.CMYK:
		// The standard library has a fast path for these two into RGBA only.
		rgba := image.NewRGBA(img.Bounds())
		draw.Draw(rgba, rgba.Rect, img, rgba.Rect.Min, draw.Src)
		return &image.NRGBA{Pix: rgba.Pix, Stride: rgba.Stride, Rect: rgba.Rect}
	case *image.Gray:
		return mapPixels(img, func(i int, to []byte) { grey(to, m.Pix[i]) }, m.Stride, 1)
	case *image.Gray16:
		return mapPixels(img, func(i int, to []byte) { grey(to, m.Pix[i]) }, m.Stride, 2)
	case *image.NRGBA64:
		return mapPixels(img, func(i int, to []byte) { high(to, m.Pix[i:i+8]) }, m.Stride, 8)
	case *image.RGBA64:
		if opaque {
			return mapPixels(img, func(i int, to []byte) { high(to, m.Pix[i:i+8]) }, m.Stride, 8)
		}
	case *image.Paletted:
		return fromPalette(m)
	}
	return convert(img)
}

// mapPixels makes a picture by calling put once a pixel, i being where that
// pixel begins in the source.
func mapPixels(img image.Image, put func(i int, to []byte), stride, bytesPerPixel int) *image.NRGBA {
	out := image.NewNRGBA(image.Rectangle{Max: img.Bounds().Size()})
	for y := range out.Rect.Max.Y {
		to := out.Pix[y*out.Stride:]
		for x := range out.Rect.Max.X {
			put(y*stride+x*bytesPerPixel, to[x*nrgbaBytes:][:nrgbaBytes])
		}
	}
	return out
}

func grey(to []byte, v byte) { to[0], to[1], to[2], to[3] = v, v, v, 0xff }

// high takes the upper byte of each 16-bit channel, which is what browsers show.
func high(to, from []byte) { to[0], to[1], to[2], to[3] = from[0], from[2], from[4], from[6] }

func fromPalette(m *image.Paletted) *image.NRGBA {
	var table [256]color.NRGBA
	for i, c := range m.Palette {
		table[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	return mapPixels(m, func(i int, to []byte) {
		c := table[m.Pix[i]]
		to[0], to[1], to[2], to[3] = c.R, c.G, c.B, c.A
	}, m.Stride, 1)
}

// convert is the slow way for what is rare: lossy WebP with alpha, and
// premultiplied pictures with transparency.
func convert(img image.Image) *image.NRGBA {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rectangle{Max: b.Size()})
	draw.Draw(out, out.Rect, img, b.Min, draw.Src)
	return out
}
