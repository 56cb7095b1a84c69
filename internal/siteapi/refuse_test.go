package siteapi_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/siteapi"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Every bad input names its field and changes nothing.
func TestBadInputIsRefusedByName(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("é", n) }
	const (
		generate = "/api/media/generate-image"
		create   = "/api/content/tasks"
		approve  = "/api/content/tasks/{id}/approve"
		tasks    = "/api/tasks"
		decide   = "/api/tasks/{id}/approve"
	)
	tests := []struct{ name, path, body, field string }{
		{"prompt missing", generate, `{}`, "prompt"},
		{"prompt null", generate, `{"prompt":null}`, "prompt"},
		{"prompt short", generate, `{"prompt":"ab"}`, "prompt"},
		{"prompt blank", generate, `{"prompt":"      "}`, "prompt"},
		{"prompt long", generate, `{"prompt":"` + long(501) + `"}`, "prompt"},
		{"prompt no UTF-8", generate, "{\"prompt\":\"abc\xff\"}", "prompt"},
		{"prompt with NUL", generate, `{"prompt":"abc\u0000"}`, "prompt"},
		{"prompt with a raw NUL", generate, "{\"prompt\":\"abc\x00\"}", "body"},
		{"prompt a number", generate, `{"prompt":5}`, "prompt"},
		{"title long", generate, `{"prompt":"abc","title":"` + long(201) + `"}`, "title"},
		{"title a list", generate, `{"prompt":"abc","title":[]}`, "title"},
		{"keywords text", generate, `{"prompt":"abc","keywords":"a,b"}`, "keywords"},
		{"keywords numbers", generate, `{"prompt":"abc","keywords":[1]}`, "keywords"},
		{"keyword with NUL", generate, `{"prompt":"abc","keywords":["a\u0000"]}`, "keywords"},
		{"use_pexels text", generate, `{"prompt":"abc","use_pexels":"yes"}`, "use_pexels"},
		{"use_generation a number", generate, `{"prompt":"abc","use_generation":1}`, "use_generation"},
		{"use_refinement text", generate, `{"prompt":"abc","use_refinement":"no"}`, "use_refinement"},
		{"high_quality text", generate, `{"prompt":"abc","high_quality":"no"}`, "high_quality"},
		{"few steps", generate, `{"prompt":"abc","num_inference_steps":19}`, "num_inference_steps"},
		{"many steps", generate, `{"prompt":"abc","num_inference_steps":101}`, "num_inference_steps"},
		{"half a step", generate, `{"prompt":"abc","num_inference_steps":20.5}`, "num_inference_steps"},
		{"more steps than an int", generate, `{"prompt":"abc","num_inference_steps":1e99}`, "num_inference_steps"},
		{"little guidance", generate, `{"prompt":"abc","guidance_scale":0.9}`, "guidance_scale"},
		{"much guidance", generate, `{"prompt":"abc","guidance_scale":20.1}`, "guidance_scale"},
		{"page 0", generate, `{"prompt":"abc","page":0}`, "page"},
		{"page 101", generate, `{"prompt":"abc","page":101}`, "page"},
		{"unknown task_id", generate, `{"prompt":"abc","task_id":"` + uuid.NewString() + `"}`, "task_id"},
		{"task_id with NUL", generate, `{"prompt":"abc","task_id":"\u0000"}`, "task_id"},
		{"task_id a number", generate, `{"prompt":"abc","task_id":7}`, "task_id"},
		{"no JSON", generate, `{"prompt":`, "body"},
		{"two values", generate, `{"prompt":"abc"}{}`, "body"},
		{"a list", generate, `["abc"]`, "body"},
		{"a string", generate, `"abc"`, "body"},
		{"null", generate, `null`, "prompt"},
		{"a name that is no UTF-8", generate, "{\"prompt\":\"abc\",\"\xff\":1}", "body"},
		{"deep", generate, strings.Repeat("[", 20000), "body"},

		{"nothing of a task", create, `{}`, "topic"},
		{"short topic", create, `{"topic":"ab"}`, "topic"},
		{"long topic", create, `{"topic":"` + long(201) + `"}`, "topic"},
		{"long title", create, `{"title":"` + long(501) + `"}`, "title"},
		{"long excerpt", create, `{"title":"T","excerpt":"` + long(1001) + `"}`, "excerpt"},
		{"long category", create, `{"title":"T","category":"` + long(101) + `"}`, "category"},
		{"long author", create, `{"title":"T","author":"` + long(256) + `"}`, "author"},
		{"long seo_title", create, `{"title":"T","seo_title":"` + long(256) + `"}`, "seo_title"},
		{"long seo_description", create, `{"title":"T","seo_description":"` + long(501) + `"}`, "seo_description"},
		{"long seo_keywords", create, `{"title":"T","seo_keywords":["` + strings.Repeat(`a`, 100) + strings.Repeat(`","`+strings.Repeat("b", 97)+`0`, 1) + `","` + strings.Repeat("c", 100) + `","` + strings.Repeat("d", 100) + `","` + strings.Repeat("e", 100) + `","` + strings.Repeat("f", 100) + `"]}`, "seo_keywords"},
		{"seo_keywords a number", create, `{"title":"T","seo_keywords":5}`, "seo_keywords"},
		{"tags of numbers", create, `{"title":"T","tags":[1]}`, "tags"},
		{"a long tag", create, `{"title":"T","tags":["` + long(101) + `"]}`, "tags"},
		{"content a number", create, `{"title":"T","content":5}`, "content"},
		{"content with NUL", create, `{"title":"T","content":"a\u0000b"}`, "content"},
		{"target_length", create, `{"title":"T","target_length":-1}`, "target_length"},
		{"long style", create, `{"title":"T","style":"` + long(51) + `"}`, "style"},

		{"approved missing", approve, `{"human_feedback":"Reads very well.","reviewer_id":"jane"}`, "approved"},
		{"approved text", approve, `{"approved":"yes","human_feedback":"Reads very well.","reviewer_id":"jane"}`, "approved"},
		{"feedback missing", approve, `{"approved":true,"reviewer_id":"jane"}`, "human_feedback"},
		{"feedback short", approve, `{"approved":true,"human_feedback":"Good.","reviewer_id":"jane"}`, "human_feedback"},
		{"feedback long", approve, `{"approved":true,"human_feedback":"` + long(1001) + `","reviewer_id":"jane"}`, "human_feedback"},
		{"reviewer missing", approve, `{"approved":true,"human_feedback":"Reads very well."}`, "reviewer_id"},
		{"reviewer short", approve, `{"approved":true,"human_feedback":"Reads very well.","reviewer_id":"j"}`, "reviewer_id"},
		{"reviewer of other signs", approve, `{"approved":true,"human_feedback":"Reads very well.","reviewer_id":"jane doe"}`, "reviewer_id"},
		{"reviewer with a line end", approve, `{"approved":true,"human_feedback":"Reads very well.","reviewer_id":"jane\n"}`, "reviewer_id"},

		{"short task_name", tasks, `{"task_name":"ab","topic":"abc"}`, "task_name"},
		{"long primary_keyword", tasks, `{"topic":"abc","primary_keyword":"` + long(101) + `"}`, "primary_keyword"},
		{"metadata a list", tasks, `{"topic":"abc","metadata":[]}`, "metadata"},
		{"NUL deep in metadata", tasks, `{"topic":"abc","metadata":{"a":[{"b":"\u0000"}]}}`, "metadata"},
		{"NUL in a member's name", tasks, `{"topic":"abc","metadata":{"a\u0000":1}}`, "metadata"},

		{"reviewer in the body", decide, `{"reviewer_id":"j d"}`, "reviewer_id"},
		{"reason long", decide, `{"reason":"` + long(1001) + `"}`, "reason"},
		{"approved text in the query", decide + "?approved=maybe", ``, "approved"},
		{"reviewer in the query", decide + "?reviewer_id=%ff%ff", ``, "reviewer_id"},
		{"a broken query", decide + "?reviewer_id=%zz", ``, "query"},

		{"paths not from the root", "/api/revalidate-cache", `{"paths":["https://example.com"]}`, "paths"},
		{"too many paths", "/api/revalidate-cache", `{"paths":["/"` + strings.Repeat(`,"/"`, 100) + `]}`, "paths"},
	}
	b := setup(t)
	id := b.newDraft("Untouched")
	before := b.get("/api/tasks/" + id)
	for _, tt := range tests {
		m := b.post(strings.Replace(tt.path, "{id}", id, 1), tt.body).refused(http.StatusBadRequest, tt.field)
		if reason, _ := m["details"].(map[string]any)["reason"].(string); reason == "" || m["error_code"] != "VALIDATION_ERROR" || t.Failed() {
			t.Fatalf("%s: %v", tt.name, m)
		}
	}
	if after := b.get("/api/tasks/" + id); string(after.body) != string(before.body) {
		t.Errorf("something changed the draft:\n%s\n%s", before.body, after.body)
	}
	if m := b.get("/api/tasks").want(http.StatusOK); m["total"] != 1.0 {
		t.Errorf("%v drafts", m["total"])
	}
	if jobs, err := b.store.Jobs(t.Context(), store.JobFilter{Limit: 10}); err != nil || len(jobs) != 0 {
		t.Errorf("%d jobs (%v)", len(jobs), err)
	}
}

