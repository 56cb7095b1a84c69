package v1_test

import (
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/v1"
)

// Whatever is sent, no answer is a 5xx, and every refusal is a Problem. All of
// it goes to one database, so that later inputs meet what earlier ones made.
func FuzzEveryRoute(f *testing.F) {
	const valid = `{"prompt":"A lighthouse at dawn","title":"T","keywords":["a"],"width":512,"height":512,"steps":20,"guidance":7.5,"seed":1,"count":2,"page":1,"sources":["generated"],"draft_id":"draft-1"}`
	for _, seed := range []struct{ method, path, query, body string }{
		{"POST", "/v1/jobs", "", valid},
		{"GET", "/v1/jobs", "state=queued&draft=draft-1&limit=1&cursor=abc", ""},
		{"GET", "/v1/jobs/00000000-0000-7000-8000-000000000000", "", ""},
		{"GET", "/v1/jobs/x/history", "after=1&limit=2", ""},
		{"POST", "/v1/jobs/x/cancel", "", ""},
		{"POST", "/v1/jobs/x/retry", "", ""},
		{"POST", "/v1/jobs/x/again", "", `{"seed":"same","candidate":1,"prompt":"A beacon","width":512,"height":512,"count":2}`},
		{"GET", "/v1/drafts", "state=all&limit=1", ""},
		{"GET", "/v1/drafts/draft-1", "", ""},
		{"POST", "/v1/drafts/draft-1/approve", "", `{"image_id":"00000000-0000-7000-8000-000000000000","sha256":"` + digest(1) + `","feedback":"f","reviewer":"r"}`},
		{"POST", "/v1/drafts/draft-1/reject", "", `{"reason":"more sky","new_round":true}`},
		{"POST", "/v1/drafts/draft-1/choose", "", `{"image_id":"00000000-0000-7000-8000-000000000000"}`},
		{"GET", "/v1/posts/a-slug", "", ""},
		{"GET", "/v1/capabilities", "", ""},
		{"GET", "/docs", "", ""},
		{"POST", "/v1/webhooks", "", newHook},
		{"GET", "/v1/webhooks/x/deliveries", "state=failed&limit=1&cursor=abc", ""},
		{"PATCH", "/v1/webhooks/00000000-0000-7000-8000-000000000000", "", `{"enabled":true}`},
		{"POST", "/v1/webhooks/x/rotate", "", `{"overlap_seconds":1}`},
		{"DELETE", "/v1/webhooks/x", "", ""},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.body)
	}
	shared := newWorld(f, func(c *v1.Config) { c.Log = slog.New(slog.DiscardHandler) })
	shared.draft("draft-1", "A lighthouse")
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/events") || strings.Contains(query, "wait") {
			t.Skip("not a path, or one that waits for what never comes")
		}
		if !slices.Contains([]string{"GET", "POST", "PATCH", "DELETE"}, method) {
			t.Skip("a method that the server answers itself")
		}
		w := *shared
		w.t = t
		r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(body))
		r.URL = &url.URL{Path: path, RawQuery: query}
		r.Header.Set("Content-Type", "application/json")
		a := read(t, w.serve(r))
		if a.StatusCode >= 500 {
			t.Errorf("%s %q ? %q with %q: %d %s", method, path, query, body, a.StatusCode, a.body)
		}
		if a.StatusCode >= 400 {
			a.problem(t, a.StatusCode)
		}
	})
}
