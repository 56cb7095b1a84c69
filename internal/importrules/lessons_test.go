package importrules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testNamed   = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	testDefined = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
	lesson      = regexp.MustCompile(`(?m)^\| (\d+) \|`)
)

// A page that names a test that was renamed promises what nobody keeps.
func TestTheLessonsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "lessons.md"))
	if err != nil {
		t.Fatal(err)
	}
	defined := make(map[string]bool)
	for _, p := range tree(t) {
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testDefined.FindAllStringSubmatch(string(src), -1) {
				defined[m[1]] = true
			}
		}
	}
	const lessons = 19
	if n := len(lesson.FindAllString(string(page), -1)); n != lessons {
		t.Errorf("docs/lessons.md has %d lessons, want %d", n, lessons)
	}
	for line := range strings.Lines(string(page)) {
		names := testNamed.FindAllStringSubmatch(line, -1)
		if lesson.MatchString(line) && len(names) == 0 {
			t.Errorf("this lesson names no test: %s", line)
		}
		for _, m := range names {
			if !defined[m[1]] {
				t.Errorf("docs/lessons.md names %s, and there is no such test", m[1])
			}
		}
	}
}