func TestBadQueriesAreRefusedByName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for target, field := range map[string]string{
		"/api/posts?limit=0":                                              "limit",
		"/api/posts?limit=101":                                            "limit",
		"/api/posts?limit=ten":                                            "limit",
		"/api/posts?skip=-1":                                              "skip",
		"/api/posts?skip=99999999999999999999":                            "skip",
		"/api/posts?published_only=perhaps":                               "published_only",
		"/api/posts/search?q=":                                            "q",
		"/api/posts/search?q=%00":                                         "q",
		"/api/posts/search?q=" + strings.Repeat("a", 201):                 "q",
		"/api/posts/%00":                                                  "slug",
		"/api/posts/%ff":                                                  "slug",
		"/api/posts/" + strings.Repeat("a", 501):                          "slug",
		"/api/tasks?limit=101":                                            "limit",
		"/api/tasks?offset=-1":                                            "offset",
		"/api/tasks?status=%ff":                                           "status",
		"/api/tasks/%00":                                                  "id",
		"/api/content/tasks?limit=0":                                      "limit",
		"/api/content/tasks/%ff":                                          "id",
		"/api/media/images/search":                                        "query",
		"/api/media/images/search?query=ab":                               "query",
		"/api/media/images/search?query=abc&count=0":                      "count",
		"/api/media/images/search?query=abc&count=21":                     "count",
		"/api/media/images/search?query=" + strings.Repeat("%C3%A9", 501): "query",
	} {
		b.get(target).refused(http.StatusBadRequest, field)
	}
}

