package picture

import (
	"encoding/binary"
	"image"
)

// shrink averages areas into a copy of at most w by h pixels, colours weighted
// by alpha. It is coarse and quick: enough for colours, hashes and placeholders,
// not for readers.
func shrink(m *image.NRGBA, w, h int) *image.NRGBA {
	size := m.Rect.Size()
	w, h = min(w, size.X), min(h, size.Y)
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	areas := make([]area, w)
	edges := make([]int, w+1) // of the areas, in bytes of a row
	for x := range edges {
		edges[x] = x * size.X / w * nrgbaBytes
	}
	for y := range h {
		clear(areas)
		top, bottom := y*size.Y/h, (y+1)*size.Y/h
		for row := top; row < bottom; row++ {
			addRow(areas, edges, m.Pix[row*m.Stride:])
		}
		for x, a := range areas {
			pixels := (bottom - top) * (edges[x+1] - edges[x]) / nrgbaBytes
			a.average(out.Pix[y*out.Stride+x*nrgbaBytes:], uint64(pixels))
		}
	}
	return out
}

// area is a sum of pixels: each colour times its alpha, and the alpha.
type area struct{ r, g, b, alpha uint64 }

// average writes the mean of n pixels; an invisible area has no colour.
func (a area) average(to []byte, n uint64) {
	if a.alpha > 0 {
		to[0], to[1], to[2], to[3] = byte(a.r/a.alpha), byte(a.g/a.alpha), byte(a.b/a.alpha), byte(a.alpha/n)
	}
}

// addRow adds one row of pixels to the areas above which it lies. Opaque ones,
// which are nearly all there are, are multiplied by their alpha at the end.
func addRow(areas []area, edges []int, row []byte) {
	for i := range areas {
		a := &areas[i]
		var rb, ga pair
		for part := row[edges[i]:edges[i+1]]; len(part) >= nrgbaBytes; part = part[nrgbaBytes:] {
			px := pair(binary.LittleEndian.Uint32(part))
			if alpha := uint64(px >> 24); alpha != 0xff {
				a.r += uint64(part[0]) * alpha
				a.g += uint64(part[1]) * alpha
				a.b += uint64(part[2]) * alpha
				a.alpha += alpha
				continue
			}
			rb += (px | px<<16) & pairMask
			ga += (px>>8 | px<<8) & pairMask
		}
		a.r += uint64(rb&0xffff_ffff) * 0xff
		a.g += uint64(ga&0xffff_ffff) * 0xff
		a.b += uint64(rb>>32) * 0xff
		a.alpha += uint64(ga >> 32)
	}
}
