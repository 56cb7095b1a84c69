package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/edge"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

const origin = "https://site.example"

// around is a handler with everything around it, and the log it writes.
func around(h http.HandlerFunc, change ...func(*edge.Config)) (http.Handler, *bytes.Buffer) {
	var log bytes.Buffer
	c := edge.Config{
		Log:            slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		AllowedOrigins: []string{origin},
		Fail:           fail,
	}
	for _, f := range change {
		f(&c)
	}
	return edge.Handler(h, c), &log
}

// fail answers as the APIs do: what is wrong with a request is said, the rest
// is not.
func fail(w http.ResponseWriter, _ *http.Request, err error) {
	var e *editorial.Error
	if errors.As(err, &e) {
		http.Error(w, e.Error(), http.StatusUnprocessableEntity)
		return
	}
	http.Error(w, "on our side", http.StatusInternalServerError)
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

// get asks for a path; pairs are header names and values.
func get(t *testing.T, h http.Handler, target string, pairs ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	return send(h, r, target, pairs...)
}

func send(h http.Handler, r *http.Request, target string, pairs ...string) *http.Response {
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawQuery = path, query
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}

func lastLine(t *testing.T, log *bytes.Buffer) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
		t.Fatalf("log line %q: %v", lines[len(lines)-1], err)
	}
	return line
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	var inContext, inRequest string
	h, log := around(func(_ http.ResponseWriter, r *http.Request) {
		inContext, inRequest = edge.RequestID(r.Context()), r.Header.Get(edge.HeaderRequestID)
	})
	for name, test := range map[string]struct {
		sent string
		kept bool
	}{
		"none":             {"", false},
		"a UUID":           {"0198c6f0-7d2c-7aaa-8000-000000000001", true},
		"Amazon's":         {"Root=1-67891233-abcdef012345678912345678", true},
		"128 characters":   {strings.Repeat("a", 128), true},
		"129 characters":   {strings.Repeat("a", 129), false},
		"a line break":     {"abc\nlevel=ERROR", false},
		"quotes":           {`abc"def`, false},
		"markup":           {"<script>", false},
		"beyond ASCII":     {"äbc", false},
		"a terminal's red": {"\x1b[31mabc", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := get(t, h, "/", edge.HeaderRequestID, test.sent).Header.Get(edge.HeaderRequestID)
			if (got == test.sent) != test.kept {
				t.Errorf("sent %q, answered %q", test.sent, got)
			}
			if !test.kept && uuid.Validate(got) != nil {
				t.Errorf("the id made is %q, want a UUID", got)
			}
			if inContext != got || inRequest != got || lastLine(t, log)["request_id"] != got {
				t.Errorf("answered %q, context %q, request %q, log %v", got, inContext, inRequest, lastLine(t, log))
			}
		})
	}
}

func TestAccessLogKeepsSecretsOut(t *testing.T) {
	t.Parallel()
	h, log := around(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "secret-answer")
	})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("secret-prompt"))
	send(h, r, "/v1/jobs?cursor=secret-query", "Authorization", "Bearer secret-token", "Cookie", "s=secret-cookie",
		"Referer", "https://site.example/?secret-referer", "User-Agent", "agent\nforged line "+strings.Repeat("x", 500))
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log holds a secret: %s", log)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines, want 1: %s", n, log)
	}
	line := lastLine(t, log)
	for name, want := range map[string]any{
		"msg": "request", "level": "INFO", "method": "POST", "path": "/v1/jobs", "status": 418.0, "bytes": 13.0, "remote": "192.0.2.1",
	} {
		if line[name] != want {
			t.Errorf("%s = %v, want %v", name, line[name], want)
		}
	}
	if agent, _ := line["agent"].(string); len(agent) > 300 {
		t.Errorf("an agent of %d bytes in the log", len(agent))
	}
}

