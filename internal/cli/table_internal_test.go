package cli

import (
	"strings"
	"testing"
)

// A table is whole where there is room. On a narrow terminal what does not fit
// stands below, under its name, and no line is longer than the terminal.
func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"JOB", "STATE", "AGE", "WHAT HAPPENED"},
		{"01a216aa-c24c-7d93", "uploading", "14m", "bucket unreachable at upload: no answer from 127.0.0.1:9, and it has been so for hours; next try in 3m"},
		{"01a216aa-c20b-754e", "stored", "2h", "-"},
	}
	for _, tt := range []struct {
		name  string
		width int
		want  string
	}{
		{"into a file", 0, `
JOB                 STATE      AGE  WHAT HAPPENED
01a216aa-c24c-7d93  uploading  14m  bucket unreachable at upload: no answer from 127.0.0.1:9, and it has been so for hours; next try in 3m
01a216aa-c20b-754e  stored      2h  -`},
		{"80 columns", 80, `
JOB                 STATE      AGE  WHAT HAPPENED
01a216aa-c24c-7d93  uploading  14m  bucket unreachable at upload: no answer fro…
01a216aa-c20b-754e  stored      2h  -`},
		{"60 columns", 60, `
JOB                 STATE      AGE
01a216aa-c24c-7d93  uploading  14m
    what happened  bucket unreachable at upload: no answer
    from 127.0.0.1:9, and it has been so for hours; next tr…
01a216aa-c20b-754e  stored      2h`},
		{"25 columns", 25, `
JOB
01a216aa-c24c-7d93
    state  uploading
    age  14m
    what happened  bucket
    unreachable at …
01a216aa-c20b-754e
    state  stored
    age  2h`},
	} {
		lines := grid{rows: rows, width: tt.width}.lines()
		if got := "\n" + strings.Join(lines, "\n"); got != tt.want {
			t.Errorf("%s:%s\nwant:%s", tt.name, got, tt.want)
		}
		for _, line := range lines {
			if n := len([]rune(line)); tt.width > 0 && n > tt.width {
				t.Errorf("%s: a line has %d columns: %s", tt.name, n, line)
			}
		}
	}
	titled := grid{rows: [][]string{{"  COLUMN", "IS"}, {"post a-long-slug-that-says-nothing-of-columns"}, {"  author_id", "7"}, {"  tags", "12"}}, width: 60}
	if got, want := strings.Join(titled.lines(), "\n"), "  COLUMN     IS\npost a-long-slug-that-says-nothing-of-columns\n  author_id   7\n  tags       12"; got != want {
		t.Errorf("with a title:\n%s\nwant:\n%s", got, want)
	}
	coloured := strings.Join(grid{rows: rows, colour: true}.lines(), "\n")
	if !strings.Contains(coloured, "\x1b[32mstored   \x1b[0m") || !strings.Contains(coloured, "\x1b[33muploading\x1b[0m") {
		t.Errorf("the states have no colours: %q", coloured)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line  string
		width int
		want  string
	}{
		{"short", 80, "short"},
		{"whatever the length, a log breaks no lines", 0, "whatever the length, a log breaks no lines"},
		{"one two three", 9, "one two|three"},
		{"one two three", 7, "one two|three"},
		{"  one two three", 9, "  one two|  three"},
		{"averyverylongword and more", 8, "averyverylongword|and more"},
		{"averyverylongword", 8, "averyverylongword"},
		{"ein schöner Tag für Äpfel", 12, "ein schöner|Tag für|Äpfel"},
	} {
		if got := strings.Join(wrap(tt.line, tt.width), "|"); got != tt.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", tt.line, tt.width, got, tt.want)
		}
	}
}
