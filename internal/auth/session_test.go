package auth

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func (r *rows) OpenSession(_ context.Context, s Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[s.Token] = s
	return r.err
}

func (r *rows) Session(_ context.Context, token string) (Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return Session{}, r.err
	}
	if s, ok := r.sessions[token]; ok {
		return s, nil
	}
	if s, ok := r.sessions[r.before[token]]; ok {
		s.Superseded = true
		return s, nil
	}
	return Session{}, ErrUnknown
}

func (r *rows) RotateSession(_ context.Context, token, next string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sessions[token]
	if ok {
		delete(r.sessions, token)
		s.Token, s.RotatedFor = next, 0
		r.sessions[next], r.before[token] = s, next
	}
	return ok, nil
}

func (r *rows) TouchSession(ctx context.Context, token string) error { return r.TouchKey(ctx, token) }

func (r *rows) EndSession(_ context.Context, token string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, token)
	return r.err
}

// desk is a site with a log-in and one page that needs an author.
type desk struct {
	*rows
	t        *testing.T
	sessions *Sessions
	handler  http.Handler
}

func newDesk(t *testing.T, change ...func(*SessionsConfig)) *desk {
	t.Helper()
	r := newRows()
	keys, _ := keysOn(t, r)
	c := SessionsConfig{
		Rows: r, Keys: keys, Log: slog.New(slog.DiscardHandler),
		Users: &JWTConfig{Secret: secret, Editors: []string{"8"}, Now: func() time.Time { return now }},
	}
	for _, f := range change {
		f(&c)
	}
	s := NewSessions(c)
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		if !ToLogin(w, r, err) {
			writeKind(w, r, err)
		}
	}
	mux := http.NewServeMux()
	login := s.Handler(nil)
	mux.Handle(LoginPath, login)
	mux.Handle(LogoutPath, login)
	page := Require(Author, fail)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := FromContext(r.Context())
		_, _ = io.WriteString(w, id.Subject+" "+id.Role.String()+" "+id.Via)
	}))
	mux.Handle("/desk", Authenticator{s.Method()}.Middleware(fail)(page))
	mux.Handle("/public", Authenticator{s.Method()}.Optional(fail)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "public")
	})))
	return &desk{r, t, s, mux}
}

// send asks as a browser does that has these cookies.
func (d *desk) send(method, target string, form url.Values, cookies []*http.Cookie, header ...string) *http.Response {
	d.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	d.handler.ServeHTTP(rec, r)
	return rec.Result()
}

const origin = "https://desk.example"

// login logs in and returns the browser's cookies.
func (d *desk) login(credential string) []*http.Cookie {
	d.t.Helper()
	res := d.send(http.MethodPost, origin+LoginPath, url.Values{"credential": {credential}}, nil)
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		d.t.Fatalf("log-in answered %s with %d cookies: %s", res.Status, len(res.Cookies()), body(res))
	}
	return res.Cookies()
}

