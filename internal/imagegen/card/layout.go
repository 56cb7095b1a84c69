package card

import "math"

// arrangement is how title and motif share a card.
type arrangement int

const (
	// below: the title stands at the top, the motif begins under it.
	below arrangement = iota
	// beside: a plain panel for the title, the motif in a panel of its own.
	beside
	// around: the motif fills the card and gives way near the title.
	around
)

// anchor is where in its box a title stands that does not fill it.
type anchor int

const (
	atTop anchor = iota
	atMiddle
	atBottom
)

// frame is a card's geometry before the title's size is known.
type frame struct {
	title  rect // the rule and the title stay within
	anchor anchor
	art    rect // where the motif is at home
}

// margin keeps the title off the edges.
func margin(w, h float64) float64 { return 0.1 * min(w, h) }

// frame lays out a card of w by h pixels.
func (a arrangement) frame(w, h float64) frame {
	m := margin(w, h)
	inner := rect{m, m, w - m, h - m}
	art := rect{0, 0, w, h}
	switch a {
	case below:
		inner.y1 = max(0.64*h-0.4*m, h-2.5*w)
		inner.x1 -= 0.04 * w
		return frame{inner, atTop, art}
	case beside:
		if w >= 1.2*h {
			art.x0 = w - min(0.4*w, 2.2*h)
			inner.x1 = art.x0 - 0.8*m
		} else {
			art.y0 = h - min(0.42*h, 2.5*w)
			inner.y1 = art.y0 - 0.8*m
		}
		return frame{inner, atMiddle, art}
	default:
		if w >= 1.2*h {
			inner.x1 -= 0.14 * w
		}
		return frame{inner, atBottom, art}
	}
}

// ruleThickness is how thick the rule above the title is, in whole pixels.
func ruleThickness(short float64) float64 { return max(2, math.Round(0.0095*short)) }

// place puts a block of ink under its rule into the frame.
func (f frame) place(b block, short float64) (rule rect, at point) {
	thick := ruleThickness(short)
	room := f.title.height() - thick - b.head - b.height
	top := f.title.y0
	switch f.anchor {
	case atMiddle:
		top += room / 2
	case atBottom:
		top += room
	}
	x, y := math.Floor(f.title.x0), math.Floor(top)
	return rect{x, y, x + math.Round(0.1*short), y + thick}, point{x, y + thick + b.head}
}
