package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// bodies are valid bodies of the routes that take one. A route without a line
// here is asked without a body, and with those of the others.
var bodies = map[string]string{
	"POST /api/media/generate-image":       `{"prompt":"A lighthouse at dawn","title":"Dawn","keywords":["sea"],"use_generation":true,"use_pexels":false,"task_id":"DRAFT","width":512,"height":512,"num_inference_steps":20,"guidance_scale":7.5,"page":1}`,
	"POST /api/content/tasks":              `{"task_type":"blog_post","topic":"Lighthouses of the north","style":"technical","tone":"professional","target_length":1500,"tags":["sea"],"generate_featured_image":true,"publish_mode":"draft"}`,
	"POST /api/content/tasks/{id}/approve": `{"approved":true,"human_feedback":"Good enough to print","reviewer_id":"ed","featured_image_url":"https://images.example/x.png"}`,
	"POST /api/tasks":                      `{"task_name":"Lighthouses","topic":"Lighthouses of the north","primary_keyword":"sea","category":"travel","metadata":{"a":[1,null]}}`,
	"POST /api/tasks/bulk":                 `{"task_ids":["DRAFT","00000000-0000-7000-8000-000000000000"],"action":"cancel"}`,
	"PATCH /api/tasks/{id}":                `{"status":"approved","title":"Dawn","content":"<p>x</p>","featured_image_url":"https://images.example/x.png","metadata":{"a":1}}`,
	"POST /api/tasks/{id}/approve":         `{"approved":true,"feedback":"Good enough to print","auto_publish":true}`,
	"POST /api/tasks/{id}/publish":         `{"feedback":"Good enough to print"}`,
	"POST /api/tasks/{id}/reject":          `{"reason":"More sky, please","feedback":"More sky, please","allow_revisions":true}`,
	"POST /api/tasks/{id}/generate-image":  `{"source":"sdxl","topic":"Lighthouses","content_summary":"About lighthouses"}`,
	"POST /api/revalidate-cache":           `{"paths":["/posts/x"]}`,
	"POST /v1/jobs":                        `{"prompt":"A lighthouse at dawn","title":"T","keywords":["a"],"width":512,"height":512,"steps":20,"guidance":7.5,"seed":1,"count":2,"page":1,"sources":["generated"],"draft_id":"DRAFT"}`,
	"POST /v1/jobs/{id}/again":             `{"seed":"same","candidate":1,"prompt":"A beacon","width":512,"height":512,"count":2}`,
	"POST /v1/drafts/{id}/approve":         `{"image_id":"00000000-0000-7000-8000-000000000000","sha256":"` + "0000000000000000000000000000000000000000000000000000000000000000" + `","feedback":"f","reviewer":"r"}`,
	"POST /v1/drafts/{id}/reject":          `{"reason":"more sky","new_round":true}`,
	"POST /v1/webhooks":                    `{"url":"https://hooks.example/x","description":"d","events":["image.stored"]}`,
	"PATCH /v1/webhooks/{id}":              `{"url":"https://hooks.example/y","description":"e","events":["post.published"],"enabled":false}`,
	"POST /v1/webhooks/{id}/rotate":        `{"overlap_seconds":60}`,
	"POST /v1/drafts/{id}/choose":          `{"image_id":"00000000-0000-7000-8000-000000000000"}`,
}

// sure is a site with a draft and a job, whose ids stand in paths and bodies.
func sure(t testing.TB) (s *site, places *strings.Replacer) {
	t.Helper()
	s = newSite(t, "MAX_JOBS=0", "MAX_JOBS_PER_CALLER=0")
	draft := s.send("POST", "/api/tasks", bodies["POST /api/tasks"]).field(t, "id")
	job := s.send("POST", "/v1/jobs", `{"prompt":"A lighthouse at dawn"}`).field(t, "id")
	hook := s.send("POST", "/v1/webhooks", bodies["POST /v1/webhooks"]).field(t, "id")
	if draft == "" || job == "" || hook == "" {
		t.Fatalf("draft %q, job %q, webhook %q", draft, job, hook)
	}
	return s, strings.NewReplacer("/jobs/{id}", "/jobs/"+job, "/webhooks/{id}", "/webhooks/"+hook, "{delivery}", hook, "{id}", draft, "DRAFT", draft, "{slug}", "a-slug")
}

// check fails on an answer that no client should ever get: one that blames us,
// or a refusal that is not in the face's envelope.
func (s *site) check(method, target, body string, got answer) {
	s.t.Helper()
	var refusal struct {
		Code      string `json:"code"`
		ErrorCode string `json:"error_code"`
	}
	if got.status >= 400 && (strings.HasPrefix(target, "/v1/") || strings.HasPrefix(target, "/api/")) {
		if err := json.Unmarshal([]byte(got.body), &refusal); err != nil || refusal.Code+refusal.ErrorCode == "" {
			s.t.Errorf("%s %q with %q: %d in no envelope: %q", method, target, body, got.status, got.body)
		}
	}
	// Nothing is configured that finds stock photos, or that is told of posts.
	if got.status >= 500 && got.status != http.StatusServiceUnavailable {
		s.t.Errorf("%s %q with %q: %d %s\n%s", method, target, body, got.status, got.body, tail(s.log.String()))
	}
}

func tail(log string) string { return log[max(0, len(log)-1000):] }

