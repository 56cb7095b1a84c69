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
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/edge"
)

// pipes is a listener whose connections are pipes, so that a test's clock is
// theirs, too.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// wire is a server and what it was asked.
type wire struct {
	t     *testing.T
	ln    *pipes
	mu    sync.Mutex
	asked []string
}

// onTheWire runs test with a server on pipes, in a bubble where time passes
// when everybody waits.
func onTheWire(t *testing.T, test func(w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{t: t, ln: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}}
		h := edge.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			w.mu.Lock()
			w.asked = append(w.asked, fmt.Sprintf("%s %s %s %q", r.Method, r.Host, r.URL.Path, body))
			w.mu.Unlock()
			if err != nil {
				rw.WriteHeader(http.StatusBadRequest)
			}
		}), edge.Config{Log: slog.New(slog.DiscardHandler), Fail: fail})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- edge.Serve(ctx, w.ln, h, time.Minute, slog.New(slog.DiscardHandler)) }()
		test(w)
		stop()
		<-done
	})
}

// dial opens a connection.
func (w *wire) dial() net.Conn {
	w.t.Helper()
	client, server := net.Pipe()
	w.ln.conns <- server
	return client
}

// say writes bytes as they stand and returns everything that comes back until
// the server closes, or nothing has come for a minute.
func (w *wire) say(text string) string {
	w.t.Helper()
	conn := w.dial()
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, text) }() // a server that refuses does not read on
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	answer, _ := io.ReadAll(conn)
	synctest.Wait()
	return string(answer)
}

func status(answer string) string {
	line, _, _ := strings.Cut(answer, "\r\n")
	return strings.TrimPrefix(line, "HTTP/1.1 ")
}

// What two servers could read as different requests is one request for us, or
// none: nothing that is hidden in a body is ever answered.
func TestSmuggledRequestsAreNotAnswered(t *testing.T) {
	t.Parallel()
	const hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
	tests := []struct{ name, request string }{
		{"length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"chunks and length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + hidden},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 36\r\n\r\n" + hidden},
		{"a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 36\r\n\r\n" + hidden},
		{"a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n" + hidden},
		{"a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n" + hidden},
		{"a length in hex", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n" + hidden},
		{"an unknown encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden},
		{"two encodings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"an encoding of HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden},
		{"a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 36\r\n\r\n" + hidden},
		{"a header without a name", "POST / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n" + hidden},
		{"a control character in a name", "POST / HTTP/1.1\r\nHost: a\r\nX\x00: x\r\n\r\n" + hidden},
		{"a break in a value", "POST / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n" + hidden},
		{"two hosts", "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + hidden},
		{"no host", "POST / HTTP/1.1\r\n\r\n" + hidden},
		{"a broken chunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + hidden},
		{"a chunk of all there is", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n" + hidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			onTheWire(t, func(w *wire) {
				answer := w.say(tt.request)
				for _, asked := range w.asked {
					if strings.Contains(asked, " /hidden ") {
						t.Errorf("the hidden request was answered: %q\n%s", w.asked, answer)
					}
				}
				if n := strings.Count(answer, "HTTP/1.1 "); n > 1 {
					t.Errorf("%d answers:\n%s", n, answer)
				}
			})
		})
	}
}

// A client that is honest about it may send several requests at once.
func TestPipelinedRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	onTheWire(t, func(w *wire) {
		one := "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
		if n := strings.Count(w.say(one+one), "HTTP/1.1 200"); n != 2 || len(w.asked) != 2 {
			t.Errorf("%d answers to %q", n, w.asked)
		}
	})
}

func TestTheTargetsHostIsTheOneThatCounts(t *testing.T) {
	t.Parallel()
	onTheWire(t, func(w *wire) {
		w.say("GET http://evil.example/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if got := fmt.Sprint(w.asked); got != `[GET evil.example /x ""]` {
			t.Errorf("asked %s: another host than the one in the target is believed", got)
		}
	})
}

// drip sends a beginning, and then a piece a second for as long as the server
// takes it. It returns what came back, and how long that took.
func (w *wire) drip(beginning, piece string) (answer string, took time.Duration) {
	w.t.Helper()
	conn := w.dial()
	start := time.Now()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for _, err := io.WriteString(conn, beginning); err == nil; _, err = io.WriteString(conn, piece) {
			<-time.After(time.Second)
		}
	}()
	b, _ := io.ReadAll(conn)
	took = time.Since(start)
	conn.Close()
	<-gone
	return string(b), took
}

func TestSlowHeadersAreDropped(t *testing.T) {
	t.Parallel()
	onTheWire(t, func(w *wire) {
		_, took := w.drip("GET / HTTP/1.1\r\nHost: a\r\n", "X-Slow: 1\r\n")
		if took < 5*time.Second || took > 15*time.Second || len(w.asked) != 0 {
			t.Errorf("a header of a line a second was read for %v; asked %q", took, w.asked)
		}
	})
}

func TestSlowBodiesAreDropped(t *testing.T) {
	t.Parallel()
	onTheWire(t, func(w *wire) {
		answer, took := w.drip("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "x")
		if took < 20*time.Second || took > 40*time.Second || strings.HasPrefix(status(answer), "200") {
			t.Errorf("a body of a byte a second was read for %v and answered %q", took, status(answer))
		}
	})
}

func TestIdleConnectionsAreDropped(t *testing.T) {
	t.Parallel()
	onTheWire(t, func(w *wire) {
		conn := w.dial()
		defer conn.Close()
		go func() { _, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") }()
		start := time.Now()
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_, _ = io.ReadAll(r)
		if took := time.Since(start); took < time.Minute || took > 3*time.Minute {
			t.Errorf("an idle connection is kept for %v", took)
		}
	})
}

// Whatever a client says of itself, a line of the log is a line, and says
// nothing to a terminal.
func TestNobodyForgesALineOfTheLog(t *testing.T) {
	t.Parallel()
	const forged = "\nlevel=ERROR msg=\"the database was deleted\"\x1b[2J\u202e"
	for name, format := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var log bytes.Buffer
		h := edge.Handler(http.HandlerFunc(ok), edge.Config{Log: slog.New(format(&log)), Fail: fail})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Method, r.RemoteAddr = "GET"+forged, "10.0.0.1"+forged
		r.URL.Path, r.Host = "/x"+forged, "h"+forged
		for _, header := range []string{"User-Agent", "X-Request-ID", "X-Forwarded-For", "Referer", "Authorization", "Cookie"} {
			r.Header.Set(header, "x"+forged)
		}
		h.ServeHTTP(discard{}, r)
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%s: %d lines:\n%s", name, n, &log)
		}
		if strings.ContainsAny(log.String(), "\x1b\r") || name == "text" && strings.Contains(log.String(), "\u202e") {
			t.Errorf("%s: the log steers the terminal: %q", name, &log)
		}
	}
}

// discard is an answer that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
