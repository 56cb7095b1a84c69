package card

import (
	"math"
	"slices"

	"golang.org/x/image/font/sfnt"
)

// leading is the distance between two baselines, in em.
const leading = 1.14

// ellipsis ends a title that no allowed size could hold.
const ellipsis = '…'

// block is a title set in lines. Its coordinates are pixels from the block's
// own top left corner, where its ink begins.
type block struct {
	lines         [][]word
	size          float64 // pixels to the em
	rise          float64 // from the top to the first baseline
	width, height float64
	head          float64 // kept free between the rule and the ink
}

// sizes says how large a title may be on one canvas, in pixels to the em.
type sizes struct {
	huge     float64 // for a single line
	full     float64 // for three lines
	smallest float64 // still read on a phone; below it a title is cut
}

// sizesFor follows the canvas: its area, and its narrow side where that is
// what a title runs into.
func sizesFor(w, h float64) sizes {
	full := min(0.122*math.Sqrt(w*h), 0.15*w, 0.3*h)
	return sizes{
		huge:     min(full*1.9, 0.24*w, 0.4*h),
		full:     full,
		smallest: max(11, min(0.42*full, 0.046*min(w, h))),
	}
}

// linesAt is the most lines that look right at a size: a large title is short,
// and a narrow column may be long.
func (s sizes) linesAt(size, width, height float64) int {
	lines := 12.0
	switch {
	case size > 1.3*s.full:
		lines = 1
	case size > s.full:
		lines = 2
	case size > 0.74*s.full:
		lines = 3
	case size > 0.58*s.full:
		lines = 4
	case size > 0.5*s.full:
		lines = 5
	}
	return int(lines * max(1, height/width))
}

// set finds the best size at which words fit width by height pixels, rule gap
// included. Words stay whole down to the smallest size that is still a
// title's; then they are broken, and at the smallest of all the rest gives way
// to an ellipsis. The block is empty when not even that fits.
func (t *typeface) set(words []word, width, height float64, s sizes) block {
	whole := func(float64) []word { return words }
	if b, ok := best(whole, s.huge, max(s.smallest, 0.45*s.full), width, height, s); ok {
		return b
	}
	var buf sfnt.Buffer
	hyphen := t.word(&buf, "-")
	broken := func(size float64) []word { return split(words, width/size, hyphen) }
	if b, ok := best(broken, s.full, s.smallest, width, height, s); ok {
		return b
	}
	words = split(words, width/s.smallest, word{})
	for n := len(words) - 1; n > 0; n-- {
		if b, ok := fit(t.elided(words[:n], width/s.smallest), s.smallest, width, height, s); ok {
			return b
		}
	}
	return block{}
}

// best looks from the largest size down for the first that fits, and then a
// little further: lines of even length are worth some size. "A / lighthouse /
// at dawn" is larger than "A lighthouse / at dawn", and worse.
func best(words func(size float64) []word, largest, smallest, width, height float64, s sizes) (found block, ok bool) {
	const step, worthwhile = 0.97, 0.7
	score := 0.0
	for size := largest; size >= smallest; size *= step {
		if ok && size < worthwhile*largest {
			break
		}
		b, fits := fit(words(size), size, width, height, s)
		if !fits {
			continue
		}
		if !ok {
			largest = size
		}
		if v := size * (0.6 + 0.4*b.evenness()); v > score {
			found, ok, score = b, true, v
		}
	}
	return found, ok
}

// fit sets words at one size, balanced over as few lines as they need.
func fit(words []word, size, width, height float64, s sizes) (block, bool) {
	measure := width / size
	n, ok := countLines(words, measure)
	if !ok || n > s.linesAt(size, width, height) || float64(n-1)*leading*size > height {
		return block{}, false
	}
	b := block{lines: breakLines(words, measure, n), size: size, head: 0.36 * size}
	b.extend()
	return b, b.width <= width+1e-6 && b.head+b.height <= height
}

// inkOfLines is where each line's ink lies when the block stands at a point.
func (b block) inkOfLines(at point) []rect {
	var out []rect
	for i, line := range b.lines {
		base := at.y + b.rise + float64(i)*leading*b.size
		r := rect{at.x, base, at.x + span(line)*b.size, base}
		for _, w := range line {
			r.y0, r.y1 = min(r.y0, base+w.ink.top*b.size), max(r.y1, base+w.ink.bottom*b.size)
		}
		out = append(out, r)
	}
	return out
}

// evenness is the shortest line's part of the longest, 1 for a single line.
func (b block) evenness() float64 {
	shortest := math.Inf(1)
	for _, line := range b.lines {
		shortest = min(shortest, span(line)*b.size)
	}
	return shortest / b.width
}

// extend works out where the block's ink begins and ends.
func (b *block) extend() {
	top, bottom, width := math.Inf(1), math.Inf(-1), 0.0
	for i, line := range b.lines {
		for _, w := range line {
			top = min(top, float64(i)*leading+w.ink.top)
			bottom = max(bottom, float64(i)*leading+w.ink.bottom)
		}
		width = max(width, span(line))
	}
	b.rise, b.height, b.width = -top*b.size, (bottom-top)*b.size, width*b.size
}

// elided is words with an ellipsis closing the last of them, which loses the
// letters that would then no longer fit the measure.
func (t *typeface) elided(words []word, measure float64) []word {
	var b sfnt.Buffer
	dots := t.word(&b, string(ellipsis))
	old := words[len(words)-1]
	if room := measure - dots.advance; span([]word{old}) > room {
		if head, _, ok := cut(old, room, word{}); ok {
			old = head
		}
	}
	last := word{space: old.space}
	for _, m := range old.marks {
		last.adopt(m, 0)
	}
	for _, m := range dots.marks {
		last.adopt(m, old.advance)
	}
	last.advance = old.advance + dots.advance
	return append(slices.Clone(words[:len(words)-1]), last)
}

// blockOutline is the block's letters, its top left corner at (x, y). Each line's
// ink begins exactly at x.
func (t *typeface) blockOutline(b block, x, y float64) *path {
	var buf sfnt.Buffer
	p := &path{}
	for i, line := range b.lines {
		pen := x - line[0].ink.left*b.size
		base := y + b.rise + float64(i)*leading*b.size
		for j, w := range line {
			if j > 0 {
				pen += w.space * b.size
			}
			for _, m := range w.marks {
				t.outline(&buf, p, m.glyph, pen+m.x*b.size, base+m.y*b.size, b.size)
			}
			pen += w.advance * b.size
		}
	}
	return p
}
