package picture

import (
	"fmt"
	"image"
)

const (
	// A picture is blank when all but one of blankShare pixels lie within
	// blankSpread levels in every channel: a stuck pixel, sensor noise or a
	// one-pixel frame makes nothing of it, while a dim gradient passes.
	blankShare  = 1000
	blankSpread = 8
)

// blankPasses is in how many passes the rows are counted: a picture that shows
// something has said so after the first, whose rows lie evenly over it.
const blankPasses = 16

// isBlank reports whether the picture shows nothing. It may stop after any pass:
// pixels that are added only ever spread the values further.
func (p *Pixels) isBlank() bool {
	var counts [nrgbaBytes][256]int
	pixels := p.Rect.Dx() * p.Rect.Dy()
	for first := range blankPasses {
		for y := first; y < p.Rect.Dy(); y += blankPasses {
			count(&counts, p.Pix[y*p.Stride:][:nrgbaBytes*p.Rect.Dx()])
		}
		for _, c := range counts {
			if spread(c, pixels) > blankSpread {
				return false
			}
		}
	}
	return true
}

// count adds a row to each channel's histogram, colours as they look on black:
// what is invisible does not count as something to see.
func count(counts *[nrgbaBytes][256]int, row []byte) {
	for ; len(row) >= nrgbaBytes; row = row[nrgbaBytes:] {
		r, g, b, a := row[0], row[1], row[2], row[3]
		if a != 0xff {
			r, g, b = fade(r, a), fade(g, a), fade(b, a)
		}
		counts[0][r]++
		counts[1][g]++
		counts[2][b]++
		counts[3][a]++
	}
}

func fade(v, alpha byte) byte { return byte(uint(v) * uint(alpha) / 255) }

// spread is how many levels apart the values are, after the total/blankShare
// most extreme ones are left out, half of them at either end.
func spread(counts [256]int, total int) int {
	drop := total / blankShare / 2
	low, high := 0, 255
	for left := drop - counts[0]; left >= 0; left -= counts[low] {
		low++
	}
	for left := drop - counts[255]; left >= 0; left -= counts[high] {
		high--
	}
	return high - low
}

// dominant is the colour that most of the sample is near to: the mean of the
// fullest of 512 boxes of similar colours. Mostly transparent areas do not
// vote; ties go to the darker box.
func dominant(m *image.NRGBA) string {
	type box struct{ n, r, g, b int }
	var boxes [512]box
	best := 0
	for i := 0; i < len(m.Pix); i += nrgbaBytes {
		r, g, b := int(m.Pix[i]), int(m.Pix[i+1]), int(m.Pix[i+2])
		if m.Pix[i+3] < 128 {
			continue
		}
		k := r>>5<<6 | g>>5<<3 | b>>5
		x := &boxes[k]
		*x = box{x.n + 1, x.r + r, x.g + g, x.b + b}
		if x.n > boxes[best].n || x.n == boxes[best].n && k < best {
			best = k
		}
	}
	x := boxes[best]
	n := max(x.n, 1)
	return fmt.Sprintf("#%02x%02x%02x", x.r/n, x.g/n, x.b/n)
}
