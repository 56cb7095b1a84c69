package picture

import "image"

// shrink averages areas into a copy of at most w by h pixels, colours weighted
// by alpha. It is coarse and quick: enough for colours, hashes and placeholders,
// not for readers.
func shrink(m *image.NRGBA, w, h int) *image.NRGBA {
	size := m.Rect.Size()
	w, h = min(w, size.X), min(h, size.Y)
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	areas := make([]area, w)
	for y := range h {
		clear(areas)
		top, bottom := y*size.Y/h, (y+1)*size.Y/h
		for row := top; row < bottom; row++ {
			addRow(areas, m.Pix[row*m.Stride:][:size.X*nrgbaBytes])
		}
		for x, a := range areas {
			pixels := (bottom - top) * ((x+1)*size.X/w - x*size.X/w)
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

// addRow adds one row of pixels to the areas above which it lies.
func addRow(areas []area, row []byte) {
	width := len(row) / nrgbaBytes
	for i := range areas {
		a := areas[i]
		from, to := i*width/len(areas), (i+1)*width/len(areas)
		for part := row[from*nrgbaBytes : to*nrgbaBytes]; len(part) >= nrgbaBytes; part = part[nrgbaBytes:] {
			alpha := uint64(part[3])
			a.r += uint64(part[0]) * alpha
			a.g += uint64(part[1]) * alpha
			a.b += uint64(part[2]) * alpha
			a.alpha += alpha
		}
		areas[i] = a
	}
}
