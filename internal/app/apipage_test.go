package app_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/auth"
)

var update = flag.Bool("update", false, "rewrite docs/api.md")

const apiPageHead = `# Routes

<!-- Generated from the code by "make generate"; a route's line stands where it is registered. -->

Who may call what. Each role includes the ones before it: author, editor, operator. A
site's user is an author, and more when listed in ` + "`EDITORS`" + ` or ` + "`OPERATORS`" + `; an API key has the
role that it was made with (` + "`frontispiece keys create`" + `); a browser has that of the key or token it
logged in with. On loopback without authentication everybody on this machine is an operator.
What the fields mean is at ` + "`/docs`" + ` and in [openapi.json](openapi.json).

## Limits

Every request to a route with a role counts against ` + "`RATE_LIMIT`" + ` of its caller; to a public one,
without credentials, against that of its address. The answer says what is left (` + "`RateLimit`" + `), a
refusal is 429 with ` + "`Retry-After`" + `. ` + "`RATE_LIMIT_FAILURES`" + ` wrong credentials a minute close an address to
further ones. Routes marked *jobs* answer 429, too, when their caller has ` + "`MAX_JOBS_PER_CALLER`" + ` unfinished
jobs, or all together ` + "`MAX_JOBS`" + `. Pictures, documentation, health and metrics are not counted.

Paths have at most 2 KiB, queries 4 KiB, all headers together 32 KiB, which must arrive
within 10 s. A body must arrive within 30 s, 10 s under ` + "`/v1`" + `; what is written must be taken within a
minute; event streams live as long as somebody reads them.

With ` + "`SITE_BACKEND_URL`" + ` every path that is not below passes through to the site's present backend,
which decides by itself.
`

// apiPage is docs/api.md.
func apiPage(routes []auth.Route) string {
	var page strings.Builder
	page.WriteString(apiPageHead)
	var sections []string
	for _, r := range routes {
		if !slices.Contains(sections, r.Section) {
			sections = append(sections, r.Section)
		}
	}
	for _, section := range sections {
		fmt.Fprintf(&page, "\n## %s\n\n| Method | Path | Role | Limits | |\n| --- | --- | --- | --- | --- |\n", section)
		for _, r := range sorted(routes) {
			if r.Section != section {
				continue
			}
			var limits []string
			if r.MaxBody > 0 {
				limits = append(limits, fmt.Sprintf("%d KiB", r.MaxBody>>10))
			}
			if r.Jobs {
				limits = append(limits, "jobs")
			}
			role := r.Role.String()
			if r.Role == auth.Nobody {
				role = "public"
			}
			fmt.Fprintf(&page, "| %s | `%s` | %s | %s | %s |\n", r.Method, r.Path, role, strings.Join(limits, ", "), r.Summary)
		}
	}
	return page.String()
}

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

func sorted(routes []auth.Route) []auth.Route {
	return slices.SortedStableFunc(slices.Values(routes), func(a, b auth.Route) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), slices.Index(methods, a.Method)-slices.Index(methods, b.Method))
	})
}

func TestTheRouteTableIsCurrent(t *testing.T) {
	t.Parallel()
	got := apiPage(newSite(t).Routes())
	file := filepath.Join("..", "..", "docs", "api.md")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/api.md is not current, run make generate (-file +code):\n%s", diff)
	}
}

func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	for _, r := range newSite(t).Routes() {
		if !slices.Contains(methods, r.Method) || !strings.HasPrefix(r.Path, "/") || r.Section == "" || len(r.Summary) < 8 || strings.HasSuffix(r.Summary, ".") {
			t.Errorf("%+v", r)
		}
		if r.Jobs && r.MaxBody == 0 && !strings.HasSuffix(r.Path, "again") {
			t.Errorf("%s %s makes jobs of nothing", r.Method, r.Path)
		}
	}
}
