package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/store"
)

const siteSecret = "0123456789abcdef0123456789abcdef"

// site is the whole API of the embedded mode without its worker: jobs stay
// queued, so a test sees what it asked for.
type site struct {
	t       testing.TB
	app     *app.App
	handler http.Handler
	routes  []auth.Route
	store   *store.Store // the same database, seen from outside
	log     *logBook
	host    string
}

// logBook is a log that many goroutines write.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newSite is one on loopback without authentication, unless the environment
// says more.
func newSite(t testing.TB, environ ...string) *site {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load(append([]string{"DATA_DIR=" + dir, "SYNC_WAIT=0s"}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, log: &logBook{}, host: "localhost:8000"}
	if s.app, err = app.Open(t.Context(), app.API, cfg, slog.New(slog.NewTextHandler(s.log, nil))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.app.Close() })
	// Draining: whoever would wait for a picture gets the answer so far.
	drain, stop := context.WithCancel(t.Context())
	stop()
	if s.handler, s.routes, err = s.app.Handler(drain); err != nil {
		t.Fatal(err)
	}
	if s.store, err = store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "frontispiece.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	if err := s.store.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// guarded is a site that knows its callers.
func guarded(t testing.TB, environ ...string) *site {
	t.Helper()
	s := newSite(t, append([]string{"JWT_SECRET_KEY=" + siteSecret, "EDITORS=editor", "OPERATORS=operator"}, environ...)...)
	s.host = "api.example"
	return s
}

// Routes is what the site serves.
func (s *site) Routes() []auth.Route { return s.routes }

// token is what the site's backend gives a user.
func token(t testing.TB, user string, change ...func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"type": "access", "user_id": user, "exp": time.Now().Add(15 * time.Minute).Unix()}
	for _, c := range change {
		c(claims)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(siteSecret))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// key makes an API key.
func (s *site) key(role auth.Role) string {
	s.t.Helper()
	k, secret := auth.NewKey("test", role, time.Time{})
	err := s.store.InsertAPIKey(s.t.Context(), store.APIKey{ID: k.ID, Name: k.Name, Role: role.String(), SHA256: k.SHA256, CreatedBy: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send asks; headers are pairs.
func (s *site) send(method, path, body string, headers ...string) answer {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, "http://"+s.host+path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.RemoteAddr = "127.0.0.1:50000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.serve(r)
}

func (s *site) serve(r *http.Request) answer {
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	res := rec.Result()
	b, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b)}
}

// as is the header of a user of the site.
func (s *site) as(user string) []string {
	return []string{"Authorization", "Bearer " + token(s.t, user)}
}

// field is a member of a JSON answer.
func (a answer) field(t testing.TB, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	v, _ := members[name].(string)
	return v
}
