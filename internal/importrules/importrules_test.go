package importrules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The limits of a file, in lines. The house aims at 400 and 80; the slack is
// for a table that would be worse in two parts.
const (
	maxFileLines = 450
	maxMainLines = 80
)

func tree(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Doc,Dir,Imports,TestImports,XTestImports,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles", module+"/...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		for i, dep := range p.Imports {
			p.Imports[i] = strings.TrimPrefix(dep, module+"/")
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list found %d packages", len(pkgs))
	}
	return pkgs
}

func TestTheTreeKeepsItsShape(t *testing.T) {
	t.Parallel()
	for _, v := range violations(tree(t)) {
		t.Error(v)
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestFilesFitAHead(t *testing.T) {
	t.Parallel()
	for _, p := range tree(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles) {
			b, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Error(err)
				continue
			}
			limit := maxFileLines
			if p.Name == "main" && name == "main.go" {
				limit = maxMainLines
			}
			if n := bytes.Count(b, []byte("\n")); n > limit && !generated.Match(b) {
				t.Errorf("%s/%s has %d lines, the limit is %d: something in it has a name of its own", p.ImportPath, name, n, limit)
			}
		}
	}
}

// listed finds the modules at the beginnings of the page's lines.
var listed = regexp.MustCompile("(?m)^- `([^`]+)`")

// A dependency is added with its sentence, also one that only tests use.
func TestEachDependencyIsArgued(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "decisions", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var argued []string
	for _, m := range listed.FindAllStringSubmatch(string(b), -1) {
		argued = append(argued, m[1])
	}
	for _, p := range tree(t) {
		for _, dep := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			host, _, _ := strings.Cut(dep, "/")
			if !strings.Contains(host, ".") || dep == module || strings.HasPrefix(dep, module+"/") {
				continue // the standard library, or ours
			}
			if !slices.ContainsFunc(argued, func(m string) bool { return below(m, dep) }) {
				t.Errorf("%s imports %s, which has no sentence in docs/decisions/dependencies.md", p.ImportPath, dep)
			}
		}
	}
}

// Each rule is seen red once, so that none can rot into one that never fires.
func TestEachRuleFires(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, dep string
		allowed   bool
	}{
		{"internal/picture", "internal/editorial", true},
		{"internal/picture", "image/png", true},
		{"internal/app", "internal/blob/s3", true},
		{"internal/app", "internal/imagegen/card", true},
		{"internal/imagegen/card", "internal/imagegen", true},
		{"internal/store/storetest", "testing", true},
		{"internal/store/storetest", "internal/testenv", true},
		{"internal/queue", "github.com/hibiken/asynq", true},
		{"internal/blob/s3", "github.com/aws/aws-sdk-go-v2/service/s3", true},
		{"internal/blob/blobtest", "github.com/google/go-cmp/cmp", true},
		{"cmd/api", "internal/app", true},

		{"internal/editorial", "internal/store", false},
		{"internal/picture", "internal/spool", false},
		{"internal/worker", "internal/blob/s3", false},
		{"internal/worker", "internal/imagegen/card", false},
		{"internal/imagegen/card", "internal/imagegen/pexels", false},
		{"internal/siteapi", "internal/picture", false},
		{"internal/v1", "internal/siteapi", false},
		{"cmd/api", "internal/store", false},
		{"tasks", "internal/dispatch", false},
		{"internal/app", "internal/testenv", false},
		{"internal/store", "internal/store/storetest", false},
		{"internal/store", "testing", false},
		{"internal/auth", "log", false},
		{"internal/siteapi", "github.com/hibiken/asynq", false},
		{"internal/app", "github.com/hibiken/asynq", false},
		{"internal/dispatch", "github.com/jmoiron/sqlx", false},
		{"internal/app", "github.com/aws/aws-sdk-go-v2/config", false},
		{"internal/worker", "github.com/jackc/pgx/v5/pgconn", false},
		{"internal/auth", "github.com/pkg/errors", false},
		{"internal/auth", "github.com/google/go-cmp/cmp", false},
	}
	for _, tt := range tests {
		if why := forbidden(tt.from, tt.dep); (why == "") != tt.allowed {
			t.Errorf("%s imports %s: allowed = %v (%s)", tt.from, tt.dep, why == "", why)
		}
	}
	bad := pkg{ImportPath: "internal/new", Name: "helpers", GoFiles: []string{"x.go"}, Imports: []string{"internal/store"}}
	if got := violations([]pkg{bad}); len(got) != 4 {
		t.Errorf("a package with a bad name, no comment, no entry and a bad import breaks %d rules:\n%s", len(got), fmt.Sprint(strings.Join(got, "\n")))
	}
}