func TestAccessLogLevels(t *testing.T) {
	t.Parallel()
	h, log := around(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	for path, want := range map[string]string{"/healthz": "DEBUG", "/v1/jobs": "INFO", "/broken": "ERROR"} {
		get(t, h, path)
		if got := lastLine(t, log)["level"]; got != want {
			t.Errorf("%s is logged as %v, want %s", path, got, want)
		}
	}
}

// A client that went away made whatever failed fail.
func TestWhatNobodyWaitsForIsNoError(t *testing.T) {
	t.Parallel()
	h, log := around(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	gone, goAway := context.WithCancel(t.Context())
	goAway()
	send(h, httptest.NewRequestWithContext(gone, "GET", "/", nil), "/v1/jobs")
	if got := lastLine(t, log)["level"]; got != "INFO" {
		t.Errorf("it is logged as %v, want INFO", got)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	h, log := around(func(http.ResponseWriter, *http.Request) { panic(errors.New("hunter2 in a struct")) })
	resp := get(t, h, "/", "Origin", origin)
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusInternalServerError || bytes.Contains(body, []byte("hunter2")) {
		t.Errorf("status %d, body %s", resp.StatusCode, body)
	}
	if resp.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Error("the page that called cannot read the error")
	}
	if !strings.Contains(log.String(), "edge_test.go") || lastLine(t, log)["status"] != 500.0 {
		t.Errorf("the log lacks the stack or the status: %s", log)
	}
}

func TestPanicWithinAnAnswerBreaksItOff(t *testing.T) {
	t.Parallel()
	h, log := around(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of")
		panic("no more")
	})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	resp, err := server.Client().Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer was taken for the whole")
	}
	server.Close() // waits for the handler, which writes the log
	if !strings.Contains(log.String(), "no more") {
		t.Errorf("the log lacks the panic: %s", log)
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	h, _ := around(ok)
	resp := get(t, h, "/")
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "strict-origin-when-cross-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	h, _ := around(ok)
	preflight := func(t *testing.T, h http.Handler, from, method string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), "OPTIONS", "/v1/jobs", nil)
		return send(h, r, "/v1/jobs", "Origin", from, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "authorization,idempotency-key")
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			resp := preflight(t, h, origin, method)
			want := map[string]string{
				"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": method, "Access-Control-Allow-Credentials": "true",
				"Access-Control-Allow-Headers": "authorization,idempotency-key", "Access-Control-Max-Age": "600",
			}
			for name, value := range want {
				if got := resp.Header.Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
		})
	}
	t.Run("another origin", func(t *testing.T) {
		t.Parallel()
		for _, from := range []string{"https://evil.example", "https://site.example.evil.example", "http://site.example", "null"} {
			if got := preflight(t, h, from, "POST").Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("%s is allowed as %q", from, got)
			}
		}
	})
	t.Run("no origins allow nobody", func(t *testing.T) {
		t.Parallel()
		h, _ := around(ok, func(c *edge.Config) { c.AllowedOrigins = nil })
		if got := get(t, h, "/", "Origin", origin).Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("allowed %q", got)
		}
	})
	t.Run("any origin has no credentials", func(t *testing.T) {
		t.Parallel()
		h, _ := around(ok, func(c *edge.Config) { c.AllowedOrigins = []string{"*"} })
		resp := get(t, h, "/", "Origin", origin)
		if resp.Header.Get("Access-Control-Allow-Origin") != "*" || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("headers %v", resp.Header)
		}
	})
	t.Run("pages may read what they need", func(t *testing.T) {
		t.Parallel()
		exposed := strings.ToLower(get(t, h, "/", "Origin", origin).Header.Get("Access-Control-Expose-Headers"))
		for _, name := range []string{"etag", "location", "retry-after", "x-request-id"} {
			if !strings.Contains(exposed, name) {
				t.Errorf("%s is not among %s", name, exposed)
			}
		}
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	h, _ := around(ok)
	for target, want := range map[string]int{
		"/":                                200,
		"/images/generated/1-a.png":        200,
		"/a..b/c":                          200,
		"/...":                             200,
		"/" + strings.Repeat("a", 2047):    200,
		"/" + strings.Repeat("a", 2048):    422,
		"/?q=" + strings.Repeat("a", 4094): 200,
		"/?q=" + strings.Repeat("a", 4095): 422,
		"/images/../secret":                422,
		"/images/..":                       422,
		"/..\\secret":                      422,
		"/images/a\\..\\b":                 422,
		"/images/a\x00.png":                422,
		"/images/a\n.png":                  422,
		"/images/a\x7f.png":                422,
	} {
		t.Run(fmt.Sprintf("%.40q", target), func(t *testing.T) {
			t.Parallel()
			if got := get(t, h, target).StatusCode; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		})
	}
}

func TestEncodedStepsUpAreSeen(t *testing.T) {
	t.Parallel()
	h, _ := around(ok)
	for _, path := range []string{"/images/%2e%2e/secret", "/images/..%2fsecret", "/images/%2e%2e%5csecret", "/images/a%00"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d, want 422", path, rec.Code)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	var read int64
	var failed error
	h, _ := around(func(_ http.ResponseWriter, r *http.Request) { read, failed = io.Copy(io.Discard, r.Body) }, func(c *edge.Config) { c.MaxBody = 10 })
	for size, fits := range map[int]bool{0: true, 10: true, 11: false, 1000: false} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(strings.Repeat("a", size)))
		send(h, r, "/")
		var tooLarge *http.MaxBytesError
		if errors.As(failed, &tooLarge) == fits || read > 10 {
			t.Errorf("%d bytes: read %d, %v", size, read, failed)
		}
	}
}

