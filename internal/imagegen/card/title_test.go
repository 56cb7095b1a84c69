package card

import (
	"bytes"
	"image"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

func TestClean(t *testing.T) {
	t.Parallel()
	has := New().face.has
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "A lighthouse at dawn", "A lighthouse at dawn"},
		{"spaces and lines", "  A\tlight\r\nhouse\u2003at \u00a0dawn ", "A light house at \u00a0dawn"},
		{"controls", "A\x00 li\x1bght\u007fhouse", "A lighthouse"},
		{"bidirectional marks", "\u202eA \u2067light\u2069house\u200f", "A lighthouse"},
		{"soft hyphen, byte order mark, zero width", "\ufefflight\u00adhou\u200bse", "lighthouse"},
		{"broken UTF-8", "light\xffhouse\ufffd", "lighthouse"},
		{"composed first", "Cafe\u0301 na\u0131\u0308ve A\u030angstro\u0308m", "Café naı̈ve Ångström"},
		{"apostrophe", "It's the writers' 'desk'", "It’s the writers’ 'desk’"},
		{"signs without a glyph respelt", "A\u2011B, 5 \u2212 3, Go → C", "A-B, 5 – 3, Go – C"},
		{"emoji at the end", "Shipping day 🚀🎉", "Shipping day"},
		{"emoji at the start", "🚀 Shipping day", "Shipping day"},
		{"emoji between", "Ship 🚀 it", "Ship it"},
		{"emoji instead of a space", "ship🚀it", "ship it"},
		{"emoji before punctuation", "Party 🎉! Now", "Party! Now"},
		{"French keeps its space", "Bonjour !", "Bonjour !"},
		{"emoji in brackets", "Launch (🚀) day", "Launch day"},
		{"emoji behind a separator", "Launch day — 🚀", "Launch day"},
		{"joined emoji", "Teams 👩‍💻👨‍👩‍👧‍👦 at work", "Teams at work"},
		{"skin tone", "Thanks 👍🏽 all", "Thanks all"},
		{"flag", "Made in 🇫🇷 France", "Made in France"},
		{"tagged flag", "Notes from 🏴󠁧󠁢󠁳󠁣󠁴󠁿 Scotland", "Notes from Scotland"},
		{"variation selector", "I ❤️ Go", "I Go"},
		{"keycap keeps its digit", "Top 5️⃣ tips", "Top 5 tips"},
		{"text signs stay", "Go™ © 2026 – 20 °C", "Go™ © 2026 – 20 °C"},
		{"emoji only", "🚀🎉", ""},
		{"Greek", "Φάρος στὴν αὐγή", "Φάρος στὴν αὐγή"},
		{"Cyrillic", "Маяк на рассвете, її ґанок", "Маяк на рассвете, її ґанок"},
		{"Vietnamese", "Những buổi sáng Hà Nội", "Những buổi sáng Hà Nội"},
		{"money", "€5, £4, ₽300, ₹20", "€5, £4, ₽300, ₹20"},
	} {
		got, ok := clean(tt.in, has)
		if !ok || got != tt.want {
			t.Errorf("%s: clean(%q) = %q, %v; want %q", tt.name, tt.in, got, ok, tt.want)
		}
		if again, ok := clean(got, has); !ok || again != got {
			t.Errorf("%s: cleaned twice it becomes %q", tt.name, again)
		}
	}
}

func TestUncoveredTitleIsNotSet(t *testing.T) {
	t.Parallel()
	g := New()
	req := imagegen.Request{Prompt: "p", Title: "🚀", Width: 256, Height: 256}
	_, bare := generate(t, g, req)
	for _, title := range []string{
		"黎明时分的灯塔", "灯台", "등대", "منارة عند الفجر", "מגדלור", "प्रकाशस्तंभ", "ประภาคาร", "შუქურა",
		"Tokyo (東京) in spring", "Half ☃ and half 雪", "a ≠ b",
	} {
		req.Title = title
		_, res := generate(t, g, req)
		if res.Params["lettered"] != false || res.AltText != "" {
			t.Errorf("%q: lettered %v, alt text %q; want a picture without text", title, res.Params["lettered"], res.AltText)
		}
		if !bytes.Equal(res.Bytes, bare.Bytes) {
			t.Errorf("%q leaves something on the picture", title)
		}
	}
}

