package siteapi_test

import (
	"bufio"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/siteapi"
)

// before puts the pass-through in front of a backend.
func before(t *testing.T, backend http.HandlerFunc) *httptest.Server {
	t.Helper()
	behind := httptest.NewServer(backend)
	t.Cleanup(behind.Close)
	u, err := url.Parse(behind.URL + "/base")
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(siteapi.New(siteapi.Deps{Log: slog.New(slog.DiscardHandler)}).Pass(u))
	t.Cleanup(front.Close)
	return front
}

func send(t *testing.T, method, url, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestPassHandsOnUnchanged(t *testing.T) {
	t.Parallel()
	front := before(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPut || r.URL.Path != "/base/api/chat/7" || r.URL.RawQuery != "a=1&b=%2F" ||
			string(body) != "hello" || r.Header.Get("Authorization") != "Bearer theirs" || r.Header.Get("X-Forwarded-For") == "" {
			t.Errorf("the backend got %s %s %q %v", r.Method, r.URL, body, r.Header)
		}
		w.Header().Set("X-Theirs", "kept")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "answer")
	})
	res := send(t, http.MethodPut, front.URL+"/api/chat/7?a=1&b=%2F", "hello", "Authorization", "Bearer theirs")
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusTeapot || string(body) != "answer" || res.Header.Get("X-Theirs") != "kept" {
		t.Errorf("answered %d %q %v", res.StatusCode, body, res.Header)
	}
	if res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("the backend's cross-origin headers stand beside ours")
	}
}

// Our own credentials open nothing behind us, and what stands behind must not
// learn them, nor choose a browser's session.
func TestPassKeepsOurCredentials(t *testing.T) {
	t.Parallel()
	front := before(t, func(w http.ResponseWriter, r *http.Request) {
		if h := r.Header.Get("Authorization"); h != "" {
			t.Errorf("the backend was sent %q", h)
		}
		if got, want := r.Header.Get("Cookie"), "theirs=1; more=2"; got != want {
			t.Errorf("the backend was sent the cookies %q, want %q", got, want)
		}
		for _, name := range []string{"theirs", "__Host-frontispiece", "Frontispiece"} {
			w.Header().Add("Set-Cookie", name+"=x; Path=/")
		}
	})
	res := send(t, http.MethodGet, front.URL+"/api/chat", "", "Authorization", "bearer  fp_abcdefghijkl_x",
		"Cookie", "theirs=1; __Host-frontispiece=secret; frontispiece=secret; more=2")
	if got := res.Header["Set-Cookie"]; len(got) != 1 || !strings.HasPrefix(got[0], "theirs=") {
		t.Errorf("the backend set %q", got)
	}
}

func TestPassStreams(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	front := before(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 2 {
			_, _ = io.WriteString(w, "data: x\n")
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})
	lines := bufio.NewReader(send(t, http.MethodGet, front.URL+"/api/stream", "").Body)
	for range 2 {
		if line, err := lines.ReadString('\n'); err != nil || line != "data: x\n" {
			t.Fatalf("read %q, %v before the backend had finished", line, err)
		}
		next <- struct{}{}
	}
}

func TestPassRefusesMockSignIns(t *testing.T) {
	t.Parallel()
	var reached string
	front := before(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		reached = string(b)
	})
	for name, c := range map[string]struct {
		path, body, contentType string
		want                    int
	}{
		"json":        {"/api/auth/github/callback", `{"code":"mock_auth_code_1","state":"x"}`, "application/json", http.StatusForbidden},
		"capitals":    {"/api/auth/github/callback", `{"CODE":" MOCK_auth_code_1"}`, "application/json", http.StatusForbidden},
		"form":        {"/api/auth/github/callback", `code=mock_auth_code_1`, "application/x-www-form-urlencoded", http.StatusForbidden},
		"query":       {"/api/auth/github/callback?code=mock_auth_code_1", ``, "", http.StatusForbidden},
		"endless":     {"/api/auth/github/callback", strings.Repeat("x", 70<<10), "application/json", http.StatusBadRequest},
		"two names":   {"/api/auth/github/callback", `{"code":"mock_auth_code_1","CODE":"abc"}`, "application/json", http.StatusForbidden},
		"twice":       {"/api/auth/github/callback", `{"code":"mock_auth_code_1","code":"abc"}`, "application/json", http.StatusForbidden},
		"escaped":     {"/api/auth/github/callback", `{"code":"mock\u005fauth_code_1"}`, "application/json", http.StatusForbidden},
		"a mark":      {"/api/auth/github/callback", "\ufeff" + `{"code":"mock\u005fauth_code_1"}`, "application/json", http.StatusForbidden},
		"UTF-16":      {"/api/auth/github/callback", "{\x00\"\x00c\x00", "application/json", http.StatusBadRequest},
		"two queries": {"/api/auth/github/callback?code=abc&code=mock_auth_code_1", ``, "", http.StatusForbidden},
		"a real code": {"/api/auth/github/callback", `{"code":"abc"}`, "application/json", http.StatusOK},
		"elsewhere":   {"/api/chat", `{"code":"mock_auth_code_1"}`, "application/json", http.StatusOK},
	} {
		reached = ""
		res := send(t, http.MethodPost, front.URL+c.path, c.body, "Content-Type", c.contentType)
		if res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.want)
		}
		if passed := reached == c.body; c.want == http.StatusOK != passed && c.body != "" {
			t.Errorf("%s: the backend got %q", name, reached)
		}
	}
}

func TestPassSaysThatTheBackendIsAway(t *testing.T) {
	t.Parallel()
	u, _ := url.Parse("http://127.0.0.1:1")
	front := httptest.NewServer(siteapi.New(siteapi.Deps{Log: slog.New(slog.DiscardHandler)}).Pass(u))
	defer front.Close()
	res := send(t, http.MethodGet, front.URL+"/api/chat", "")
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "SITE_BACKEND_URL") {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}
