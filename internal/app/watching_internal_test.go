package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// embedded is the whole program without its port: a handler that works.
func embedded(t *testing.T, environ ...string) http.Handler {
	t.Helper()
	return embeddedWith(t, func(*App) {}, environ...)
}

// embeddedWith lets change change the program before it works.
func embeddedWith(t *testing.T, change func(*App), environ ...string) http.Handler {
	t.Helper()
	cfg, err := config.Load(append([]string{"DATA_DIR=" + t.TempDir()}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a, err := Open(ctx, API, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	change(a)
	done := make(chan error, 1)
	go func() { done <- a.RunWorker(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := a.handler(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

type header [2]string

func ask(t *testing.T, h http.Handler, method, path, body string, headers ...header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, pair := range headers {
		r.Header.Set(pair[0], pair[1])
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

var metricName = regexp.MustCompile(`frontispiece_[a-z_]+`)

// Whatever the Grafana dashboard and the alert rules name is in a real scrape
// of a process that has made one picture.
func TestEveryMetricOfDashboardAndAlertsIsThere(t *testing.T) {
	t.Parallel()
	h := embedded(t, "PEXELS_API_KEY=k", "GENERATORS=card:,pexels:,sdwebui+http://127.0.0.1:1?cost=0.04", "SPEND_CAP=12.5")
	answer := ask(t, h, http.MethodPost, "/v1/jobs", `{"prompt":"A lighthouse at dawn"}`, header{"Prefer", "wait=60"})
	if answer.Code != http.StatusCreated {
		t.Fatalf("the job answers %d: %s", answer.Code, answer.Body)
	}
	// The worker counts a moment after the row says that the picture is stored.
	scrape, deadline := ask(t, h, http.MethodGet, "/metrics", ""), time.Now().Add(20*time.Second)
	for !strings.Contains(scrape.Body.String(), `stage="stored"`) {
		if scrape.Code != http.StatusOK || time.Now().After(deadline) {
			t.Fatalf("/metrics answers %d, and never tells of a stored picture", scrape.Code)
		}
		<-time.After(50 * time.Millisecond)
		scrape = ask(t, h, http.MethodGet, "/metrics", "")
	}
	for _, line := range []string{
		`frontispiece_budget_used{budget="pictures this month"} 0`, `frontispiece_budget_limit{budget="pictures this month"} 12.5`,
		`frontispiece_budget_spent{budget="pictures this month"} 0`, `frontispiece_budget_limit{budget="pexels this month"} 20000`,
	} {
		if !strings.Contains(scrape.Body.String(), line+"\n") {
			t.Errorf("no scrape has %s", line)
		}
	}
	there := map[string]bool{}
	for _, name := range metricName.FindAllString(scrape.Body.String(), -1) {
		there[name] = true
	}
	for panel, list := range exprs(t) {
		for _, expr := range list {
			checkLabels(t, scrape.Body.String(), "the panel "+panel, expr)
		}
	}
	root := testenv.Root(t)
	for _, file := range []string{"deploy/grafana/frontispiece.json", "deploy/prometheus/alerts.yml"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		names := metricName.FindAllString(string(text), -1)
		if len(names) < 15 {
			t.Errorf("%s names %d metrics; is it the right file?", file, len(names))
		}
		for _, rule := range regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(string(text), -1) {
			checkLabels(t, scrape.Body.String(), file, rule[1])
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("%s names %s, which no scrape has", file, name)
			}
		}
	}
}

// The dashboard is JSON whose panels each have a place and a query.
func TestGrafanaDashboard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "deploy", "grafana", "frontispiece.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID    string
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	type spot struct{ x, y int }
	taken, ids := map[spot]string{}, map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && (len(p.Targets) == 0 || p.Targets[0].Expr == "") {
			t.Errorf("panel %d %q has its id twice, no title or no query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[spot{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies on %q, or outside", p.Title, other)
				}
				taken[spot{x, y}] = p.Title
			}
		}
	}
}

// exprs are the queries of every panel, with Grafana's variables filled in.
func exprs(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "deploy", "grafana", "frontispiece.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			found[p.Title] = append(found[p.Title], strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	return found
}

// Every panel's query is one that Prometheus reads.
func TestGrafanaQueriesParse(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		testenv.Missing(t, "promtool (Debian package prometheus)")
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, panel := range exprs(t) {
		for _, expr := range panel {
			rules = append(rules, rule{fmt.Sprintf("panel:query%d", len(rules)), expr})
		}
	}
	if len(rules) < 30 {
		t.Errorf("the dashboard has %d queries; is it the right file?", len(rules))
	}
	file, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": rules}}}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

var (
	selector = regexp.MustCompile(`(frontispiece_[a-z_]+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)(=~|!=|!~|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`by \(([a-z_, ]+)\) \((?:rate\()?(frontispiece_[a-z_]+)`)
)

// checkLabels finds labels that a query asks for, and no scrape has: it would
// show nothing, for ever, and complain of nothing.
func checkLabels(t *testing.T, scrape, where, expr string) {
	t.Helper()
	has := func(metric, label, value string) bool {
		return regexp.MustCompile(`(?m)^` + metric + `\{(?:[^}]*,)?` + label + `="` + value + `"`).MatchString(scrape)
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !has(s[1], m[1], `[^"]*`) {
				t.Errorf("%s: %s has no label %s in %s", where, s[1], m[1], expr)
			}
			if m[2] == "=" && !has(s[1], m[1], regexp.QuoteMeta(m[3])) {
				t.Errorf("%s: no %s has %s=%q in %s", where, s[1], m[1], m[3], expr)
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ", ") {
			if !has(g[2], label, `[^"]*`) {
				t.Errorf("%s: %s has no label %s to group by in %s", where, g[2], label, expr)
			}
		}
	}
}

// promtool reads the rules as Prometheus would, and sees each fire and not fire.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		testenv.Missing(t, "promtool (Debian package prometheus)")
	}
	folder := filepath.Join(testenv.Root(t), "deploy", "prometheus")
	rules, err := os.ReadFile(filepath.Join(folder, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(folder, "alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	fires := regexp.MustCompile(`alertname: (\w+)\s+exp_alerts:\s+- exp_labels`)
	seen := map[string]bool{}
	for _, m := range fires.FindAllStringSubmatch(string(tests), -1) {
		seen[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !seen[m[1]] {
			t.Errorf("no test sees %s fire", m[1])
		}
	}
}

const secret = "a-secret-of-at-least-thirty-two-characters"

// Metrics are for operators and for whoever has the token, and the room is for
// operators alone.
func TestWhoMayWatch(t *testing.T) {
	t.Parallel()
	const token = "sixteen-characters-or-more"
	h := embedded(t, "JWT_SECRET_KEY="+secret, "METRICS_TOKEN="+token)
	for _, tt := range []struct {
		path   string
		header header
		want   int
	}{
		{"/metrics", header{}, http.StatusUnauthorized},
		{"/metrics", header{"Authorization", "Bearer " + token}, http.StatusOK},
		{"/metrics", header{"Authorization", "Bearer " + token + "x"}, http.StatusUnauthorized},
		{"/metrics", header{"Authorization", token}, http.StatusUnauthorized},
		{"/ops", header{}, http.StatusUnauthorized},
		{"/ops", header{"Authorization", "Bearer " + token}, http.StatusUnauthorized},
		{"/ops/queues/", header{}, http.StatusUnauthorized},
		{"/ops/queues/api/queues", header{}, http.StatusUnauthorized},
		{"/ops/static/ops.css", header{}, http.StatusOK},
	} {
		if got := ask(t, h, http.MethodGet, tt.path, "", tt.header); got.Code != tt.want {
			t.Errorf("%s with %v answers %d, want %d", tt.path, tt.header, got.Code, tt.want)
		}
	}
	open := embedded(t)
	if got := ask(t, open, http.MethodGet, "/metrics", ""); got.Code != http.StatusOK {
		t.Errorf("without authentication this machine's scrape answers %d", got.Code)
	}
	if got := ask(t, open, http.MethodGet, "/metrics", "", header{"X-Forwarded-For", "1.2.3.4"}); got.Code != http.StatusForbidden {
		t.Errorf("through a proxy it answers %d", got.Code)
	}
}

// A worker answers on METRICS_ADDR; the port is this machine's alone.
func TestWorkersAnswerOnMetricsAddr(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load([]string{"DATA_DIR=" + t.TempDir(), "METRICS_ADDR=127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), API, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	server := httptest.NewServer(a.watchers())
	defer server.Close()
	for path, want := range map[string]int{"/metrics": http.StatusOK, "/healthz": http.StatusOK, "/readyz": http.StatusOK, "/ops": http.StatusNotFound} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, answer.StatusCode, want)
		}
	}
}

// The dashboard's page fetches nothing from elsewhere and runs only what bears
// this answer's nonce; a stranger's page cannot press its buttons.
func TestTheDashboardIsMounted(t *testing.T) {
	t.Parallel()
	h := embedded(t)
	page := ask(t, h, http.MethodGet, "/ops/queues/", "")
	policy, body := page.Header().Get("Content-Security-Policy"), page.Body.String()
	nonce := regexp.MustCompile(`'nonce-(\w+)'`).FindStringSubmatch(policy)
	switch {
	case page.Code != http.StatusOK || nonce == nil:
		t.Fatalf("the page answers %d under %q", page.Code, policy)
	case strings.Contains(policy, "unsafe-inline"):
		t.Errorf("the policy is %q", policy)
	case regexp.MustCompile(`(?:href|src)="(?:https?:)?//`).MatchString(body):
		t.Error("the page fetches something from elsewhere")
	case strings.Contains(body, "<script>") || !strings.Contains(body, `<script nonce="`+nonce[1]+`">`):
		t.Error("an inline script has no nonce")
	case !strings.Contains(body, `content="`+nonce[1]+`"`):
		t.Error("the page's styles have no nonce")
	}
	if again := ask(t, h, http.MethodGet, "/ops/queues/queues/generate", ""); again.Header().Get("Content-Security-Policy") == policy {
		t.Error("two answers have the same nonce")
	}
	for _, site := range []struct {
		from string
		want int
	}{{"cross-site", http.StatusForbidden}, {"same-site", http.StatusForbidden}, {"same-origin", http.StatusNoContent}} {
		if got := ask(t, h, http.MethodPost, "/ops/queues/api/queues/generate:pause", "", header{"Sec-Fetch-Site", site.from}); got.Code != site.want {
			t.Errorf("a %s press answers %d, want %d", site.from, got.Code, site.want)
		}
	}
	deadline := time.Now().Add(20 * time.Second) // a look is good for a few seconds
	for !strings.Contains(ask(t, h, http.MethodGet, "/ops", "").Body.String(), "The queue generate is paused") {
		if time.Now().After(deadline) {
			t.Fatal("/ops does not report the paused queue")
		}
		<-time.After(100 * time.Millisecond)
	}
}
