package card

import (
	"strings"
	"unicode"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// mark is one glyph of a word: its place from the word's origin, in em.
type mark struct {
	glyph sfnt.GlyphIndex
	x, y  float64
	ink   extent // in the word, not around the glyph
	// opens is whether a reader would see a new letter here, so that a word
	// too long for any line may be broken before it.
	opens bool
}

// word is a run of letters between two places where a line may break. Lengths
// are in em.
type word struct {
	marks   []mark
	advance float64
	ink     extent
	space   float64 // before it, when it does not begin a line; 0 after a hyphen
	letters int
	pauses  bool // it ends with punctuation, a good place to end a line
	plain   bool // it is nothing but letters
}

// The most accents that are stacked above and below one letter; text made of
// more is made to break layouts.
const stackLimit = 2

// shape cuts title into words and places their glyphs.
func (t *typeface) shape(title string) []word {
	var b sfnt.Buffer
	g, _ := t.glyph(&b, ' ')
	_, blank := t.measure(&b, g)
	var words []word
	for _, field := range strings.FieldsFunc(title, func(r rune) bool { return r == ' ' }) {
		for i, part := range breakable(field) {
			w := t.word(&b, part)
			if i == 0 {
				w.space = blank
			}
			words = append(words, w)
		}
	}
	return words
}

// breakable splits a field after hyphens, dashes and slashes that stand
// between letters: "state-of-the-art", "and/or", but not "-5" or "A-".
func breakable(field string) []string {
	runes := []rune(field)
	var parts []string
	start := 0
	for i := 2; i < len(runes)-2; i++ {
		if strings.ContainsRune("-–—/", runes[i]) && i-start >= 2 && isWordRune(runes[i+1]) {
			parts = append(parts, string(runes[start:i+1]))
			start = i + 1
		}
	}
	return append(parts, string(runes[start:]))
}

// word places the glyphs of one word: kerned letters, and accents that have no
// composed form centred above or below their letter.
func (t *typeface) word(b *sfnt.Buffer, s string) word {
	w := word{
		pauses: strings.ContainsAny(s[len(s)-1:], ":.!?"),
		plain:  !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }),
	}
	var base struct {
		glyph        sfnt.GlyphIndex
		ink          extent // of the letter and the accents it has so far
		known        bool
		above, below int
	}
	for _, r := range s {
		g, ok := t.glyph(b, r)
		if !ok {
			continue
		}
		ink, advance := t.measure(b, g)
		if unicode.Is(unicode.Mn, r) && base.known {
			below := isBelow(r)
			if below {
				base.below++
			} else {
				base.above++
			}
			if max(base.above, base.below) > stackLimit {
				continue
			}
			x, y := stack(base.ink, ink, below)
			w.place(g, x, y, ink, false)
			base.ink.top = min(base.ink.top, y+ink.top)
			base.ink.bottom = max(base.ink.bottom, y+ink.bottom)
			continue
		}
		if base.known {
			w.advance += t.kern(b, base.glyph, g)
		}
		w.place(g, w.advance, 0, ink, true)
		base.glyph, base.known, base.above, base.below = g, true, 0, 0
		base.ink = extent{w.advance + ink.left, ink.top, w.advance + ink.right, ink.bottom}
		w.advance += advance
		if isWordRune(r) {
			w.letters++
		}
	}
	return w
}

// place adds a glyph whose ink around its own origin is ink.
func (w *word) place(g sfnt.GlyphIndex, x, y float64, ink extent, opens bool) {
	w.adopt(mark{glyph: g, ink: extent{ink.left, y + ink.top, ink.right, y + ink.bottom}, y: y, opens: opens}, x)
}

// adopt adds a mark moved by dx and widens the word's ink by it.
func (w *word) adopt(m mark, dx float64) {
	m.x += dx
	m.ink.left += dx
	m.ink.right += dx
	if len(w.marks) == 0 {
		w.ink = m.ink
	}
	w.ink = w.ink.union(m.ink)
	w.marks = append(w.marks, m)
}

// isBelow reports whether r hangs under its letter (canonical combining
// classes 202 to 220).
func isBelow(r rune) bool {
	class := norm.NFC.PropertiesString(string(r)).CCC()
	return class >= 202 && class <= 220
}

// stack is where an accent goes that is drawn as accent around its own origin:
// centred on the letter, clear of whatever the letter has there already.
func stack(letter, accent extent, below bool) (x, y float64) {
	const clear = 0.05
	x = letter.centre() - accent.centre()
	if below {
		return x, max(0, letter.bottom+clear-accent.top)
	}
	return x, min(0, letter.top-clear-accent.bottom)
}
