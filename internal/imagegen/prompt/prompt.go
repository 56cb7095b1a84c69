// Package prompt makes of whatever stands in a prompt, which a language model
// may have written, plain words that every backend reads as such: no markdown,
// no plan, no labels, and none of the syntax with which a prompt can change a
// backend's size, steps or model.
//
// It deliberately judges no content and adds no style. The trap: it must never
// lose the subject, so text that looks like scaffolding from beginning to end
// is kept, reduced to its words.
package prompt

import (
	"strings"
	"unicode"
)

// DefaultMax is the length of a prompt that all backends take, in characters.
const DefaultMax = 500

// Options change what [Options.Clean] does; the zero value is ready.
type Options struct {
	Max int // characters; 0 is DefaultMax
}

// Clean is Options{}.Clean.
func Clean(s string) string { return Options{}.Clean(s) }

// Clean returns s as one line of words and punctuation. The line is empty only
// when s has no letter, and cleaning it again changes nothing.
func (o Options) Clean(s string) string {
	if o.Max <= 0 {
		o.Max = DefaultMax
	}
	if line, ok := o.settle(s); ok && (hasLetter(line) || !hasLetter(s)) {
		return line
	}
	plain := words(s)
	if line, ok := o.settle(plain); ok && hasLetter(line) {
		return line
	}
	return clip(plain, o.Max)
}

// maxPasses is more than any prompt needs that was not built to need more.
const maxPasses = 12

// settle repeats the pass until it changes nothing, since taking one thing
// away can join two halves of another. ok is false for what will not settle.
func (o Options) settle(s string) (line string, ok bool) {
	for range maxPasses {
		next := o.pass(s)
		if next == s {
			return s, true
		}
		s = next
	}
	return "", false
}

func (o Options) pass(s string) string {
	return clip(tidy(plainSyntax(plainText(visible(s)))), o.Max)
}

// visible drops what has no shape: control characters, bidirectional overrides,
// zero-width spaces, private and unassigned code points. The two joiners stay,
// as words of some scripts are misspelt without them.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\v' || r == '\f' || r == '\u0085':
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r) || r == '\u200c' || r == '\u200d':
			return r
		default:
			return -1
		}
	}, strings.ToValidUTF8(s, ""))
}

// words keeps letters, digits and what joins them within a word.
func words(s string) string {
	list := strings.FieldsFunc(visible(s), func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.N) && r != '\'' && r != '’' && r != '-'
	})
	kept := list[:0]
	for _, w := range list {
		if w = strings.Trim(w, "'’-"); w != "" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

func hasLetter(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }

// clip cuts at the last word that ends within limit characters. Text without
// spaces, as in Chinese, is cut where the limit is, but not within a character
// that has marks.
func clip(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	end := limit
	for end > limit/2 && !unicode.IsSpace(runes[end]) {
		end--
	}
	if end == limit/2 {
		for end = limit; end > 1 && (unicode.Is(unicode.M, runes[end]) || runes[end] == '\u200d'); {
			end--
		}
	}
	return strings.TrimRight(string(runes[:end]), " ,;:-–—")
}
