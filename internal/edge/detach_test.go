package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/edge"
)

// detaching is a handler that says "first " and lets rest go on.
func detaching(t *testing.T, rest func(*edge.Detached)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begin(w)
		if !edge.Detach(w, r, slog.New(slog.DiscardHandler), rest) {
			t.Error("Detach = false over HTTP/1.1")
		}
	}
}

func begin(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "first ")
	_ = http.NewResponseController(w).Flush() // a broken connection shows at the client
}

// open asks for url and returns the answer, of which nothing has been read.
func open(t *testing.T, url string, pairs ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestDetachedAnswerGoesOn(t *testing.T) {
	t.Parallel()
	returned, more := make(chan struct{}), make(chan struct{})
	inner := detaching(t, func(d *edge.Detached) {
		<-more
		_ = d.SetWriteDeadline(time.Now().Add(time.Minute))
		if err := d.Call(func() error { _, err := io.WriteString(d, "second"); return err }); err != nil {
			t.Error(err)
		}
	})
	h, log := around(inner)
	url, stop, done := start(t, func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		close(returned)
	}, time.Minute)
	// gzip: a compressing writer stands in between, too.
	resp := open(t, url+"/stream", "Origin", origin, "Accept-Encoding", "gzip", "X-Request-ID", "req-1")
	<-returned
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "X-Request-ID": "req-1", "X-Content-Type-Options": "nosniff",
		"Access-Control-Allow-Origin": origin, "Content-Encoding": "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged as ended: %s", log)
	}
	close(more)
	body, err := io.ReadAll(resp.Body)
	if string(body) != "first second" || err != nil {
		t.Errorf("answered %q, %v", body, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
	line := lastLine(t, log)
	bytes, _ := line["bytes"].(float64)
	if strings.Count(log.String(), "\n") != 1 || line["status"] != 200.0 || line["path"] != "/stream" || line["request_id"] != "req-1" || int(bytes) < len(body) {
		t.Errorf("log %s, want one line of the whole request", log)
	}
}

func TestServeWaitsForDetachedAnswers(t *testing.T) {
	t.Parallel()
	drain, draining := context.WithCancel(t.Context())
	url, stop, done := start(t, detaching(t, func(d *edge.Detached) {
		<-drain.Done()
		_, _ = io.WriteString(d, "farewell")
	}), time.Minute)
	resp := open(t, url)
	stop()
	select {
	case err := <-done:
		t.Fatalf("Serve = %v in the middle of an answer", err)
	case <-time.After(50 * time.Millisecond):
	}
	draining()
	if body, err := io.ReadAll(resp.Body); string(body) != "first farewell" || err != nil {
		t.Errorf("answered %q, %v", body, err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve = %v after a clean drain", err)
	}
}

func TestServeCutsDetachedAnswersOffAfterItsGrace(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	url, stop, done := start(t, detaching(t, func(d *edge.Detached) {
		<-d.Gone() // the connection is closed under it
		close(ended)
	}), time.Millisecond)
	open(t, url)
	stop()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Serve = %v, want that requests were cut off", err)
	}
	<-ended
}

func TestDetachedAnswerLearnsThatItsClientIsGone(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	url, _, _ := start(t, detaching(t, func(d *edge.Detached) {
		<-d.Gone()
		close(ended)
	}), time.Second)
	open(t, url).Body.Close()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("nobody noticed that the client is gone")
	}
}

func TestDetachedAnswerDropsAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	dropped := make(chan error, 1)
	url, _, _ := start(t, detaching(t, func(d *edge.Detached) {
		chunk := make([]byte, 1<<20)
		for range 1000 { // more than any socket buffer takes
			_ = d.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := d.Write(chunk); err != nil {
				dropped <- err
				return
			}
		}
		dropped <- nil
	}), time.Second)
	resp := open(t, url)
	select {
	case err := <-dropped:
		if err == nil {
			t.Error("a gigabyte was written to a client that reads nothing")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a client that reads nothing is still waited for")
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("what was cut off looks whole")
	}
}

func TestDetachedAnswerThatPanicsIsBrokenOff(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]func(*edge.Detached){
		"itself": func(*edge.Detached) { panic("no more") },
		"in a call": func(d *edge.Detached) {
			if err := d.Call(func() error { panic("no more") }); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			url, stop, done := start(t, func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				edge.Detach(w, r, slog.New(slog.NewTextHandler(&log, nil)), rest)
			}, time.Minute)
			body, err := io.ReadAll(open(t, url).Body)
			if string(body) != "first " || err == nil {
				t.Errorf("answered %q, %v, want half of it and an error", body, err)
			}
			stop()
			<-done
			if !strings.Contains(log.String(), "no more") || !strings.Contains(log.String(), "detach_test.go") {
				t.Errorf("the log lacks the panic or where: %s", &log)
			}
		})
	}
}

// A second request on the same connection is a strange client's. It gets no
// answer, and takes nothing from the first.
func TestDetachedAnswerIgnoresWhatElseIsSaid(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	url, _, _ := start(t, detaching(t, func(d *edge.Detached) {
		select {
		case <-more:
		case <-d.Gone():
			t.Error("a client that talks is taken for gone")
		}
		_, _ = io.WriteString(d, "second")
	}), time.Second)
	for _, pause := range []bool{false, true} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
		r := bufio.NewReader(conn)
		if pause {
			fmt.Fprint(conn, request)
			_, _ = r.Peek(1) // it is answered
			fmt.Fprint(conn, request)
		} else {
			fmt.Fprint(conn, request+request)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		more <- struct{}{}
		if body, err := io.ReadAll(resp.Body); string(body) != "first second" || err != nil {
			t.Errorf("answered %q, %v", body, err)
		}
		resp.Body.Close()
	}
}

// Where the connection is not to be taken the handler is told so, and nothing
// is lost.
func TestDetachIsRefused(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		begin(w)
		if edge.Detach(w, r, slog.New(slog.DiscardHandler), func(*edge.Detached) {}) {
			t.Errorf("%s %s: Detach = true", r.Method, r.Proto)
		}
		_, _ = io.WriteString(w, "second")
	}
	h, _ := around(handler)
	t.Run("a recorder", func(t *testing.T) {
		t.Parallel()
		if body, _ := io.ReadAll(get(t, h, "/").Body); string(body) != "first second" {
			t.Errorf("answered %q", body)
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewUnstartedServer(h)
		server.EnableHTTP2 = true
		server.StartTLS()
		t.Cleanup(server.Close)
		resp, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); resp.ProtoMajor != 2 || string(body) != "first second" || err != nil {
			t.Errorf("%s answered %q, %v", resp.Proto, body, err)
		}
	})
	for _, line := range []string{"GET / HTTP/1.0", "HEAD / HTTP/1.1"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			url, _, _ := start(t, handler, time.Second)
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			fmt.Fprint(conn, line+"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			if all, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(all, []byte("HTTP/1.")) || bytes.Contains(all, []byte("\r\n\r\n0\r\n")) {
				t.Errorf("answered %q, %v", all, err)
			}
		})
	}
}
