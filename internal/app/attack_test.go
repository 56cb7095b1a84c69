package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/glad-labs/frontispiece/internal/auth"
)

// ids stands for what a path's wildcards are.
var ids = strings.NewReplacer("{id}", "00000000-0000-7000-8000-000000000000", "{slug}", "a-slug", "{path...}", "x",
	"{rest...}", "x", "{key...}", "x", "{delivery}", "00000000-0000-7000-8000-000000000000")

// Every route is asked by everybody who is too little: what the table says is
// what the code does.
func TestEveryRouteDemandsItsRole(t *testing.T) {
	t.Parallel()
	s := guarded(t, "RATE_LIMIT=0", "RATE_LIMIT_FAILURES=0")
	callers := []struct {
		role    auth.Role
		headers []string
	}{{auth.Nobody, nil}, {auth.Author, s.as("anybody")}, {auth.Editor, s.as("editor")}, {auth.Operator, s.as("operator")}}
	for _, r := range s.routes {
		for _, c := range callers {
			got := s.send(r.Method, ids.Replace(r.Path), "", c.headers...)
			refused := got.status == http.StatusUnauthorized || got.status == http.StatusForbidden
			if want := r.Role != auth.Nobody && !c.role.Includes(r.Role); want != refused {
				t.Errorf("%s %s, which is for %v, answers %v with %d: %.200s", r.Method, r.Path, r.Role, c.role, got.status, got.body)
			}
			if got.status == http.StatusUnauthorized && c.role != auth.Nobody {
				t.Errorf("%s %s does not know %v", r.Method, r.Path, c.role)
			}
		}
	}
}

// Nothing that was not signed with the site's secret, for this purpose and for
// now, opens anything, on any face.
func TestForgedTokensOpenNothing(t *testing.T) {
	t.Parallel()
	s := guarded(t, "RATE_LIMIT_FAILURES=0")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{"type": "access", "user_id": "operator", "exp": time.Now().Add(time.Hour).Unix()}
	signed := func(method jwt.SigningMethod, key any) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := token(t, "operator")
	_, rest, _ := strings.Cut(good, ".")
	enc := base64.RawURLEncoding.EncodeToString
	forged := map[string]string{
		"algorithm none":                     signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"algorithm None, spelled otherwise":  enc([]byte(`{"alg":"nOnE"}`)) + "." + rest,
		"algorithm confusion, RS256":         signed(jwt.SigningMethodRS256, rsaKey),
		"algorithm confusion, HS384":         signed(jwt.SigningMethodHS384, []byte(siteSecret)),
		"algorithm confusion in the header":  enc([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + rest,
		"a key in the header":                enc([]byte(`{"alg":"HS256","jwk":{"kty":"oct","k":"AA"},"kid":"../../dev/null"}`)) + "." + rest,
		"a foreign key":                      signed(jwt.SigningMethodHS256, []byte(strings.ToUpper(siteSecret))),
		"the published development secret":   signed(jwt.SigningMethodHS256, []byte("dev-jwt-secret-change-in-production-to-random-64-chars")),
		"an empty key":                       signed(jwt.SigningMethodHS256, []byte("")),
		"expired":                            token(t, "operator", func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() }),
		"without an expiry":                  token(t, "operator", func(c jwt.MapClaims) { delete(c, "exp") }),
		"not yet valid":                      token(t, "operator", func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Minute).Unix() }),
		"of another purpose":                 token(t, "operator", func(c jwt.MapClaims) { c["type"] = "refresh" }),
		"an API key's subject":               token(t, "key:abcdefghijkl"),
		"cut":                                good[:len(good)-4],
		"an API key that nobody made":        "fp_abcdefghijkl_" + strings.Repeat("a", 52),
		"an API key with a wildcard for SQL": "fp_%%%%%%%%%%%%_" + strings.Repeat("a", 52),
	}
	for name, token := range forged {
		for _, path := range []string{"/v1/jobs", "/api/tasks"} {
			got := s.send(http.MethodGet, path, "", "Authorization", "Bearer "+token)
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s at %s: %d %s", name, path, got.status, got.body)
			}
		}
		form := url.Values{"credential": {token}}.Encode()
		if got := s.send(http.MethodPost, auth.LoginPath, form, "Content-Type", "application/x-www-form-urlencoded"); got.status != http.StatusUnprocessableEntity || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s at the desk's log-in: %d", name, got.status)
		}
	}
	if got := s.send(http.MethodGet, "/v1/jobs", "", "Authorization", "Bearer "+good); got.status != http.StatusOK {
		t.Errorf("the true token: %d %s", got.status, got.body)
	}
}

