package card

import (
	_ "embed"
	"fmt"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// embeddedFace is Noto Serif Display SemiCondensed SemiBold, unmodified: a
// display serif with Latin, Greek (polytonic too) and Cyrillic, kerned, under
// the SIL Open Font License (font/OFL.txt).
//
//go:embed font/NotoSerifDisplay-SemiCondensedSemiBold.ttf
var embeddedFace []byte

// typeface measures and outlines glyphs. All its lengths are in em, with y
// pointing down as on the canvas, so that a title is shaped once and set at
// any size. Safe for concurrent use: each call brings its own buffer.
type typeface struct {
	font *sfnt.Font
	ppem fixed.Int26_6 // the size at which one font unit is one pixel
}

// extent is where a glyph's ink lies around its origin, in em.
type extent struct{ left, top, right, bottom float64 }

func (e extent) centre() float64 { return (e.left + e.right) / 2 }

func (e extent) union(o extent) extent {
	return extent{min(e.left, o.left), min(e.top, o.top), max(e.right, o.right), max(e.bottom, o.bottom)}
}

func mustTypeface(data []byte) *typeface {
	f, err := sfnt.Parse(data)
	if err != nil {
		panic(fmt.Sprintf("card: the embedded typeface is damaged: %v", err))
	}
	return &typeface{font: f, ppem: fixed.I(int(f.UnitsPerEm()))}
}

// em turns a length measured at ppem into em.
func (t *typeface) em(v fixed.Int26_6) float64 { return float64(v) / float64(t.ppem) }

// glyph is r's glyph; ok is false when the face has none.
func (t *typeface) glyph(b *sfnt.Buffer, r rune) (g sfnt.GlyphIndex, ok bool) {
	g, err := t.font.GlyphIndex(b, r)
	return g, err == nil && g != 0
}

// has reports whether the face can draw r.
func (t *typeface) has(r rune) bool {
	var b sfnt.Buffer
	_, ok := t.glyph(&b, r)
	return ok
}

// measure is a glyph's ink and advance; a glyph that cannot be read is empty.
func (t *typeface) measure(b *sfnt.Buffer, g sfnt.GlyphIndex) (ink extent, advance float64) {
	bounds, adv, err := t.font.GlyphBounds(b, g, t.ppem, font.HintingNone)
	if err != nil {
		return extent{}, 0
	}
	return extent{
		left: t.em(bounds.Min.X), top: t.em(bounds.Min.Y),
		right: t.em(bounds.Max.X), bottom: t.em(bounds.Max.Y),
	}, t.em(adv)
}

// kern is the correction between two neighbours, mostly negative or 0.
func (t *typeface) kern(b *sfnt.Buffer, left, right sfnt.GlyphIndex) float64 {
	k, err := t.font.Kern(b, left, right, t.ppem, font.HintingNone)
	if err != nil {
		return 0
	}
	return t.em(k)
}

// outline appends g to p, its origin at (x, y), one em being size pixels.
func (t *typeface) outline(b *sfnt.Buffer, p *path, g sfnt.GlyphIndex, x, y, size float64) {
	segments, err := t.font.LoadGlyph(b, g, t.ppem, nil)
	if err != nil {
		return
	}
	at := func(q fixed.Point26_6) point {
		return point{x + t.em(q.X)*size, y + t.em(q.Y)*size}
	}
	for _, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			p.moveTo(at(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			p.lineTo(at(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			p.quadTo(at(s.Args[0]), at(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			p.cubeTo(at(s.Args[0]), at(s.Args[1]), at(s.Args[2]))
		}
	}
}
