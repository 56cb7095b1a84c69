package cli

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// table prints rows in columns, as wide as whatever they are written to.
func (s *session) table(head string, fill func(row func(cells ...any))) {
	rows := [][]string{strings.Split(head, "\t")}
	fill(func(cells ...any) {
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = fmt.Sprint(c)
		}
		rows = append(rows, row)
	})
	style := s.style()
	if style.Width > 0 {
		rows = withoutEmpty(rows)
	}
	for _, line := range (grid{rows: rows, width: style.Width, colour: style.Colour}).lines() {
		s.out.raw(line)
	}
}

// grid is a table whose first row is its head. A row of one cell is a title for
// those below it, and belongs to no column. What does not fit beside the
// first columns stands below them: an error that is cut off after nine letters
// helps nobody, and neither does a line that the terminal breaks anywhere.
type grid struct {
	rows   [][]string
	width  int // columns of the terminal; 0: no end
	colour bool
}

const (
	gap     = "  "
	indent  = "    "
	nothing = "-"
	// leastLast is how much of the last column must fit, to stand beside the
	// others.
	leastLast = 30
	// mostBelow is how many lines a cell may take that stands below.
	mostBelow = 2
)

func (g grid) lines() []string {
	widths := make([]int, len(g.rows[0]))
	for _, row := range g.rows {
		for i, cell := range row {
			if g.isTitle(row) {
				break
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	beside := g.beside(widths)
	numbers := g.numbers()
	var out []string
	for n, row := range g.rows {
		if g.isTitle(row) {
			out = append(out, wrap(row[0], g.width)...)
			continue
		}
		var line strings.Builder
		used := 0
		for i := range beside {
			if i > 0 {
				line.WriteString(gap)
				used += len(gap)
			}
			cell := row[i]
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case numbers[i]:
				cell = pad + cell
			case i < beside-1:
				cell += pad
			case g.width > 0:
				cell = cut(cell, g.width-used)
			}
			used += widths[i]
			line.WriteString(g.coloured(n, i, cell))
		}
		out = append(out, strings.TrimRight(line.String(), " "))
		if n > 0 {
			out = append(out, g.below(row, beside)...)
		}
	}
	return out
}

func (g grid) isTitle(row []string) bool { return len(row) == 1 && len(g.rows[0]) > 1 }

// withoutEmpty leaves out columns that say nothing in any row, for people on a
// terminal. The first stays.
func withoutEmpty(rows [][]string) [][]string {
	var keep []int
	for i := range rows[0] {
		said := i == 0
		for _, row := range rows[1:] {
			said = said || i < len(row) && row[i] != nothing && row[i] != ""
		}
		if said {
			keep = append(keep, i)
		}
	}
	out := make([][]string, len(rows))
	for n, row := range rows {
		for _, i := range keep {
			if i >= len(row) {
				break // a title
			}
			out[n] = append(out[n], row[i])
		}
	}
	return out
}

// beside is how many columns fit beside each other; at least the first does.
func (g grid) beside(widths []int) int {
	if g.width == 0 {
		return len(widths)
	}
	used := 0
	for i, w := range widths {
		if i == len(widths)-1 {
			w = min(w, leastLast)
		}
		if used += w; i > 0 && used > g.width {
			return i
		}
		used += len(gap)
	}
	return len(widths)
}

// below is what did not fit, each cell under its name.
func (g grid) below(row []string, beside int) (lines []string) {
	for i := beside; i < len(row); i++ {
		if row[i] == "" || row[i] == nothing {
			continue
		}
		text := wrap(indent+strings.ToLower(g.rows[0][i])+gap+row[i], g.width)
		if len(text) > mostBelow {
			text = text[:mostBelow]
			text[mostBelow-1] = cut(text[mostBelow-1]+" …", g.width)
		}
		lines = append(lines, text...)
	}
	return lines
}

var number = regexp.MustCompile(`^(\d[\d,.]*( ?[A-Za-z]{1,3})?|\d+/\d+|-)$`)

// numbers says which columns hold nothing but numbers: those stand to the right.
func (g grid) numbers() []bool {
	are := make([]bool, len(g.rows[0]))
	for i := range are {
		are[i] = len(g.rows) > 1
		some := false
		for _, row := range g.rows[1:] {
			if g.isTitle(row) {
				continue
			}
			are[i] = are[i] && number.MatchString(row[i])
			some = some || row[i] != nothing
		}
		are[i] = are[i] && some
	}
	return are
}

// The colours of states, as SGR codes.
var stateColours = map[string]string{
	"failed": "31", "stored": "32", "active": "32", "done": "32", "generating": "33", "uploading": "33",
	"canceled": "2", "superseded": "2", "revoked": "2", "expired": "2", "undone": "2",
}

func (g grid) coloured(row, column int, cell string) string {
	code := ""
	switch word, _, _ := strings.Cut(strings.TrimSpace(cell), " "); {
	case !g.colour:
	case row == 0:
		code = "2"
	case g.rows[0][column] == "STATE":
		code = stateColours[strings.TrimSuffix(word, ",")]
	}
	if code == "" {
		return cell
	}
	return "\x1b[" + code + "m" + cell + "\x1b[0m"
}

// wrap breaks a line between words, so that none of its lines is longer than
// width where words allow it; the others begin where the first does. 0: no end.
func wrap(line string, width int) []string {
	lead := line[:len(line)-len(strings.TrimLeft(line, " "))]
	if width == 0 || utf8.RuneCountInString(line) <= width {
		return []string{line}
	}
	var lines []string
	rest := line
	for utf8.RuneCountInString(rest) > width {
		runes := []rune(rest)
		at := strings.LastIndex(string(runes[:width+1]), " ")
		if at <= len(lead) { // a word that is too long: it goes on to its end
			at = strings.Index(rest[len(lead):], " ") + len(lead)
			if at < len(lead) {
				break
			}
		}
		lines = append(lines, strings.TrimRight(rest[:at], " "))
		rest = lead + strings.TrimLeft(rest[at:], " ")
	}
	return append(lines, rest)
}