func TestKeysOpenWhatTheirRoleMay(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	author, editor := s.key(auth.Author), s.key(auth.Editor)
	const approve = "/v1/drafts/x/approve"
	for _, tt := range []struct {
		path, method, key string
		want              int
	}{
		{"/v1/jobs", "GET", author, 200},
		{"/api/tasks", "GET", author, 200},
		{approve, "POST", author, 403},
		{approve, "POST", editor, 404},
	} {
		if got := s.send(tt.method, tt.path, "", "Authorization", "Bearer "+tt.key); got.status != tt.want {
			t.Errorf("%s %s: %d, want %d: %s", tt.method, tt.path, got.status, tt.want, got.body)
		}
	}
	id := strings.Split(author, "_")[1]
	if _, err := s.store.RevokeAPIKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for s.send("GET", "/v1/jobs", "", "Authorization", "Bearer "+author).status == 200 {
		if time.Now().After(deadline) {
			t.Fatal("a revoked key goes on opening things")
		}
	}
}

// Guessing: an address gets a few tries a minute, for all faces together, and
// everybody is told in the words of the face.
func TestGuessingIsBounded(t *testing.T) {
	t.Parallel()
	s := guarded(t, "RATE_LIMIT_FAILURES=5")
	statuses := map[int]int{}
	var last answer
	for n := range 20 {
		path := []string{"/v1/jobs", "/api/tasks"}[n%2]
		guess := fmt.Sprintf("fp_abcdefghijkl_%052d", n)
		last = s.send("GET", path, "", "Authorization", "Bearer "+guess)
		statuses[last.status]++
	}
	if statuses[401] != 5 || statuses[429] != 15 {
		t.Errorf("20 guesses: %v, want 5 looked at and 15 refused unread", statuses)
	}
	if last.header.Get("Retry-After") == "" || !strings.Contains(last.body, "RATE_LIMITED") || !strings.Contains(last.body, "RATE_LIMIT_FAILURES") {
		t.Errorf("the site's refusal: %v\n%s", last.header, last.body)
	}
	if got := s.send("GET", "/v1/jobs", "", s.as("operator")...); got.status != 429 || !strings.Contains(got.header.Get("Content-Type"), "problem+json") || got.header.Get("Retry-After") == "" {
		t.Errorf("the true token from there: %d %v", got.status, got.header)
	}
	elsewhere := append(s.as("operator"), "X-Forwarded-For", "203.0.113.9")
	if got := s.send("GET", "/v1/jobs", "", elsewhere...); got.status != 200 {
		t.Errorf("the same from another address: %d %s", got.status, got.body)
	}
	if got := s.send("GET", "/api/posts", ""); got.status != 200 {
		t.Errorf("a reader from there: %d %s", got.status, got.body)
	}
}

func TestRequestsAreBoundedOnBothFaces(t *testing.T) {
	t.Parallel()
	s := guarded(t, "RATE_LIMIT=3")
	for _, face := range []string{"/v1/jobs", "/api/tasks", "/v1/posts/x", "/api/posts"} {
		s := s
		var got answer
		for range 4 {
			got = s.send("GET", face, "", "Authorization", "Bearer "+token(t, "caller of "+face), "X-Forwarded-For", "203.0.113.7")
		}
		if got.status != 429 || got.header.Get("Retry-After") == "" || !strings.Contains(got.header.Get("RateLimit"), "r=0") || !strings.Contains(got.body, "RATE_LIMIT") {
			t.Errorf("%s, the fourth of three: %d %v %s", face, got.status, got.header, got.body)
		}
	}
	for _, public := range []string{"/healthz", "/readyz", "/images/x.png"} {
		for range 5 {
			if got := s.send("GET", public, ""); got.status == 429 {
				t.Errorf("%s is counted", public)
			}
		}
	}
}

func TestUnfinishedJobsAreBoundedOnBothFaces(t *testing.T) {
	t.Parallel()
	s := guarded(t, "MAX_JOBS_PER_CALLER=1")
	v1Job := `{"prompt":"A lighthouse at dawn"}`
	if got := s.send("POST", "/v1/jobs", v1Job, s.as("ada")...); got.status != 202 {
		t.Fatalf("the first: %d %s", got.status, got.body)
	}
	for path, body := range map[string]string{"/v1/jobs": v1Job, "/api/media/generate-image": `{"prompt":"A lighthouse at dawn","use_generation":true}`} {
		got := s.send("POST", path, body, s.as("ada")...)
		if got.status != 429 || got.header.Get("Retry-After") != "30" || !strings.Contains(got.body, "MAX_JOBS_PER_CALLER") {
			t.Errorf("%s: %d %v %s", path, got.status, got.header, got.body)
		}
	}
	if got := s.send("POST", "/v1/jobs", v1Job, s.as("bob")...); got.status != 202 {
		t.Errorf("somebody else's: %d %s", got.status, got.body)
	}
}