// Valid bodies, damaged in every way that a client's mistake or malice can,
// sent to every route: no answer is a 5xx. The damage is the same in each run.
func TestDamagedBodiesBreakNothing(t *testing.T) {
	t.Parallel()
	s, places := sure(t)
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for i, r := range s.routes {
		if !strings.HasPrefix(r.Path, "/api/") && !strings.HasPrefix(r.Path, "/v1/") || strings.HasSuffix(r.Path, "/events") {
			continue
		}
		body := places.Replace(bodies[r.Method+" "+r.Path])
		path := places.Replace(r.Path)
		random := rand.New(rand.NewPCG(1, uint64(i)))
		for range rounds {
			damaged, query := body, ""
			if body != "" {
				damaged = damage(random, body)
			}
			if random.IntN(3) == 0 {
				query = "?" + queries[random.IntN(len(queries))]
			}
			s.check(r.Method, path+query, damaged, s.send(r.Method, path+query, damaged))
		}
	}
	for _, r := range s.routes {
		if body := bodies[r.Method+" "+r.Path]; body == "" && r.MaxBody > 0 && (strings.HasPrefix(r.Path, "/api/") || strings.HasPrefix(r.Path, "/v1/")) {
			t.Errorf("%s %s takes a body and has no valid one to damage in this test", r.Method, r.Path)
		}
	}
}

var queries = []string{
	"limit=-1", "limit=99999999999999999999", "limit=0x10", "offset=-1", "offset=9223372036854775807", "page=0", "status=%00", "status=nope",
	"cursor=AAAA", "state=all&limit=1", "q=%27%20OR%201%3D1", "q=" + strings.Repeat("a", 3000), "a[]=1&a[]=2", "feedback=%ff", "auto_publish=maybe",
	"reason=", "search=%25_%25", "skip=1e9", "wait=-1", "populate=*", "published_only=2", "sort=-created_at", "id=%0a", "=", "&&", "%zz",
}

// odd are values that are valid JSON and not what anybody means.
var odd = []string{
	`null`, `true`, `0`, `-1`, `1e308`, `-0.0`, `99999999999999999999999`, `0.1`, `""`, `" "`, `"\u0000"`, `"\ud800"`, `[]`, `[null]`, `{}`, `{"a":{"b":[1]}}`,
	`"<script>alert(1)</script>"`, `"'; DROP TABLE posts; --"`, `"\u202e\u200f\u2066"`, `"../../etc/passwd"`, `"data:image/png;base64,AA=="`,
	`"javascript:alert(1)"`, `"http://169.254.169.254/latest/meta-data"`, `"http://[::ffff:127.0.0.1]/"`, `"http://2130706433/"`, `"file:///etc/passwd"`,
	`"` + strings.Repeat("😀", 600) + `"`, `"` + strings.Repeat("a", 300_000) + `"`, strings.Repeat("[", 200) + strings.Repeat("]", 200),
}

// damage changes one thing of a body.
func damage(random *rand.Rand, body string) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &members); err != nil || random.IntN(4) == 0 {
		return damageBytes(random, body)
	}
	var names []string
	for name := range members {
		names = append(names, name)
	}
	// Maps have no order, and the same damage must be done in each run.
	for i := range names {
		for j := i + 1; j < len(names); j++ {
			if names[j] < names[i] {
				names[i], names[j] = names[j], names[i]
			}
		}
	}
	name := names[random.IntN(len(names))]
	switch random.IntN(6) {
	case 0:
		delete(members, name)
	case 1:
		members[name+"\u0000"] = members[name]
	case 2:
		return strings.Replace(body, "{", fmt.Sprintf("{%q:%s,", name, odd[random.IntN(len(odd))]), 1) // twice
	default:
		members[name] = json.RawMessage(odd[random.IntN(len(odd))])
	}
	out, err := json.Marshal(members)
	if err != nil {
		return body
	}
	return string(out)
}

func damageBytes(random *rand.Rand, body string) string {
	b := []byte(body)
	at := random.IntN(len(b))
	switch random.IntN(5) {
	case 0:
		return body[:at]
	case 1:
		b[at] ^= 1 << random.IntN(8)
	case 2:
		b[at] = 0
	case 3:
		return body + body
	default:
		return body[:at] + "\xff\xfe" + body[at:]
	}
	return string(b)
}

// FuzzRoutes asks any route with any body: no answer is a 5xx, and each refusal
// is in the envelope of its face.
func FuzzRoutes(f *testing.F) {
	s, places := sure(f)
	for i, r := range s.routes {
		f.Add(uint8(i), places.Replace(bodies[r.Method+" "+r.Path]), "")
		f.Add(uint8(i), odd[i%len(odd)], queries[i%len(queries)])
	}
	f.Fuzz(func(t *testing.T, route uint8, body, query string) {
		r := s.routes[int(route)%len(s.routes)]
		if strings.HasSuffix(r.Path, "/events") || strings.Contains(query, "wait") {
			t.Skip("it waits for what never comes")
		}
		target := places.Replace(r.Path)
		if _, err := url.Parse("http://x" + target + "?" + query); err != nil || strings.ContainsAny(query, " #\r\n\t") {
			t.Skip("no client can send that")
		}
		mine := *s
		mine.t = t
		mine.check(r.Method, target, body, mine.send(r.Method, target+"?"+query, body))
	})
}
