package imagegen_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/imagegen/imagegentest"
)

const (
	page  = "../../docs/generators.md"
	begin = "<!-- conformance: written by the tests, run \"make generate\" -->\n"
	end   = "<!-- end of conformance -->\n"
)

// columns in the order of the page; a record that is missing here is an error.
var columns = []string{
	"sdcpp", "sdwebui", "comfyui", "comfyui without jobs", "sdxl",
	"openai gpt-image", "openai dall-e", "openai sd.cpp", "openai LocalAI", "pexels",
}

// conformance is the table of who passes what, from the records that the
// backends' own tests keep.
func conformance(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance/*.txt")
	if err != nil || len(files) != len(columns) {
		t.Fatalf("%d records for %d columns, %v", len(files), len(columns), err)
	}
	passed := make(map[string][]string)
	for _, column := range columns {
		b, err := os.ReadFile("testdata/conformance/" + column + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		passed[column] = strings.Split(string(b), "\n")
	}
	var table strings.Builder
	table.WriteString("| | " + strings.Join(columns, " | ") + " |\n| --- |" + strings.Repeat(" --- |", len(columns)) + "\n")
	for _, name := range imagegentest.Tests() {
		table.WriteString("| " + name + " |")
		for _, column := range columns {
			mark := " · |"
			if slices.Contains(passed[column], name) {
				mark = " ✓ |"
			}
			table.WriteString(mark)
		}
		table.WriteString("\n")
	}
	return table.String()
}

// Run "make generate" twice after the suite has changed: the records are
// written by the backends' tests, the table from the records.
func TestThePageSaysWhoPassesWhat(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	kept, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has lost the marks around its table", page)
	}
	want := "\n" + conformance(t) + "\n· it has no jobs that can be resumed, so the row does not apply. What sdwebui stops and what it leaves alone is in its own tests.\n\n"
	if imagegentest.Updating() {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(kept, want); diff != "" {
		t.Errorf("%s is stale, run make generate (-file +records):\n%s", page, diff)
	}
}
