package importrules

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const module = "github.com/glad-labs/frontispiece"

// pkg is what go list says of a package, with our own paths shortened to what
// follows the module's.
type pkg struct {
	ImportPath, Name, Doc, Dir string
	Imports                    []string // of the package itself
	TestImports, XTestImports  []string
	GoFiles, CgoFiles          []string
	TestGoFiles, XTestGoFiles  []string
}

// ours says which of our packages each one may import. Every package may import
// editorial, which is not repeated. A pattern ending in /* stands for the
// packages below; a longer match goes before a shorter one.
var ours = map[string][]string{
	"tasks":      {},
	"migrations": {},
	// A test of what is not Go.
	"clients/typescript": {},

	"internal/editorial": {},
	"internal/config":    {},
	"internal/auth":      {},
	"internal/edge":      {},
	"internal/picture":   {},
	"internal/spool":     {},
	"internal/cdn":       {},
	"internal/webhook":   {},
	"internal/telemetry": {},
	// It is auth's Pace, and counts the addresses that edge finds.
	"internal/ratelimit": {"internal/auth", "internal/edge"},

	"internal/blob":       {},
	"internal/blob/*":     {"internal/blob"},
	"internal/imagegen":   {},
	"internal/imagegen/*": {"internal/imagegen", "internal/imagegen/prompt", "internal/imagegen/wire"},

	"internal/store":           {"migrations"},
	"internal/store/storetest": {"internal/store", "internal/testenv"},
	"internal/dispatch":        {"internal/store", "internal/telemetry", "tasks"},
	// They carry dispatch's own types: a bell, a note.
	"internal/queue":  {"internal/dispatch", "internal/telemetry", "tasks"},
	"internal/events": {"internal/dispatch"},
	"internal/worker": {
		"internal/blob", "internal/cdn", "internal/dispatch", "internal/imagegen", "internal/imagegen/prompt", "internal/picture",
		"internal/queue", "internal/spool", "internal/store", "internal/telemetry", "internal/webhook", "tasks",
	},
	// They know store's filters and errors, and its rows through interfaces of
	// their own.
	"internal/siteapi": {
		"internal/auth", "internal/blob", "internal/dispatch", "internal/events", "internal/imagegen", "internal/store",
	},
	// Its event streams go on after their handlers, which is edge's.
	"internal/v1":   {"internal/auth", "internal/dispatch", "internal/edge", "internal/events", "internal/imagegen", "internal/store"},
	"internal/desk": {"internal/auth", "internal/dispatch", "internal/events", "internal/store"},
	// The operators' room shows what queue and store have counted, and carries
	// asynq's dashboard and the collector of the same facts.
	"internal/ops":    {"internal/auth", "internal/dispatch", "internal/queue", "internal/store", "tasks"},
	"internal/repair": {"internal/blob", "internal/cdn", "internal/dispatch", "internal/store"},
	"internal/doctor": {
		"internal/blob", "internal/cdn", "internal/config", "internal/imagegen", "internal/queue",
		"internal/spool", "internal/store", "tasks",
	},

	// The one place that knows every implementation, and what drives it.
	"internal/app": {"internal/*", "tasks", "migrations"},
	"internal/cli": {
		"internal/app", "internal/auth", "internal/config", "internal/dispatch", "internal/doctor",
		"internal/repair", "internal/store",
	},
	"cmd/*":          {"internal/app", "internal/cli", "internal/config", "internal/telemetry"},
	"internal/e2e":   {"internal/*", "tasks"},
	"internal/bench": {"internal/*", "tasks"},

	"internal/importrules": {},
	"internal/composetest": {},
	"internal/deploytest":  {},
	"internal/release":     {},
	"internal/app/apptest": {"internal/app", "internal/config", "internal/testenv"},
	"internal/testenv":     {"internal/testenv/*"},
	"internal/testenv/*":   {"internal/testenv/*"},
	"internal":             {}, // the guided tour
}

// implementations may be imported by app and by tests only: everybody else
// takes the interface.
var implementations = []string{"internal/blob/*", "internal/imagegen/*"}

// sharedByBackends lie beside the implementations and are none.
var sharedByBackends = []string{"internal/imagegen/prompt", "internal/imagegen/wire"}