func TestTitleFallsBackToThePrompt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ title, prompt, want string }{
		{"", "A lighthouse at dawn", "A lighthouse at dawn"},
		{" \n", "A lighthouse at dawn, cinematic, 8k", "A lighthouse at dawn"},
		{"", "Paris, 1925. Rain", "Paris, 1925"},
		{"", "Version 1.26 of Go. Nice", "Version 1.26 of Go"},
		{"Mine", "A lighthouse", "Mine"},
		{"🚀", "A lighthouse", ""},
		{"", "", ""},
	} {
		got := New().compose(imagegen.Request{Title: tt.title, Prompt: tt.prompt}).title
		if got != tt.want {
			t.Errorf("title %q, prompt %q: set %q, want %q", tt.title, tt.prompt, got, tt.want)
		}
	}
}

// frames are canvases of every shape that a client can ask for.
var frames = []image.Point{
	{1200, 630}, {256, 256}, {1024, 1024}, {2048, 2048}, {2048, 256}, {256, 2048}, {630, 1200}, {300, 257}, {1920, 1080},
}

// within reports whether every point of the title's outline, and its rule,
// lies in the frame that keeps it off the edges and the motif.
func within(c *composition) bool {
	f := c.family.lay.frame(c.w, c.h).title.grown(1)
	m := margin(c.w, c.h) - 1
	inside := rect{m, m, c.w - m, c.h - m}
	for _, r := range []rect{c.face.blockOutline(c.block, c.at.x, c.at.y).bounds, c.rule} {
		for _, box := range []rect{f, inside} {
			if r.x0 < box.x0 || r.y0 < box.y0 || r.x1 > box.x1 || r.y1 > box.y1 {
				return false
			}
		}
	}
	return true
}

func TestTitleStaysWithinItsFrame(t *testing.T) {
	t.Parallel()
	g := New()
	titles := append([]string{
		strings.Repeat("W", 300), strings.Repeat("i", 40), strings.Repeat("Wort ", 120), "J", "ƒ", "Ấ Ữ Ở g j y",
		"Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035aalgo e\u0301\u0323\u0301\u0301",
		"https://example.com/a/very/long/path/that/nobody/should/use/as/a/title?but=people&do=it",
		"a b c d e f g h i j k l m n o p q r s t u v w x y z", "-", "“Quoted,” she said",
	}, sheetTitles...)
	for i, title := range titles {
		for j, size := range frames {
			// Neighbouring seeds have different arrangements, so each title and
			// each size meets all three.
			c := g.compose(imagegen.Request{Title: title, Prompt: "p", Seed: int64(i + j), Width: size.X, Height: size.Y})
			if c.title == "" && title != "黎明时分的灯塔" {
				t.Errorf("%q at %v in %s is not set at all", title, size, c.family.name)
			}
			if c.title != "" && !within(c) {
				t.Errorf("%q at %v in %s leaves its frame", title, size, c.family.name)
			}
		}
	}
}

func TestLongTitleIsSetWhole(t *testing.T) {
	t.Parallel()
	g := New()
	want := 0
	for _, w := range g.face.shape(long200) {
		want += len(w.marks)
	}
	for _, size := range frames {
		for seed := range int64(len(families)) {
			c := g.compose(imagegen.Request{Title: long200, Prompt: "p", Seed: seed, Width: size.X, Height: size.Y})
			got := 0
			for _, line := range c.block.lines {
				for _, w := range line {
					got += len(w.marks)
				}
			}
			if got != want {
				t.Errorf("%v in %s: %d of %d glyphs set", size, c.family.name, got, want)
			}
			if c.block.size < 11 {
				t.Errorf("%v in %s: set at %.1f pixels, too small to read", size, c.family.name, c.block.size)
			}
		}
	}
}

func TestEndlessTitleEndsInAnEllipsis(t *testing.T) {
	t.Parallel()
	g := New()
	c := g.compose(imagegen.Request{Title: strings.Repeat("Endless words ", 60), Width: 256, Height: 256})
	last := c.block.lines[len(c.block.lines)-1]
	end := last[len(last)-1]
	dots := g.face.shape(string(ellipsis))[0]
	if end.marks[len(end.marks)-1].glyph != dots.marks[0].glyph {
		t.Error("the last glyph is no ellipsis")
	}
}

