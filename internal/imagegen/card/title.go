package card

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// longestTitle is how many runes are looked at; what is beyond could not be
// read on a picture anyway and a prompt can be a page long.
const longestTitle = 600

// headline is the part of a prompt that says what is on the picture: what
// comes before the first comma or full stop. The rest is mostly for a machine
// ("cinematic, 8k").
func headline(prompt string) string {
	const tooShort = 8 // runes: "Paris, 1925" is no list
	runes := []rune(strings.TrimSpace(prompt))
	for i, r := range runes {
		ends := i+1 == len(runes) || unicode.IsSpace(runes[i+1])
		if r == '\n' || strings.ContainsRune(",;.", r) && ends && i >= tooShort {
			return string(runes[:i])
		}
	}
	return string(runes)
}

// respelt are characters that the face lacks and that have a plain equal.
var respelt = map[rune]rune{
	'\u2010': '-', '\u2011': '-', '\u2012': '–', '\u2015': '—', '\u2212': '–',
	'\u2192': '–', '\u2190': '–', '\u2194': '–', '\u21d2': '–', '\u279c': '–', '\u2794': '–',
	'\u202f': nbsp, '\u2007': nbsp,
}

const nbsp = '\u00a0'

// clean is s as it can be set: composed, in one line, single-spaced, without
// control, bidirectional and joining characters and without emoji. ok is false
// when a letter, mark, digit or sign is left that has does not know: then no
// part of the title may be drawn, since half a title says something else.
func clean(s string, has func(rune) bool) (title string, ok bool) {
	w := titleWriter{}
	seen := 0
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, "")) {
		if seen++; seen > longestTitle {
			break
		}
		if plain, found := respelt[r]; found {
			r = plain
		}
		switch {
		case unicode.IsSpace(r) && r != nbsp:
			w.space = true
		case isInvisible(r):
		case isPictograph(r) && !has(r):
			w.dropPicture()
		case !has(r):
			return "", false
		default:
			w.write(r)
		}
	}
	return w.title(), true
}

// isInvisible reports whether r only steers how its neighbours are shown:
// controls, bidirectional marks, joiners, soft hyphens, variation selectors,
// tags, the keycap that turns a digit into an emoji, and what a broken decoder
// left behind.
func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Variation_Selector) ||
		r == '\u20e3' || r == '\ufffd'
}

// isPictograph reports whether r is an emoji, a part of one (flags are two
// regional letters, skin tones are modifiers), or another pictorial sign: all
// that a title can lose without saying less.
func isPictograph(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sk)
}

// titleWriter puts a title together and mends the gaps that dropped pictures
// leave.
type titleWriter struct {
	out     []rune
	space   bool // one is due before the next rune
	dropped bool // a picture was, since the last rune written
	lost    bool // a picture was, anywhere
}

func (w *titleWriter) dropPicture() { w.dropped, w.lost = true, true }

func (w *titleWriter) write(r rune) {
	// "party 🎉!" loses the space together with the picture; French, which
	// puts one before its "!", has no picture there and keeps it.
	closes := w.dropped && strings.ContainsRune(".,!?:;)]…", r)
	if (w.space || w.dropped) && !closes && len(w.out) > 0 && (w.space || isWordRune(r)) {
		w.out = append(w.out, ' ')
	}
	w.space, w.dropped = false, false
	w.out = append(w.out, apostrophe(w.out, r))
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// apostrophe is the curly one where r is a straight one after a letter.
func apostrophe(before []rune, r rune) rune {
	if r == '\'' && len(before) > 0 && unicode.IsLetter(before[len(before)-1]) {
		return '’'
	}
	return r
}

// title is what was written. Where pictures were dropped, the separators and
// brackets that only held them go too.
func (w *titleWriter) title() string {
	s := string(w.out)
	if w.lost {
		for _, empty := range []string{"( )", "()", "[ ]", "[]"} {
			s = strings.ReplaceAll(s, empty, "")
		}
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
		s = strings.Trim(s, " |–—-·•:,")
	}
	return s
}
