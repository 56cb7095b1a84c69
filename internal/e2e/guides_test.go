package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

// guides are the pages whose commands are run, from docs/. A page is two screens
// at most.
var guides = []string{
	"production", "quick-reference", "troubleshooting", "operations", "security", "costs", "nextjs", "react", "developing", "moving",
	"../deploy/terraform/README", "../deploy/railway/README", "../deploy/kubernetes/README", "../README",
}

const guideLines = 110

// needs are the marks behind ```sh of what is not run on a program alone.
var needs = []string{
	"needs=aws",      // an account
	"needs=cluster",  // a Kubernetes
	"needs=checkout", // minutes, and the tree
	"needs=values",   // the reader's own
	"needs=postgres", // run by TestCommandsWorkInProduction
}

// shown is what a reader is told at the top of a block that costs money to try.
var shown = map[string]string{"needs=aws": "# needs an AWS account\n", "needs=cluster": "# needs a cluster\n"}

func guide(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var fence = regexp.MustCompile("(?ms)^```sh([^\n]*)\n(.*?)^```$")

// block is some commands of a page.
type block struct{ mark, script string }

func blocks(t *testing.T, page string) (list []block) {
	t.Helper()
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		b := block{strings.TrimSpace(m[1]), m[2]}
		if b.mark != "" && !slices.Contains(needs, b.mark) {
			t.Errorf("the mark %q is none of %v", b.mark, needs)
		}
		// The mark behind the fence is not seen on the rendered page.
		if said := shown[b.mark]; !strings.HasPrefix(b.script, said) {
			t.Errorf("a block marked %s does not begin with %q:\n%s", b.mark, said, b.script)
		}
		list = append(list, b)
	}
	if strings.Count(page, "```sh") != len(list) {
		t.Error("a block of commands does not stand at the line's beginning, so nobody runs it")
	}
	return list
}

// shell types commands as a reader would, beside programs with these variables,
// and returns what was said.
func shell(t *testing.T, dir string, env []string, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(env), "PATH="+built+string(os.PathListSeparator)+os.Getenv("PATH"))
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\nsaid:\n%s", err, script, out)
	}
	t.Logf("%v\n%s", time.Since(began).Round(10*time.Millisecond), script)
	return string(out)
}

// Every command of a guide is run, in order and on a server of its own with the
// variables of its process, or is marked with what it needs.
func TestCommandsOfTheGuidesWork(t *testing.T) {
	t.Parallel()
	for _, name := range guides {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := guide(t, name)
			if n := strings.Count(page, "\n"); n > guideLines {
				t.Errorf("%d lines are more than two screens", n)
			}
			var script strings.Builder
			for _, b := range blocks(t, page) {
				if b.mark == "" {
					script.WriteString(b.script)
				}
			}
			if script.Len() == 0 || name == "moving" { // that one is TestCommandsOfTheMove's
				return
			}
			e, dir := startEmbedded(t, "RENDITIONS=64"), t.TempDir()
			if strings.HasPrefix(name, "../deploy/") { // these are typed at the top of a checkout
				if err := os.CopyFS(filepath.Join(dir, "deploy"), os.DirFS(filepath.Join(testenv.Root(t), "deploy"))); err != nil {
					t.Fatal(err)
				}
			}
			typed := strings.ReplaceAll(script.String(), "http://localhost:8000", e.base)
			shell(t, dir, append(slices.Clone(e.api.env), "API="+e.base), typed)
			if name == "../README" { // its curls say nothing of a refusal
				e.get("/api/posts/why-lighthouses-blink").want(http.StatusOK)
			}
		})
	}
}