// libraries that must stay exchangeable: who alone may import them. Tests may
// import what they like.
var libraries = map[string][]string{
	"github.com/hibiken/asynq":        {"internal/queue", "internal/worker", "internal/dispatch", "internal/ops", "tasks"},
	"github.com/jmoiron/sqlx":         {"internal/store", "internal/store/*"},
	"github.com/jackc/pgx":            {"internal/store", "internal/store/*", "internal/testenv", "internal/testenv/*"},
	"modernc.org/sqlite":              {"internal/store", "internal/store/*"},
	"github.com/aws/aws-sdk-go-v2":    {"internal/blob/s3", "internal/cdn"},
	"github.com/aws/smithy-go":        {"internal/blob/s3", "internal/cdn"},
	"github.com/caarlos0/env":         {"internal/config"},
	"github.com/golang-jwt/jwt":       {"internal/auth"},
	"github.com/alicebob/miniredis":   {"internal/queue"},
	"github.com/danielgtaylor/huma":   {"internal/v1"},
	"github.com/chai2010/webp":        {"internal/picture"},
	"github.com/coder/websocket":      {"internal/imagegen/comfyui"},
	"github.com/pkg/errors":           {}, // errors and fmt do it
	"github.com/google/go-cmp":        {"internal/*test"},
	"github.com/prometheus":           {"internal/telemetry", "internal/ops"},
	"go.opentelemetry.io":             {"internal/telemetry"},
	"github.com/hibiken/asynqmon":     {"internal/ops"},
	"github.com/stretchr/testify":     {}, // go-cmp does it
	"github.com/DATA-DOG/go-sqlmock":  {}, // the real databases do it
	"github.com/johannesboyne/gofake": {}, // drops Cache-Control; versitygw does it
}

// noNames are the names under which packages grow without limit.
var noNames = []string{"util", "utils", "common", "helper", "helpers", "model", "models", "misc", "shared", "base", "types"}

// violations lists every broken rule of a tree, one line each.
func violations(pkgs []pkg) []string {
	var out []string
	for _, p := range pkgs {
		if slices.Contains(noNames, p.Name) {
			out = append(out, p.ImportPath+": name the package for what it provides, not "+p.Name)
		}
		if p.Doc == "" && len(p.GoFiles)+len(p.CgoFiles) > 0 {
			out = append(out, p.ImportPath+": has no package comment")
		}
		for _, dep := range p.Imports {
			if why := forbidden(p.ImportPath, dep); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", p.ImportPath, dep, why))
			}
		}
		if _, known := allowed(p.ImportPath); !known {
			out = append(out, p.ImportPath+": not in the table of who may import whom; add it with what it needs")
		}
	}
	return out
}

// forbidden says why from may not import dep outside its tests, "" when it may.
func forbidden(from, dep string) string {
	forTests := isForTests(from)
	switch {
	case dep == "log":
		return "log with log/slog"
	case dep == "testing" && !forTests:
		return "testing belongs into tests and …test packages"
	case isForTests(dep) && !forTests:
		return "only tests may import it"
	case !strings.HasPrefix(dep, "internal/") && dep != "internal" && dep != "tasks" && dep != "migrations":
		return forbiddenLibrary(from, dep)
	case dep == "internal/editorial" || forTests:
		return ""
	}
	if matchesAny(implementations, dep) && !slices.Contains(sharedByBackends, dep) && from != "internal/app" && from != "internal/e2e" {
		return "an implementation; only app and tests may know it"
	}
	if may, _ := allowed(from); !matchesAny(may, dep) {
		return "not in the table of who may import whom"
	}
	return ""
}

func forbiddenLibrary(from, dep string) string {
	for library, who := range libraries {
		if below(library, dep) && !matchesAny(who, from) {
			if len(who) == 0 {
				return "not wanted here; the comment in the table of libraries says what does it"
			}
			return "only " + strings.Join(who, ", ") + " may import it"
		}
	}
	return ""
}

// isForTests is true for packages that never end in a shipped program.
func isForTests(p string) bool {
	return strings.HasPrefix(p, "internal/") &&
		(strings.HasSuffix(p, "test") || p == "internal/testenv" || strings.HasPrefix(p, "internal/testenv/") || p == "internal/e2e")
}

// allowed is the most specific entry of the table for a package.
func allowed(p string) (may []string, known bool) {
	if may, ok := ours[p]; ok {
		return may, true
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if may, ok := ours[dir+"/*"]; ok {
			return may, true
		}
	}
	return nil, false
}

func matchesAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if dir, ok := strings.CutSuffix(pattern, "/*"); ok {
			return strings.HasPrefix(p, dir+"/")
		}
		if dir, ok := strings.CutSuffix(pattern, "/*test"); ok {
			return strings.HasPrefix(p, dir+"/") && strings.HasSuffix(p, "test")
		}
		return p == pattern
	})
}

// below reports whether dep is the library or a package of it, whatever major
// version its path ends in.
func below(library, dep string) bool {
	return dep == library || strings.HasPrefix(dep, library+"/")
}