// letters is how many letters each line has, which is enough to see the breaks.
func letters(lines [][]word) []int {
	var out []int
	for _, line := range lines {
		n := 0
		for _, w := range line {
			n += len(w.marks)
		}
		out = append(out, n)
	}
	return out
}

func TestBreakLines(t *testing.T) {
	t.Parallel()
	face := New().face
	count := func(lines ...string) (out []int) {
		for _, l := range lines {
			out = append(out, len([]rune(strings.ReplaceAll(l, " ", ""))))
		}
		return out
	}
	for _, tt := range []struct {
		measure float64 // em
		lines   []string
	}{
		{20, []string{"A lighthouse at dawn"}},
		{7, []string{"A lighthouse", "at dawn"}},                       // no "at" left hanging
		{10, []string{"Why the slow web", "keeps winning"}},            // even, not greedy
		{11, []string{"Shipping day:", "what’s new in it"}},            // after the colon
		{9, []string{"State-of-the-art", "graphics"}},                  // compounds stay whole
		{6, []string{"State-of-", "the-art"}},                          // until they cannot
		{9, []string{"and/or lights", "either/neither"}},               // a slash too
		{8, []string{"One two three", "four five six", "seven eight"}}, // no widow
	} {
		words := face.shape(strings.Join(tt.lines, " "))
		if !strings.Contains(tt.lines[0], " ") && strings.HasSuffix(tt.lines[0], "-") {
			words = face.shape(strings.Join(tt.lines, ""))
		}
		n, ok := countLines(words, tt.measure)
		if !ok {
			t.Errorf("%q does not fit %v em", tt.lines, tt.measure)
			continue
		}
		lines := breakLines(words, tt.measure, n)
		if diff := cmp.Diff(count(tt.lines...), letters(lines)); diff != "" {
			t.Errorf("%q at %v em, letters a line (-want +got):\n%s", tt.lines, tt.measure, diff)
		}
		for _, line := range lines {
			if span(line) > tt.measure {
				t.Errorf("%q: a line of %.2f em in %v em", tt.lines, span(line), tt.measure)
			}
		}
	}
	if breakLines(face.shape("three words here"), 3, 1) != nil {
		t.Error("three words were set in one line of 3 em")
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	face := New().face
	hyphen := face.shape("-")[0]
	for _, tt := range []struct {
		in      string
		hyphens bool
	}{
		{"Donaudampfschifffahrtselektrizitätenhauptbetriebswerk", true},
		{"0123456789abcdef0123456789abcdef", false},
		{strings.Repeat("W", 50), true},
	} {
		whole := face.shape(tt.in)
		pieces := split(whole, 5, hyphen)
		if len(pieces) < 3 {
			t.Fatalf("%q came in %d pieces", tt.in, len(pieces))
		}
		for i, p := range pieces {
			if w := span([]word{p}); w > 5 {
				t.Errorf("%q: piece %d is %.2f em wide, want at most 5", tt.in, i, w)
			}
			hyphened := p.marks[len(p.marks)-1].glyph == hyphen.marks[0].glyph
			if want := tt.hyphens && i < len(pieces)-1; hyphened != want {
				t.Errorf("%q: piece %d ends with a hyphen: %v, want %v", tt.in, i, hyphened, want)
			}
		}
	}
	if got := split(face.shape("W"), 0.01, hyphen); len(got) != 1 {
		t.Errorf("one letter came in %d pieces", len(got))
	}
}

func TestAccentsStackClearOfTheirLetter(t *testing.T) {
	t.Parallel()
	face := New().face
	for _, s := range []string{"x\u0301", "X\u0302", "E\u0329", "q\u0323\u0301"} {
		w := face.shape(s)[0]
		letter := w.marks[0].ink
		for i, m := range w.marks[1:] {
			if m.ink.bottom > letter.top && m.ink.top < letter.bottom {
				t.Errorf("%q: accent %d runs through the letter", s, i)
			}
			if off := m.ink.centre() - letter.centre(); off > 1e-6 || off < -1e-6 {
				t.Errorf("%q: accent %d stands %.3f em off the middle", s, i, off)
			}
		}
	}
	if w := face.shape("e" + strings.Repeat("\u0301\u0323", 20))[0]; len(w.marks) > 2+2*stackLimit {
		t.Errorf("40 accents set %d glyphs; want the stack cut", len(w.marks))
	}
}