// What the README asks for is what go.mod says.
func TestTheReadmeNamesOurGo(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile(filepath.Join(testenv.Root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)\ngo (1\.\d+)\.\d+\n.*\ntoolchain go(\S+)\n`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("go.mod names no Go, or no toolchain")
	}
	for _, want := range []string{string(m[1]) + " or newer", string(m[2]) + " that go.mod names"} {
		if !strings.Contains(strings.Join(strings.Fields(guide(t, "../README")), " "), want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}

var code = regexp.MustCompile("(?ms)^```[jt]sx?([^\n]*)\n(.*?)^```$")

// The code of a recipe is an example's file, which clients/typescript has
// type-checked: nothing of it stands on a page alone.
func TestRecipesAreTheExamples(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]int{"nextjs": 4, "react": 1} {
		list := code.FindAllStringSubmatch(guide(t, name), -1)
		if len(list) < least {
			t.Errorf("%s.md has %d examples, want %d or more", name, len(list), least)
		}
		for _, m := range list {
			file, ok := strings.CutPrefix(strings.TrimSpace(m[1]), "file=clients/typescript/examples/")
			if !ok {
				t.Errorf("%s.md has code that names no example (```tsx file=clients/typescript/examples/…):\n%s", name, m[2])
				continue
			}
			want, err := os.ReadFile(filepath.Join(testenv.Root(t), "clients", "typescript", "examples", filepath.FromSlash(file)))
			if err != nil {
				t.Error(err)
			} else if diff := cmp.Diff(string(want), m[2]); diff != "" {
				t.Errorf("%s.md is not %s (-file +page):\n%s", name, file, diff)
			}
		}
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	target   = regexp.MustCompile("(?m)(?:`|^)make ([a-z-]+)")
	testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
)

// What a guide points to is there: files, make's targets, tests.
func TestGuidesPointToWhatIsThere(t *testing.T) {
	t.Parallel()
	root := testenv.Root(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t, root)
	for _, name := range guides {
		page := guide(t, name)
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(filepath.Join(root, "docs", name)), m[1])); err != nil && !strings.HasPrefix(m[1], "http") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, m := range target.FindAllStringSubmatch(page, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: there is no make %s", name, m[1])
			}
		}
		for _, m := range testName.FindAllStringSubmatch(page, -1) {
			if !tests[m[1]] {
				t.Errorf("%s: there is no test %s", name, m[1])
			}
		}
	}
	if len(testName.FindAllString(guide(t, "security"), -1)) < 20 {
		t.Error("the threats of security.md name no tests")
	}
}

// testNames are the names of all tests of the tree.
func testNames(t *testing.T, root string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(names) < 200 {
		t.Fatalf("%d tests found (%v)", len(names), err)
	}
	return names
}

// The bill of costs.md, worked out again from its own inputs.
func TestCostsAddUp(t *testing.T) {
	t.Parallel()
	page := guide(t, "costs")
	price := func(line string) (p float64) {
		t.Helper()
		m := regexp.MustCompile(regexp.QuoteMeta(line) + ` \| \$([0-9.]+) \|`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("costs.md has no price of %q", line)
		}
		if _, err := fmt.Sscan(m[1], &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	const pictures, gigabytes, shown, copies, stored = 1000.0, 100.0, 1_000_000.0, 3.0, 3 * 1.12
	storage := stored * price("S3 Standard, a GB for a month")
	puts := pictures * (1 + copies) / 1000 * price("S3, 1,000 puts")
	delivery := gigabytes * price("CloudFront, a GB, the first 10 TB")
	requests := shown / 10_000 * price("CloudFront, 10,000 https requests")
	for line, dollars := range map[string]float64{
		"| storage |": storage, "| puts |": puts, "| delivery | 100": delivery, "| requests |": requests,
		"| **in all** |": storage + puts + delivery + requests, "| **with what is free** |": storage + puts,
		"| delivery | $8.50 |":        0.06 * delivery,
		"the same 1,000 pictures eve": 12 * storage,
	} {
		i := strings.Index(page, line)
		if i < 0 {
			t.Errorf("costs.md has no line %q", line)
			continue
		}
		rest, _, _ := strings.Cut(page[i:], "\n")
		if want := fmt.Sprintf("$%.2f", dollars); !strings.Contains(rest, want) {
			t.Errorf("%q: want %s in it", rest, want)
		}
	}
}
