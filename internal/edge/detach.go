package edge

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// lastWords is how long a client may take to accept the end of an answer.
const lastWords = 5 * time.Second

// Detached is the rest of an answer whose handler has returned. An event stream
// is silent for hours; the stack of twenty nested handlers and the server's
// buffers, which it would hold meanwhile, are most of what it costs. Use it from
// one goroutine at a time.
type Detached struct {
	conn net.Conn
	log  *slog.Logger
	gone chan struct{}
	cut  bool // what was sent last did not arrive as a whole
}

// Detach has rest go on with the answer to r on a goroutine of its own, so that
// the handler can return; what stands around it sees the request end when rest
// returns, and [Serve] waits for that. Before, the handler has written and
// flushed the beginning of an answer without a Content-Length. rest must watch
// [Detached.Gone]: r's context ends with the handler.
//
// Detach returns false, and calls nothing, where the connection is not the
// handler's to take: HTTP/2, HTTP/1.0, HEAD, and a test's recorder.
func Detach(w http.ResponseWriter, r *http.Request, log *slog.Logger, rest func(*Detached)) bool {
	// Only here is the answer in chunks, which go on below.
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Method == http.MethodHead {
		return false
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	d := &Detached{conn: conn, log: log, gone: make(chan struct{})}
	if buffered.Reader.Buffered() == 0 {
		go d.listen()
	}
	go d.run(rest)
	return true
}

func (d *Detached) run(rest func(*Detached)) {
	defer func() { _ = d.conn.Close() }() // nobody is left to tell
	defer d.recovered(&d.cut)
	rest(d)
	if !d.cut {
		_ = d.SetWriteDeadline(time.Now().Add(lastWords))
		_, _ = d.conn.Write([]byte("0\r\n\r\n"))
	}
}

// listen learns that the client is gone. One that says more than its request, as
// none of ours does, is not listened to any further: that it is gone shows when
// it is written to.
func (d *Detached) listen() {
	if n, err := d.conn.Read(make([]byte, 1)); err != nil && n == 0 {
		close(d.gone)
	}
}

// Gone is closed when the client has closed the connection.
func (d *Detached) Gone() <-chan struct{} { return d.gone }

// SetWriteDeadline bounds the writes to come; without one, nothing does.
func (d *Detached) SetWriteDeadline(t time.Time) error { return d.conn.SetWriteDeadline(t) }

// Write sends b at once.
func (d *Detached) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // an empty chunk would be the end
	}
	if _, err := d.conn.Write(fmt.Appendf(nil, "%x\r\n%s\r\n", len(b), b)); err != nil {
		d.cut = true
		return 0, err
	}
	return len(b), nil
}

// Flush does nothing: see [Detached.Write].
func (d *Detached) Flush() error { return nil }

// Call calls f on a goroutine of its own and waits for it. Whoever waits for
// hours keeps every stack frame that it has ever needed; what f needs goes with
// it.
func (d *Detached) Call(f func() error) error {
	done := make(chan error, 1)
	go func() {
		var broken bool
		defer func() {
			if broken {
				done <- errPanic
			}
		}()
		defer d.recovered(&broken)
		done <- f()
	}()
	return <-done
}

// recovered is to be deferred. No server is left to recover a panic.
func (d *Detached) recovered(broken *bool) {
	if v := recover(); v != nil {
		*broken = true
		d.log.Error("an answer panicked after its handler", "panic", v, "stack", string(debug.Stack()))
	}
}
