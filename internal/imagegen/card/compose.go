package card

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// family is one kind of motif.
type family struct {
	name  string
	lay   arrangement
	paint func(*scene)
}

// families are in an order in which neighbours differ most: a round asks for
// neighbouring seeds and its candidates should be a choice.
var families = []family{
	{"horizon", below, paintHorizon},
	{"tiles", beside, paintTiles},
	{"contours", around, paintContours},
	{"hills", below, paintHills},
	{"scales", beside, paintScales},
	{"orbs", around, paintOrbs},
	{"weave", beside, paintWeave},
	{"rings", around, paintRings},
	{"sprigs", beside, paintSprigs},
}

// scene is what a motif is painted into.
type scene struct {
	*canvas
	pal   palette
	rng   *rand.Rand
	art   rect   // where the motif is at home; the whole canvas without a title
	quiet rect   // where the title will stand, its rule included; empty without one
	lines []rect // the ink of each of its lines, and the rule
}

// between is a number drawn evenly from [lo, hi).
func (s *scene) between(lo, hi float64) float64 { return lo + (hi-lo)*s.rng.Float64() }

// hush is 0 on the title and 1 from reach pixels away, without a kink: motifs
// that run around the title multiply themselves with it.
func (s *scene) hush(x, y, reach float64) float64 {
	if s.quiet.empty() {
		return 1
	}
	if dx, dy := s.quiet.offset(x, y); dx*dx+dy*dy >= reach*reach {
		return 1
	}
	return smooth(s.clearance(x, y) / reach)
}

// clearance is the distance from a point to the nearest line of the title, and
// endless without a title. A short last line leaves room beside it.
func (s *scene) clearance(x, y float64) float64 {
	least := math.Inf(1)
	for _, r := range s.lines {
		dx, dy := r.offset(x, y)
		least = min(least, dx*dx+dy*dy)
	}
	return math.Sqrt(least)
}

// smooth is 0 below 0, 1 above 1, and has no kink between.
func smooth(t float64) float64 {
	switch {
	case t <= 0:
		return 0
	case t >= 1:
		return 1
	}
	return t * t * (3 - 2*t)
}

// composition is one card on its way: what will be painted, then the pixels.
type composition struct {
	scene
	face   *typeface
	family family
	title  string // as it is set; empty when it is not
	block  block
	rule   rect
	at     point // the block's top left corner
	scrim  float64
}

// The prompt alone chooses a family and a palette, and a seed moves both on:
// seeds that follow one another give every family and every palette in turn.
// stride is a common multiple of how many there are; paletteStep has no factor
// in common with the palettes and goes from dark to light and back.
const (
	stride      = 9 * 16
	paletteStep = 5
)

// compose decides everything about a card that needs no pixels.
func (g *Generator) compose(req imagegen.Request) *composition {
	w, h := side(req.Width, DefaultWidth), side(req.Height, DefaultHeight)
	prompt, seed := digest(req.Prompt), uint64(req.Seed)
	c := &composition{
		scene: scene{
			canvas: &canvas{w: float64(w), h: float64(h)},
			pal:    palettes[(prompt>>32+seed%stride*paletteStep)%uint64(len(palettes))],
			rng:    rand.New(rand.NewPCG(prompt, seed)),
		},
		face:   g.face,
		family: families[(prompt&0xffffffff+seed%stride)%uint64(len(families))],
	}
	c.art = c.bounds()
	text := req.Title
	if strings.TrimSpace(text) == "" {
		text = headline(req.Prompt)
	}
	if title, ok := clean(text, g.face.has); ok {
		c.arrange(title)
	}
	return c
}

// arrange finds the title's size and place; without a title, or when it fits
// no allowed size, the motif keeps the whole card.
func (c *composition) arrange(title string) {
	words := c.face.shape(title)
	if len(words) == 0 {
		return
	}
	f := c.family.lay.frame(c.w, c.h)
	b := c.face.set(words, f.title.width(), f.title.height()-ruleThickness(c.short()), sizesFor(c.w, c.h))
	if len(b.lines) == 0 {
		return
	}
	c.title, c.block, c.art = title, b, f.art
	c.rule, c.at = f.place(b, c.short())
	c.quiet = rect{c.rule.x0, c.rule.y0, max(c.rule.x1, c.at.x+b.width), c.at.y + b.height}
	c.lines = append(b.inkOfLines(c.at), c.rule)
}

// paint fills the ground and draws the motif.
func (c *composition) paint() {
	c.clear(c.pal.ground)
	c.family.paint(&c.scene)
}

// letter draws the rule and the title.
func (c *composition) letter() {
	if c.title == "" {
		return
	}
	rule := &path{}
	rule.box(c.rule)
	c.paintPath(rule, c.bounds(), c.pal.accent, 1)
	c.paintPath(c.face.blockOutline(c.block, c.at.x, c.at.y), c.bounds(), c.pal.ink, 1)
}

// params is what is stored with the picture.
func (c *composition) params() map[string]any {
	return map[string]any{"family": c.family.name, "palette": c.pal.name, "lettered": c.title != ""}
}

// digest is s as a number in which every bit depends on every letter: FNV alone
// gives prompts that differ in their last letter the same high bits.
func digest(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	v := h.Sum64()
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}