func TestBodiesOfTheWrongSizeAndKind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	big := `{"prompt":"abc","x":"` + strings.Repeat("x", 1<<20) + `"}`
	m := b.post("/api/media/generate-image", big).refused(http.StatusRequestEntityTooLarge, "body")
	if m["error_code"] != "PAYLOAD_TOO_LARGE" {
		t.Errorf("error_code = %v", m["error_code"])
	}
	for kind, want := range map[string]int{
		"":                                  http.StatusBadRequest,
		"text/plain":                        http.StatusBadRequest,
		"application/x-www-form-urlencoded": http.StatusBadRequest,
		"application/json; charset=utf-8":   http.StatusOK,
		"Application/JSON":                  http.StatusOK,
		"application/merge-patch+json":      http.StatusOK,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/media/generate-image", strings.NewReader(theSeedsCall))
		r.Header.Set("Authorization", "Bearer author")
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		a := b.send(r)
		if a.status != want {
			t.Errorf("Content-Type %q = %d, want %d", kind, a.status, want)
		}
		if want == http.StatusBadRequest {
			a.refused(want, "Content-Type")
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/media/generate-image", brokenBody{})
	r.Header.Set("Authorization", "Bearer author")
	r.Header.Set("Content-Type", "application/json")
	b.send(r).refused(http.StatusBadRequest, "body")
}

// brokenBody is a client that hangs up half-way.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("connection reset by 10.0.0.1") }

func TestWhatGoesWrongBehindUs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		code   string
		logged bool
	}{
		{"disk full", &editorial.Error{Kind: editorial.Full, Code: "spool_full", Message: "the spool has no room"}, http.StatusInsufficientStorage, "STORAGE_FULL", false},
		{"database away", fmt.Errorf("insert job: %w", driver.ErrBadConn), http.StatusServiceUnavailable, "UNAVAILABLE", true},
		{"too much", &editorial.Error{Kind: editorial.Limited, Message: "slow down"}, http.StatusTooManyRequests, "RATE_LIMITED", false},
		{"gone", &editorial.Error{Kind: editorial.Gone, Message: "taken down"}, http.StatusGone, "GONE", false},
		{"no such row", fmt.Errorf("read: %w", store.ErrNotFound), http.StatusNotFound, "NOT_FOUND", false},
		{"a kind that nobody knows", &editorial.Error{Kind: "new", Message: "secret"}, http.StatusInternalServerError, "INTERNAL_ERROR", true},
		{"a bug", errors.New("secret: postgres://user:password@10.0.0.1"), http.StatusInternalServerError, "INTERNAL_ERROR", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var d *broken
			b := setup(t, func(deps *siteapi.Deps) {
				d = &broken{Dispatch: deps.Dispatch.(*dispatch.Dispatch), err: tt.err}
				deps.Dispatch = d
			})
			a := b.post("/api/media/generate-image", theSeedsCall)
			m := a.want(tt.status)
			if m["error_code"] != tt.code || m["message"] != m["detail"] {
				t.Errorf("answer = %s", a.body)
			}
			if strings.Contains(string(a.body), "secret") || strings.Contains(string(a.body), "bad connection") {
				t.Errorf("the answer leaks: %s", a.body)
			}
			if logged := strings.Contains(b.log.String(), a.header.Get("X-Request-ID")); logged != tt.logged {
				t.Errorf("logged = %v, want %v: %s", logged, tt.logged, b.log)
			}
			if retry := a.header.Get("Retry-After"); (retry != "") != (tt.status == http.StatusServiceUnavailable || tt.status == http.StatusTooManyRequests) {
				t.Errorf("Retry-After = %q", retry)
			}
		})
	}
}