func body(res *http.Response) string {
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

// sees returns what the page says to whoever has these cookies, or the status.
func (d *desk) sees(cookies []*http.Cookie) string {
	d.t.Helper()
	res := d.send(http.MethodGet, origin+"/desk", nil, cookies)
	if res.StatusCode != http.StatusOK {
		return res.Status
	}
	return body(res)
}

func TestLogInWithAKeyOrAToken(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id, key := d.add("desk", Operator)
	token := hs256(t, claims(jwt.MapClaims{"user_id": "8"}))
	for _, tt := range []struct{ name, credential, want string }{
		{"a key", key, "key:" + id + " operator session"},
		{"a token of the site", token, "8 editor session"},
		{"what is copied along", "\n \"Bearer " + key + "\"\t", "key:" + id + " operator session"},
	} {
		if got := d.sees(d.login(tt.credential)); got != tt.want {
			t.Errorf("%s: the page sees %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTheCookie(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	c := d.login(key)[0]
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Name != "__Host-frontispiece" {
		t.Errorf("outside loopback the cookie is %s", c)
	}
	if _, kept := d.rows.sessions[c.Value]; kept || len(d.rows.sessions) != 1 {
		t.Error("the cookie's value itself is kept")
	}
	for _, host := range []string{"http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]"} {
		res := d.send(http.MethodPost, host+LoginPath, url.Values{"credential": {key}}, nil)
		if c := res.Cookies()[0]; !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Name != "frontispiece" {
			t.Errorf("on %s the cookie is %s", host, c)
		}
	}
}

func TestLogInIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, revoked := d.add("x", Operator, func(k *Key) { k.RevokedAt = now })
	for name, credential := range map[string]string{
		"nothing": "", "a revoked key": revoked, "an expired token": hs256(t, claims(jwt.MapClaims{"exp": now.Add(-time.Hour).Unix()})),
		"a foreign token": sign(t, jwt.SigningMethodHS256, []byte("another"), claims(nil)), "too much": strings.Repeat("a", maxToken+1),
	} {
		res := d.send(http.MethodPost, origin+LoginPath, url.Values{"credential": {credential}, "next": {"/desk?a=1"}}, nil)
		page := body(res)
		if res.StatusCode != http.StatusUnprocessableEntity || len(res.Cookies()) != 0 || !strings.Contains(page, `role="alert"`) || !strings.Contains(page, `value="/desk?a=1"`) {
			t.Errorf("%s: %s, %d cookies\n%s", name, res.Status, len(res.Cookies()), page)
		}
		if credential != "" && strings.Contains(page, credential) {
			t.Errorf("%s: the page repeats what was pasted", name)
		}
	}
	if len(d.rows.sessions) != 0 {
		t.Error("a session was opened")
	}
}

// A session fixed in advance by somebody else is not the one that is used.
func TestLogInChangesTheSession(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	first := d.login(key)
	res := d.send(http.MethodPost, origin+LoginPath, url.Values{"credential": {key}}, first)
	if res.Cookies()[0].Value == first[0].Value {
		t.Error("the cookie's value stayed")
	}
	if got := d.sees(first); !strings.HasPrefix(got, "401") {
		t.Errorf("the session before answers %q", got)
	}
}

func TestLogOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	cookies := d.login(key)
	res := d.send(http.MethodPost, origin+LogoutPath, nil, cookies)
	if res.StatusCode != http.StatusSeeOther || res.Cookies()[0].MaxAge >= 0 {
		t.Errorf("log-out answered %s, %v", res.Status, res.Cookies())
	}
	if got := d.sees(cookies); !strings.HasPrefix(got, "401") || len(d.rows.sessions) != 0 {
		t.Errorf("afterwards the cookie is worth %q", got)
	}
	if res := d.send(http.MethodGet, origin+LogoutPath, nil, cookies); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a link, or a picture, logs out: %s", res.Status)
	}
}

// Whatever opened the session has to open things still.
func TestWhatEndsASession(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id, key := d.add("desk", Operator)
	cookies := d.login(key)
	d.sessions.Keys.now = func() time.Time { return now.Add(KeyFreshness) }
	k := d.keys[id]
	k.RevokedAt = now
	d.keys[id] = k
	if got := d.sees(cookies); !strings.HasPrefix(got, "401") {
		t.Errorf("after its key was revoked: %q", got)
	}
	user := d.login(hs256(t, claims(jwt.MapClaims{"user_id": "8"})))
	d.sessions.users = newSiteTokens(JWTConfig{Secret: secret})
	if got := d.sees(user); got != "8 author session" {
		t.Errorf("a user who is no longer listed is %q", got)
	}
	d.sessions.users = newSiteTokens(JWTConfig{Secret: secret + "changed"})
	if got := d.sees(user); !strings.HasPrefix(got, "401") {
		t.Errorf("after the site's secret was changed: %q", got)
	}
	d.sessions.users = nil
	if got := d.sees(user); !strings.HasPrefix(got, "401") {
		t.Errorf("after the site's secret was taken away: %q", got)
	}
}

func TestTheTokenRotates(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	old := d.login(key)
	for token, s := range d.rows.sessions {
		s.RotatedFor = SessionTerms.Rotate
		d.rows.sessions[token] = s
	}
	if res := d.send(http.MethodGet, origin+"/public", nil, old); len(res.Cookies()) != 0 {
		t.Error("an answer that anybody's cache may keep has a cookie in it")
	}
	res := d.send(http.MethodGet, origin+"/desk", nil, old)
	if res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 {
		t.Fatalf("%s with %d cookies", res.Status, len(res.Cookies()))
	}
	next := res.Cookies()
	if next[0].Value == old[0].Value || !next[0].HttpOnly || !next[0].Secure {
		t.Errorf("the next cookie is %s", next[0])
	}
	// A request that overtook the answer has the one before, and gets no third.
	if res := d.send(http.MethodGet, origin+"/desk", nil, old); res.StatusCode != http.StatusOK || len(res.Cookies()) != 0 {
		t.Errorf("the token before: %s with %d cookies", res.Status, len(res.Cookies()))
	}
	if got := d.sees(next); !strings.HasSuffix(got, "session") {
		t.Errorf("the next token: %q", got)
	}
}

// Another site's page can make a browser send a form here, with the cookie if
// SameSite were ever to fail; it must change nothing.
func TestCrossSitePostsAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	cookies := d.login(key)
	for name, header := range map[string][]string{
		"another site's form":   {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"a sister domain's":     {"Sec-Fetch-Site", "same-site", "Origin", "https://other.example"},
		"an old browser's":      {"Origin", "https://evil.example"},
		"a sandboxed frame's":   {"Origin", "null"},
		"the same host in http": {"Sec-Fetch-Site", "cross-site", "Origin", "http://desk.example"},
	} {
		for _, path := range []string{"/desk", LogoutPath, LoginPath} {
			res := d.send(http.MethodPost, origin+path, url.Values{"credential": {key}}, cookies, header...)
			if res.StatusCode != http.StatusForbidden || len(res.Cookies()) != 0 {
				t.Errorf("%s at %s: %s, cookies %v", name, path, res.Status, res.Cookies())
			}
		}
	}
	if got := d.sees(cookies); !strings.HasSuffix(got, "session") {
		t.Errorf("the session ended: %q", got)
	}
	if res := d.send(http.MethodPost, origin+"/desk", nil, cookies, "Sec-Fetch-Site", "same-origin", "Origin", origin); res.StatusCode != http.StatusOK {
		t.Errorf("our own form: %s", res.Status)
	}
}

func TestCookiesThatCannotBeOurs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	good := d.login(key)[0]
	named := func(name, value string) []*http.Cookie { return []*http.Cookie{{Name: name, Value: value}} }
	for name, cookies := range map[string][]*http.Cookie{
		"without the prefix, as any sister domain can set it": named("frontispiece", good.Value),
		"two of one name": {good, good},
		"its digest":      named(good.Name, digest(good.Value)),
		"too long":        named(good.Name, strings.Repeat("a", 5000)),
		"quoted":          named(good.Name, `"`+good.Value+`x"`),
		"empty":           named(good.Name, ""),
	} {
		if got := d.sees(cookies); !strings.HasPrefix(got, "401") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if res := d.send(http.MethodGet, origin+"/public", nil, named(good.Name, strings.Repeat("a", 52))); res.StatusCode != http.StatusOK {
		t.Errorf("a session that is over keeps its browser from a public page: %s", res.Status)
	}
}

func TestAPageLeadsToTheFormAndBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	res := d.send(http.MethodGet, origin+"/desk?state=failed", nil, nil, "Accept", "text/html,*/*")
	form := res.Header.Get("Location")
	if res.StatusCode != http.StatusSeeOther || form != "/desk/login?next=%2Fdesk%3Fstate%3Dfailed" {
		t.Fatalf("%s to %s", res.Status, form)
	}
	if page := body(d.send(http.MethodGet, origin+form, nil, nil)); !strings.Contains(page, `value="/desk?state=failed"`) {
		t.Errorf("the form does not know where to go:\n%s", page)
	}
	res = d.send(http.MethodPost, origin+LoginPath, url.Values{"credential": {key}, "next": {"/desk?state=failed"}}, nil)
	check := res.Header.Get("Location")
	if page := body(d.send(http.MethodGet, origin+check, nil, nil)); !strings.Contains(page, "did not keep the cookie") {
		t.Errorf("a browser that keeps no cookie is not told:\n%s", page)
	}
	if to := d.send(http.MethodGet, origin+check, nil, res.Cookies()).Header.Get("Location"); to != "/desk?state=failed" {
		t.Errorf("at last it leads to %q", to)
	}
	if res := d.send(http.MethodGet, origin+"/desk", nil, nil, "Accept", "application/json"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a program is led to the form: %s", res.Status)
	}
}

func TestALogInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/desk/jobs?state=failed#x": "/desk/jobs?state=failed#x", "/ops": "/ops", "": home,
		"https://evil.example/": home, "//evil.example": home, `/\evil.example`: home, "/\t/evil.example": home,
		"javascript:alert(1)": home, "evil.example": home, "/desk/login?next=/desk/login": home, "\n//evil.example": home, "http:///x": home,
	} {
		if got := localPath(next); got != want {
			t.Errorf("localPath(%q) = %q, want %q", next, got, want)
		}
	}
}

// counter is a Pace that refuses after so many failures.
type counter struct{ tries, failures, limit int }

func (c *counter) Try(*http.Request) error {
	c.tries++
	if c.failures >= c.limit {
		return &editorial.Error{Kind: editorial.Limited, Code: "too_many_failures", Message: "try again later"}
	}
	return nil
}
func (c *counter) Failed(*http.Request)                 { c.failures++ }
func (c *counter) Admit(*http.Request, *Identity) error { return nil }

func TestGuessingIsPaced(t *testing.T) {
	t.Parallel()
	c := &counter{limit: 3}
	d := newDesk(t, func(s *SessionsConfig) { s.Pace = c })
	_, key := d.add("desk", Author)
	statuses := ""
	for range 5 {
		statuses += d.send(http.MethodPost, origin+LoginPath, url.Values{"credential": {"fp_wrong"}}, nil).Status[:4]
	}
	if statuses != "422 422 422 429 429 " {
		t.Errorf("five guesses at the form: %s", statuses)
	}
	method := Paced(c, d.sessions.Keys.Method())
	if _, err := ask(method, "Bearer "+key); !isKind(err, editorial.Limited) {
		t.Errorf("the right key, once the address is closed: %v", err)
	}
	if _, err := ask(method); err != nil {
		t.Errorf("a request without credentials: %v", err)
	}
	c.failures = 0
	if id, err := ask(method, "Bearer "+key); err != nil || id == nil || c.failures != 0 {
		t.Errorf("the right key afterwards: %+v, %v", id, err)
	}
	if _, err := ask(method, "Bearer fp_wrong"); err == nil || c.failures != 1 {
		t.Errorf("a wrong one: %v, %d failures", err, c.failures)
	}
}

func TestLogInWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, key := d.add("desk", Author)
	d.rows.err = errors.New("away")
	res := d.send(http.MethodPost, origin+LoginPath, url.Values{"credential": {key}}, nil)
	if page := body(res); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page, "database") || len(res.Cookies()) != 0 {
		t.Errorf("%s\n%s", res.Status, page)
	}
}
