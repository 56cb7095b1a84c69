package imagegentest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the record of what each backend passes")

// Updating reports whether records are to be rewritten.
func Updating() bool { return *update }

// recordDir is where the records are, from a backend's folder. The table in
// docs/generators.md is made of them.
const recordDir = "../testdata/conformance"

// record is what one backend passed, in the order of the suite.
type record struct {
	mu     sync.Mutex
	order  []string
	passed map[string]bool
}

func newRecord(tests []suiteTest) *record {
	r := &record{passed: make(map[string]bool)}
	for _, test := range tests {
		r.order = append(r.order, test.name)
	}
	return r
}

func (r *record) note(name string, passed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passed[name] = passed
}

// check compares the record with the one that is kept. A run of some of the
// tests proves nothing and is not compared. It never ends the test: it runs in a
// cleanup, where that would also swallow the message.
func (r *record) check(t *testing.T, column string) {
	t.Helper()
	if t.Failed() || column == "" || len(r.passed) < len(r.order) {
		return
	}
	lines := make([]string, 0, len(r.order)+1)
	for _, name := range r.order {
		if r.passed[name] {
			lines = append(lines, name)
		}
	}
	got := strings.Join(lines, "\n") + "\n"
	path := filepath.Join(recordDir, strings.ReplaceAll(column, "/", "-")+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Error(err)
		}
		return
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%v; run make generate", err)
		return
	}
	if diff := cmp.Diff(string(kept), got); diff != "" {
		t.Errorf("%s is stale, run make generate (-file +tests):\n%s", path, diff)
	}
}