// broken is a dispatch whose Submit fails.
type broken struct {
	*dispatch.Dispatch
	err error
}

func (b *broken) Submit(context.Context, dispatch.Submission) (editorial.Job, bool, error) {
	return editorial.Job{}, false, b.err
}

func TestEveryRouteNeedsItsRole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.newDraft("Guarded")
	authors := []string{
		"POST /api/media/generate-image", "GET /api/media/images/search", "POST /api/content/tasks", "GET /api/content/tasks",
		"GET /api/content/tasks/{id}", "DELETE /api/content/tasks/{id}", "POST /api/tasks", "GET /api/tasks", "POST /api/tasks/bulk",
		"GET /api/tasks/{id}", "PATCH /api/tasks/{id}", "DELETE /api/tasks/{id}", "POST /api/tasks/{id}/generate-image",
	}
	editors := []string{
		"POST /api/content/tasks/{id}/approve", "POST /api/tasks/{id}/approve", "POST /api/tasks/{id}/reject",
		"POST /api/tasks/{id}/publish", "POST /api/revalidate-cache",
	}
	for _, route := range append(authors, editors...) {
		method, target, _ := strings.Cut(strings.ReplaceAll(route, "{id}", id), " ")
		a := b.as("", method, target, "")
		a.want(http.StatusUnauthorized)
		if a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", route)
		}
	}
	for _, route := range editors {
		method, target, _ := strings.Cut(strings.ReplaceAll(route, "{id}", id), " ")
		if m := b.as("author", method, target, "").want(http.StatusForbidden); !strings.Contains(m["detail"].(string), "EDITORS") {
			t.Errorf("%s: %v", route, m)
		}
	}
	if m := b.get("/api/tasks/" + id).want(http.StatusOK); m["status"] != "awaiting_approval" {
		t.Errorf("a refused request changed the draft: %v", m["status"])
	}
}

func TestWhatIsNotServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.get("/api/chat")
	a.want(http.StatusNotFound)
	a.golden(t, "not_found")
	a = b.as("", "PUT", "/api/posts", "")
	a.want(http.StatusMethodNotAllowed)
	if got := a.header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow = %q", got)
	}
	if got := b.as("", "PUT", "/api/tasks/x", "").header.Get("Allow"); got != "GET, HEAD, PATCH, DELETE" {
		t.Errorf("Allow = %q", got)
	}
}

func TestTheRequestIDIsTheMiddlewares(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-ID", "abc-123")
	b.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/api/posts/none", nil))
	if !strings.Contains(w.Body.String(), `"request_id":"abc-123"`) {
		t.Errorf("answer = %s", w.Body)
	}
}

func FuzzGenerateImage(f *testing.F) {
	for _, seed := range []string{theSeedsCall, `{"prompt":"abc","title":null,"keywords":["a"],"page":2}`, "{\"prompt\":\"\xff\"}", `{"prompt":"\u0000\ud800"}`, `[]`, `null`, ``, `{"prompt":"abc","num_inference_steps":1e9}`} {
		f.Add([]byte(seed))
	}
	b := setup(f)
	b.worker.busy = true
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/media/generate-image", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer author")
		in := *b
		in.t = t
		a := in.send(r)
		switch a.status {
		case http.StatusOK:
			if a.want(http.StatusOK)["job_id"] == nil {
				t.Errorf("accepted without a job: %s", a.body)
			}
		case http.StatusBadRequest:
			if field, _ := a.want(http.StatusBadRequest)["details"].(map[string]any)["field"].(string); field == "" {
				t.Errorf("refused without a field: %s", a.body)
			}
		default:
			t.Errorf("%q = %d %s", body, a.status, a.body)
		}
	})
}

func FuzzSlugRoute(f *testing.F) {
	for _, seed := range []string{"why-lighthouses-matter", "../etc/passwd", "%00", "\xff", "a/b", "?", "#", "灯台", "..", ".", "", strings.Repeat("a", 600), "'; --"} {
		f.Add(seed)
	}
	b := setup(f)
	f.Fuzz(func(t *testing.T, slug string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/posts/x", nil)
		r.URL.Path, r.URL.RawPath = "/api/posts/"+slug, ""
		in := *b
		in.t = t
		a := in.send(r)
		switch a.status {
		case http.StatusNotFound, http.StatusBadRequest, http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusOK:
		default:
			t.Errorf("%q = %d %s", slug, a.status, a.body)
		}
	})
}