// Authors see each other's jobs (they write for one site), and stop or repeat
// none but their own.
func TestJobsOfOthers(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	job := s.send("POST", "/v1/jobs", `{"prompt":"A lighthouse at dawn"}`, s.as("ada")...).field(t, "id")
	for _, tt := range []struct {
		caller, method, path string
		want                 int
	}{
		{"mallory", "GET", "/v1/jobs/" + job, 200},
		{"mallory", "POST", "/v1/jobs/" + job + "/cancel", 403},
		{"mallory", "POST", "/v1/jobs/" + job + "/retry", 403},
		{"editor", "POST", "/v1/jobs/" + job + "/retry", 403},
		{"", "GET", "/v1/jobs/" + job, 401},
		{"", "GET", "/v1/jobs/" + job + "/events", 401},
		{"", "GET", "/v1/jobs/" + job + "/history", 401},
		{"ada", "POST", "/v1/jobs/" + job + "/cancel", 200},
	} {
		var headers []string
		if tt.caller != "" {
			headers = s.as(tt.caller)
		}
		if got := s.send(tt.method, tt.path, "", headers...); got.status != tt.want {
			t.Errorf("%q: %s %s: %d, want %d: %s", tt.caller, tt.method, tt.path, got.status, tt.want, got.body)
		}
	}
}

// browser logs in and returns the cookie as a header.
func (s *site) browser(credential string) []string {
	s.t.Helper()
	form := url.Values{"credential": {credential}}.Encode()
	got := s.send("POST", auth.LoginPath, form, "Content-Type", "application/x-www-form-urlencoded")
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if got.status != http.StatusSeeOther || !strings.HasPrefix(cookie, "__Host-frontispiece=") {
		s.t.Fatalf("log-in: %d %v %s", got.status, got.header, got.body)
	}
	return []string{"Cookie", cookie}
}

// A form on another site's page may be sent with the editor's cookie; it must
// change nothing, wherever it is sent to.
func TestCrossSiteFormsChangeNothing(t *testing.T) {
	t.Parallel()
	s := guarded(t, "RATE_LIMIT=0")
	cookie := s.browser(token(t, "operator"))
	for _, r := range s.routes {
		if r.Role == auth.Nobody && r.Path != auth.LogoutPath || r.Method == "GET" {
			continue
		}
		for name, headers := range map[string][]string{
			"a form of today's browsers": {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			"a form of an old browser":   {"Origin", "https://evil.example"},
			"a sister site's":            {"Sec-Fetch-Site", "same-site", "Origin", "https://blog.example"},
		} {
			headers = append(slices.Clone(cookie), headers...)
			got := s.send(r.Method, ids.Replace(r.Path), "a=b", append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
			if got.status != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d %.200s", name, r.Method, r.Path, got.status, got.body)
			}
		}
	}
	if got := s.send("GET", "/v1/jobs", "", cookie...); got.status != 200 {
		t.Errorf("afterwards the session answers %d %s", got.status, got.body)
	}
	if got := s.send("POST", "/v1/jobs", `{"prompt":"A lighthouse at dawn"}`, append(cookie, "Sec-Fetch-Site", "same-origin")...); got.status != 202 {
		t.Errorf("our own page: %d %s", got.status, got.body)
	}
}

// A page that may call from a browser may call every method that we have, and
// read what it needs; any other page may not.
func TestPagesOfTheSiteMayCall(t *testing.T) {
	t.Parallel()
	s := guarded(t, "ALLOWED_ORIGINS=https://site.example")
	for origin, want := range map[string]string{"https://site.example": "https://site.example", "https://evil.example": "", "null": ""} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			got := s.send("OPTIONS", "/api/tasks/x", "", "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "authorization")
			if got.header.Get("Access-Control-Allow-Origin") != want {
				t.Errorf("%s from %s: %v", method, origin, got.header)
			}
		}
		got := s.send("GET", "/api/tasks", "", "Origin", origin)
		if got.header.Get("Access-Control-Allow-Origin") != want || want != "" && !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("a refusal for %s: %v", origin, got.header)
		}
	}
}

var (
	inlineScript = regexp.MustCompile(`(?is)<script\b([^>]*)>(.*?)</script`)
	inlineOther  = regexp.MustCompile(`(?i)<style\b|<[^>]*\s(on[a-z]+|style)\s*=|(href|src|action)\s*=\s*["']?\s*javascript:`)
	remote       = regexp.MustCompile(`(?i)<(script|link|img|iframe)\b[^>]*(src|href)\s*=\s*["']?(https?:)?//`)
)

