package app_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// madeFromTables are the places that serve what a table says, from which the
// described routes are made, too: none of them can be missing.
var madeFromTables = []string{
	"app/api.go r.mount(path)", // v1, which lists its own
	"app/routes.go r.mux.Handle(pattern)",
	"desk/routes.go mux.Handle(rt.pattern)",
	"siteapi/routes.go mux.Handle(rt.pattern)",
	"v1/routes.go mux.HandleFunc(path)", // refuses other methods
	"v1/docs.go mux.HandleFunc(\"GET \" + path)",
}

// refuses are patterns under which there is nothing but a refusal, and the way
// to the site's present backend, of which docs/api.md tells in its text.
var refuses = []string{"/", "/api/", "/desk/"}

// A mux does not tell what it serves. So the code is read: whatever is given to
// one stands in the table, or comes from where the table does.
func TestEveryServedRouteIsInTheTable(t *testing.T) {
	t.Parallel()
	patterns, tables := servedPatterns(t)
	described := make(map[string]bool)
	for _, r := range newSite(t).Routes() {
		described[r.Method+" "+bare(r.Path)] = true
	}
	for pattern, where := range patterns {
		if !slices.Contains(refuses, pattern) && !isDescribed(described, pattern) {
			t.Errorf("%s serves %q, of which no route in docs/api.md tells: add it where the package lists its Routes", where, pattern)
		}
	}
	if diff := slices.Compare(tables, slices.Sorted(slices.Values(madeFromTables))); diff != 0 {
		t.Errorf("patterns that are no constants:\n%s\nwant\n%s", strings.Join(tables, "\n"), strings.Join(madeFromTables, "\n"))
	}
	// That the code is read at all.
	for _, known := range []string{"GET /healthz", "POST /ops/retry", "GET /desk/login", "GET /images/", "GET /docs"} {
		if patterns[known] == "" {
			t.Errorf("%s is not among what was found: %v", known, slices.Sorted(maps.Keys(patterns)))
		}
	}
}

// isDescribed reports whether routes tell of a pattern: itself, or, of a whole
// subtree, anything in it.
func isDescribed(described map[string]bool, pattern string) bool {
	method, path, hasMethod := strings.Cut(pattern, " ")
	if !hasMethod {
		method, path = "", pattern
	}
	for name := range described {
		m, p, _ := strings.Cut(name, " ")
		if hasMethod && m != method {
			continue
		}
		if p == bare(path) || strings.HasSuffix(path, "/") && strings.HasPrefix(p, path) {
			return true
		}
	}
	return false
}

// bare is a path without what a mux needs only to tell it from others.
func bare(path string) string {
	if path == "/{$}" {
		return "/"
	}
	return strings.TrimSuffix(path, "/{$}")
}

// servedPatterns finds what the program's packages give to a mux: the patterns,
// with where, and the calls whose pattern is no constant.
func servedPatterns(t *testing.T) (patterns map[string]string, tables []string) {
	t.Helper()
	patterns = make(map[string]string)
	files, constants := make(map[string]*ast.File), make(map[string]string)
	for _, pkg := range []string{"app", "auth", "cdn", "desk", "edge", "ops", "siteapi", "v1"} {
		names, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: no files, %v", pkg, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files[pkg+"/"+filepath.Base(name)] = f
			constantsOf(pkg, f, constants)
		}
	}
	for where, f := range files {
		pkg, _, _ := strings.Cut(where, "/")
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			prefix := ""
			switch name := text(call.Fun); {
			case name == "serve": // v1's own
				prefix = "GET "
			case strings.HasSuffix(name, "mux.Handle"), strings.HasSuffix(name, "mux.HandleFunc"), name == "all.Handle", name == "r.mount":
			default:
				return true
			}
			pattern, ok := constant(pkg, call.Args[0], constants)
			if !ok {
				tables = append(tables, fmt.Sprintf("%s %s(%s)", where, text(call.Fun), text(call.Args[0])))
				return true
			}
			patterns[prefix+pattern] = where
			return true
		})
	}
	slices.Sort(tables)
	return patterns, slices.Compact(tables)
}

// constantsOf adds a file's text constants, as "package.Name".
func constantsOf(pkg string, f *ast.File, into map[string]string) {
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != len(spec.Values) {
			return true
		}
		for i, name := range spec.Names {
			if value, ok := constant(pkg, spec.Values[i], into); ok {
				into[pkg+"."+name.Name] = value
			}
		}
		return true
	})
}

// constant is what an expression of texts comes to.
func constant(pkg string, e ast.Expr, known map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		left, ok := constant(pkg, e.X, known)
		right, alsoOK := constant(pkg, e.Y, known)
		return left + right, ok && alsoOK
	case *ast.Ident:
		s, ok := known[pkg+"."+e.Name]
		return s, ok
	case *ast.SelectorExpr:
		s, ok := known[text(e)]
		return s, ok
	}
	return "", false
}

// text is an expression as it is written, as far as patterns need it.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.BasicLit:
		return e.Value
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	case *ast.BinaryExpr:
		return text(e.X) + " " + e.Op.String() + " " + text(e.Y)
	}
	return fmt.Sprintf("%T", e)
}
