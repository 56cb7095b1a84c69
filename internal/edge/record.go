package edge

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the header is written
	bytes  int64
	from   *taken // where a taken connection is known; may be nil
	taken  bool   // the connection is its taker's
	ended  func() // called when a taken connection is closed; may be nil
}

// record returns the recorder that w is, or one around it.
func record(w http.ResponseWriter) *recorder {
	if rec, ok := w.(*recorder); ok {
		return rec
	}
	return &recorder{ResponseWriter: w}
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

func (rec *recorder) WriteHeader(status int) {
	// 1xx may come several times before the answer.
	if rec.status == 0 && status >= http.StatusOK {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	n, err := rec.ResponseWriter.Write(b)
	rec.bytes += int64(n)
	return n, err
}

// Flush is there for libraries that assert http.Flusher.
func (rec *recorder) Flush() {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	_ = http.NewResponseController(rec.ResponseWriter).Flush() // whoever needs to know asks a controller
}

// Hijack gives away the connection, with which the request ends.
func (rec *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := rec.from.hijack(rec.ResponseWriter, func(bytes int64) {
		rec.bytes += bytes
		if rec.ended != nil {
			rec.ended()
		}
	})
	rec.taken = err == nil
	return conn, buffered, err
}

// dropSlowClients drops a client that leaves what was written to it unread for d,
// counted anew with every write: a handler may wait, and an answer may be long,
// but nobody holds a connection by not reading.
func dropSlowClients(d time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p := &patient{ResponseWriter: w, rc: http.NewResponseController(w), patience: d}
			defer p.extend() // what the server still has buffered is written after us
			next.ServeHTTP(p, r)
		})
	}
}

type patient struct {
	http.ResponseWriter
	rc       *http.ResponseController
	patience time.Duration
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// extend starts the clock again. A writer without deadlines is a test's.
func (p *patient) extend() { _ = p.rc.SetWriteDeadline(time.Now().Add(p.patience)) }

func (p *patient) WriteHeader(status int) {
	p.extend()
	p.ResponseWriter.WriteHeader(status)
}

func (p *patient) Write(b []byte) (int, error) {
	p.extend()
	return p.ResponseWriter.Write(b)
}

// Hijack is there for libraries that assert http.Hijacker. Whoever takes the
// connection bounds the writes to it.
func (p *patient) Hijack() (net.Conn, *bufio.ReadWriter, error) { return p.rc.Hijack() }

// Flush is there for libraries that assert http.Flusher.
func (p *patient) Flush() {
	p.extend()
	_ = p.rc.Flush() // whoever needs to know asks a controller
}
