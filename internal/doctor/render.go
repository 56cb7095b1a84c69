package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Style is how a report is shown to a person.
type Style struct {
	Width  int // columns; 0: 100
	Colour bool
}

// The narrowest page on which two columns of text still read as such.
const (
	defaultWidth = 100
	tableFrom    = 72
)

var marks = map[Status]struct{ mark, colour string }{
	OK:      {"✓", "32"},
	Warning: {"!", "33"},
	Broken:  {"✗", "31"},
	Skipped: {"-", "2"},
}

// page lays a report out. Its columns are a mark, the check, what was tried and
// what happened; what to type next stands below.
type page struct {
	strings.Builder
	Style
	name, tried, said int // widths
}

// Text writes the report for a person.
func (r Report) Text(w io.Writer, style Style) error {
	p := &page{Style: style}
	if p.Width == 0 {
		p.Width = defaultWidth
	}
	p.measure(r)
	for i, s := range r.Sections {
		if i > 0 {
			p.WriteByte('\n')
		}
		p.WriteString(s.Section + "\n")
		for _, f := range s.Checks {
			p.finding(f)
		}
	}
	p.WriteString("\n" + r.summary() + "\n")
	_, err := io.WriteString(w, p.String())
	return err
}

func (r Report) summary() string {
	broken, warnings, skipped := r.with(Broken), len(r.with(Warning)), len(r.with(Skipped))
	var say []string
	switch {
	case len(broken) > 0:
		say = append(say, "Broken: "+strings.Join(broken, ", ")+".")
	case warnings > 0:
		say = append(say, "It works.")
	default:
		say = append(say, "Everything that was tried works.")
	}
	if warnings > 0 {
		say = append(say, count(warnings, "warning")+".")
	}
	if skipped > 0 {
		say = append(say, count(skipped, "check")+" had nothing to try.")
	}
	return strings.Join(say, " ")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

func (p *page) measure(r Report) {
	longest := 0
	for _, s := range r.Sections {
		for _, f := range s.Checks {
			p.name = max(p.name, utf8.RuneCountInString(f.Name))
			longest = max(longest, utf8.RuneCountInString(f.Tried))
		}
	}
	rest := p.Width - p.indent()
	p.tried = min(longest, rest*2/5)
	p.said = rest - p.tried - 2
}

// indent is where the text of a line begins, behind the mark and the name.
func (p *page) indent() int { return 2 + 2 + p.name + 2 }

func (p *page) finding(f Finding) {
	m := marks[f.Status]
	lead := "  " + p.paint(m.colour, m.mark) + " " + pad(f.Name, p.name) + "  "
	if p.Width < tableFrom {
		p.stacked(lead, f)
		return
	}
	tried, said := wrap(f.Tried, p.tried, true), wrap(f.Said, p.said, false)
	for i := range max(len(tried), len(said)) {
		line := pad(at(tried, i), p.tried) + "  " + at(said, i)
		p.WriteString(lead + strings.TrimRight(line, " ") + "\n")
		lead = strings.Repeat(" ", p.indent())
	}
	p.next(f.Next, p.indent())
}

// stacked is for a narrow page: one text below the other.
func (p *page) stacked(lead string, f Finding) {
	p.WriteString(strings.TrimRight(lead, " ") + "\n")
	for _, text := range []string{f.Tried, f.Said} {
		for _, line := range wrap(text, p.Width-4, false) {
			p.WriteString("    " + line + "\n")
		}
	}
	p.next(f.Next, 4)
}

func (p *page) next(text string, indent int) {
	if text == "" {
		return
	}
	lead := strings.Repeat(" ", indent) + p.paint("1", "→") + " "
	for _, line := range wrap(text, p.Width-indent-2, false) {
		p.WriteString(lead + line + "\n")
		lead = strings.Repeat(" ", indent+2)
	}
}

func (p *page) paint(colour, s string) string {
	if !p.Colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// wrap breaks a text between words. A word that is longer than a line, which is
// mostly a URL, stays whole so that it can be copied, unless hard says that
// something stands beside it.
func wrap(text string, width int, hard bool) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width,
			!hard && utf8.RuneCountInString(word) > width: // it sticks out anyway; a command stays in one piece
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
		for hard && utf8.RuneCountInString(line) > width {
			runes := []rune(line)
			lines = append(lines, string(runes[:width]))
			line = string(runes[width:])
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// The machine's form. Names and meanings stay; members may be added.
type reportJSON struct {
	Status   Status        `json:"status"`
	ExitCode int           `json:"exit_code"`
	Sections []sectionJSON `json:"sections"`
}

type sectionJSON struct {
	Name   string      `json:"name"`
	Checks []checkJSON `json:"checks"`
}

type checkJSON struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	Tried    string `json:"tried"`
	Happened string `json:"happened"`
	Next     string `json:"next,omitempty"`
	Millis   int64  `json:"ms"`
}

// JSON writes the report for a machine.
func (r Report) JSON(w io.Writer) error {
	code := r.ExitCode()
	out := reportJSON{Status: []Status{OK, Warning, Broken}[code], ExitCode: code}
	for _, s := range r.Sections {
		section := sectionJSON{Name: s.Section, Checks: slices.Grow([]checkJSON{}, len(s.Checks))}
		for _, f := range s.Checks {
			section.Checks = append(section.Checks, checkJSON{
				Name: f.Name, Status: f.Status, Tried: f.Tried, Happened: f.Said, Next: f.Next, Millis: f.Took.Milliseconds(),
			})
		}
		out.Sections = append(out.Sections, section)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
