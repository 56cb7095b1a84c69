package edge_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/edge"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// start serves h and returns its address, what ends it, and what it returned.
func start(t *testing.T, h http.HandlerFunc, grace time.Duration) (url string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	ln, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, served := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(served)
		ended <- edge.Serve(ctx, ln, h, grace, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		<-served
	})
	return "http://" + ln.Addr().String(), stop, ended
}

func fetch(t *testing.T, url string) (body string, err error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestServeFinishesWhatItAnswers(t *testing.T) {
	t.Parallel()
	inside, draining := make(chan struct{}), make(chan struct{})
	url, stop, done := start(t, func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-draining
		if r.Context().Err() != nil {
			t.Error("the request's context ended with the server's")
		}
		_, _ = io.WriteString(w, "finished")
	}, time.Minute)
	answered := make(chan string, 1)
	go func() {
		body, err := fetch(t, url)
		if err != nil {
			t.Error(err)
		}
		answered <- body
	}()
	<-inside
	stop()
	close(draining)
	if body := <-answered; body != "finished" {
		t.Errorf("answered %q while draining, want the whole", body)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve = %v after a clean drain", err)
	}
	if _, err := fetch(t, url); err == nil {
		t.Error("a drained server accepts connections")
	}
}

func TestServeCutsOffAfterItsGrace(t *testing.T) {
	t.Parallel()
	inside := make(chan struct{})
	url, stop, done := start(t, func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done() // the connection is closed under it
	}, time.Millisecond)
	go func() { _, _ = fetch(t, url) }()
	<-inside
	stop()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Serve = %v, want that requests were cut off", err)
	}
}

func TestServeTellsThatItsListenerBroke(t *testing.T) {
	t.Parallel()
	ln, err := edge.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := edge.Serve(t.Context(), ln, http.NotFoundHandler(), time.Second, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("Serve = nil on a closed listener")
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	url, _, _ := start(t, ok, time.Second)
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("a", 64<<10))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", resp.StatusCode)
	}
}

func TestListenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	for name, test := range map[string]struct{ addr, want string }{
		"a port in use":        {taken.Addr().String(), "another program listens there already"},
		"a stranger's address": {"192.0.2.1:8000", "no such address"},
		"nonsense":             {"nonsense", "LISTEN_ADDR"},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := edge.Listen(t.Context(), test.addr)
			if err == nil {
				ln.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "LISTEN_ADDR") {
				t.Errorf("error %q, want it to say %q and LISTEN_ADDR", err, test.want)
			}
		})
	}
}