// clock is a writer that remembers the deadlines that it was given.
type clock struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (c *clock) SetReadDeadline(t time.Time) error  { c.read = append(c.read, t); return nil }
func (c *clock) SetWriteDeadline(t time.Time) error { c.write = append(c.write, t); return nil }

func TestBodysDeadlineIsLiftedWithItsLastByte(t *testing.T) {
	t.Parallel()
	c := &clock{ResponseRecorder: httptest.NewRecorder()}
	var before, after int
	h, _ := around(func(_ http.ResponseWriter, r *http.Request) {
		before = len(c.read)
		_, _ = io.Copy(io.Discard, r.Body)
		after = len(c.read)
	})
	h.ServeHTTP(c, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("body")))
	if before != 1 || c.read[0].IsZero() || after != 2 || !c.read[1].IsZero() {
		t.Errorf("read deadlines %v, want one and then none", c.read)
	}
	c = &clock{ResponseRecorder: httptest.NewRecorder()}
	h, _ = around(ok)
	h.ServeHTTP(c, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("unread")))
	if len(c.read) != 1 {
		t.Errorf("read deadlines %v; a body that nobody reads keeps its own", c.read)
	}
}

func TestEveryWriteStartsTheClockAgain(t *testing.T) {
	t.Parallel()
	c := &clock{ResponseRecorder: httptest.NewRecorder()}
	var counts []int
	h, _ := around(func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = w.Write(bytes.Repeat([]byte("a"), 10_000))
			counts = append(counts, len(c.write))
		}
	})
	h.ServeHTTP(c, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if len(counts) != 3 || counts[0] == 0 || counts[1] <= counts[0] || counts[2] <= counts[1] {
		t.Errorf("deadlines after each write: %v, want more each time", counts)
	}
}

func TestClientsThatDoNotReadAreDropped(t *testing.T) {
	t.Parallel()
	dropped := make(chan error, 1)
	h, _ := around(func(w http.ResponseWriter, _ *http.Request) {
		// More than any socket buffer takes.
		chunk := make([]byte, 1<<20)
		for range 1000 {
			if _, err := w.Write(chunk); err != nil {
				dropped <- err
				return
			}
		}
		dropped <- nil
	}, func(c *edge.Config) { c.WriteTimeout = 50 * time.Millisecond })
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	select {
	case err := <-dropped:
		if err == nil {
			t.Error("a gigabyte was written to a client that reads nothing")
		}
	case <-time.After(30 * time.Second):
		t.Error("the handler still waits for a client that reads nothing")
	}
}
