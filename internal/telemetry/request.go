package telemetry

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// unwatched are asked by machines every few seconds and say nothing of jobs.
var unwatched = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// Requests counts the requests that mux answers, by the pattern of their route,
// and traces each. It goes directly around the router, which tells the pattern
// by writing it into the request that it is given. A request whose connection
// was taken ends when that is closed.
func Requests(m *Metrics, t *Tracing, mux http.Handler) http.Handler {
	if m == nil && t == nil {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &answer{ResponseWriter: w, status: http.StatusOK, metrics: m, begun: time.Now()}
		if t != nil && !unwatched[r.URL.Path] {
			r, answer.endSpan = t.request(r)
		}
		answer.request = r
		panicked := true
		defer func() {
			if answer.taken {
				return
			}
			if panicked { // the caller turns it into an answer
				answer.status = http.StatusInternalServerError
			}
			answer.ended(r.Pattern)
		}()
		mux.ServeHTTP(answer, r)
		panicked = false
	})
}

// request begins the span of a request. A client that sends a traceparent is
// believed: the worst that it gains is a trace.
func (t *Tracing) request(r *http.Request) (*http.Request, func(route string, status int)) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.provider.Tracer(tracerName).Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
	return r.WithContext(ctx), func(route string, status int) {
		if route != "" {
			span.SetName(route)
		}
		span.SetAttributes(attribute.String("http.request.method", r.Method),
			attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		span.End()
	}
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status  int
	written bool
	taken   bool // the connection is its taker's

	metrics *Metrics
	endSpan func(route string, status int) // nil: not traced
	begun   time.Time
	request *http.Request // as the mux was given it
}

// ended counts the request. A mux has written the route into it.
func (a *answer) ended(route string) {
	a.metrics.Answered(route, a.status, time.Since(a.begun))
	if a.endSpan != nil {
		a.endSpan(route, a.status)
	}
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if !a.written && status >= http.StatusOK { // 1xx may come several times before
		a.status, a.written = status, true
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.written = true
	return a.ResponseWriter.Write(b)
}

// Hijack gives away the connection, with which the request ends.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	route := a.request.Pattern
	c := &takenConn{Conn: conn, ended: sync.OnceFunc(func() { a.ended(route) })}
	a.taken, a.request = true, nil // what is left of it need not be kept for hours
	buffered.Writer.Reset(c)
	return c, buffered, nil
}

// takenConn tells when it is closed.
type takenConn struct {
	net.Conn
	ended func()
}

func (c *takenConn) Close() error {
	defer c.ended()
	return c.Conn.Close()
}

// Flush is there for libraries that assert http.Flusher.
func (a *answer) Flush() {
	_ = http.NewResponseController(a.ResponseWriter).Flush() // whoever needs to know asks a controller
}