// Every page is under a policy that allows nothing inline, and keeps to it.
func TestNoPageNeedsInlineScript(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	headers := append(s.browser(token(t, "operator")), "Accept", "text/html")
	pages := 0
	for _, r := range s.routes {
		if r.Method != "GET" || strings.Contains(r.Path, "{") {
			continue
		}
		for _, headers := range [][]string{headers, {"Accept", "text/html"}} {
			got := s.send("GET", r.Path, "", headers...)
			if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || got.status >= 300 && got.status < 400 {
				continue
			}
			pages++
			csp := got.header.Get("Content-Security-Policy")
			if !strings.Contains(csp, "default-src") || !strings.Contains(csp, "frame-ancestors 'none'") ||
				strings.Contains(csp, "unsafe-") && !strings.HasPrefix(r.Path, "/ops/queues") {
				t.Errorf("%s has the policy %q", r.Path, csp)
			}
			for _, m := range inlineScript.FindAllStringSubmatch(got.body, -1) {
				if !strings.Contains(m[1], "src=") || strings.TrimSpace(m[2]) != "" {
					t.Errorf("%s has an inline script: %.100s", r.Path, m[0])
				}
			}
			if m := inlineOther.FindString(got.body); m != "" && !strings.HasPrefix(r.Path, "/ops/queues") {
				t.Errorf("%s has something inline: %.100s", r.Path, m)
			}
			if m := remote.FindString(got.body); m != "" {
				t.Errorf("%s loads from elsewhere: %.100s", r.Path, m)
			}
			for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "strict-origin-when-cross-origin"} {
				if got.header.Get(header) != want {
					t.Errorf("%s: %s is %q", r.Path, header, got.header.Get(header))
				}
			}
		}
	}
	if pages < 2 {
		t.Errorf("%d pages were looked at", pages)
	}
}

// Prompts and credentials stay out of the log, whatever happens to the request.
func TestTheLogHoldsNoSecretAndNoPrompt(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	key, jot := s.key(auth.Operator), token(t, "operator")
	cookie := s.browser(key)
	const prompt = "Xyzzy the unpublished"
	for _, headers := range [][]string{{"Authorization", "Bearer " + key}, {"Authorization", "Bearer " + jot}, cookie, {"Authorization", "Bearer " + key + "x"}} {
		s.send("POST", "/v1/jobs", `{"prompt":"`+prompt+`","title":"`+prompt+`"}`, headers...)
		s.send("POST", "/v1/jobs", `{"prompt":"`+prompt+`","width":"`+prompt+`"}`, headers...)
		s.send("POST", "/api/media/generate-image", `{"prompt":"`+prompt+`","use_generation":true}`, headers...)
		s.send("POST", "/api/tasks", `{"task_name":"`+prompt+`","topic":"`+prompt+`"}`, headers...)
		s.send("GET", "/v1/jobs?cursor="+url.QueryEscape(prompt)+"&api_key="+key, "", headers...)
	}
	log := s.log.String()
	if !strings.Contains(log, "msg=request") || !strings.Contains(log, "request_id=") {
		t.Fatalf("there is no access log:\n%s", log)
	}
	for what, text := range map[string]string{
		"a prompt": "Xyzzy", "a key": strings.Split(key, "_")[2], "a token": strings.Split(jot, ".")[2], "a cookie": strings.Split(cookie[1], "=")[1], "the site's secret": siteSecret,
	} {
		if i := strings.Index(log, text); i >= 0 {
			t.Errorf("the log holds %s: …%s", what, log[max(0, i-200):min(len(log), i+60)])
		}
	}
}

// The loopback mode answers this machine's own pages and programs, on the new
// paths as on the old ones (DESIGN §5, case 12).
func TestLoopbackTrustsNobodyElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, r := range s.routes {
		if r.Role == auth.Nobody {
			continue
		}
		path := ids.Replace(r.Path)
		for name, headers := range map[string][]string{
			"through a tunnel":    {"X-Forwarded-For", "203.0.113.7"},
			"from another's page": {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		} {
			if r.Method == "GET" && name == "from another's page" {
				continue // it reads nothing: no Access-Control-Allow-Origin
			}
			if got := s.send(r.Method, path, "", headers...); got.status != http.StatusForbidden {
				t.Errorf("%s %s %s: %d", r.Method, path, name, got.status)
			}
		}
		rebound := *s
		rebound.host = "evil.example:8000"
		if got := rebound.send(r.Method, path, ""); got.status != http.StatusForbidden {
			t.Errorf("%s %s under a stranger's name: %d", r.Method, path, got.status)
		}
	}
}
