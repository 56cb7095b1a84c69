package telemetry

import (
	"net/http"
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
// by writing it into the request that it is given.
func Requests(m *Metrics, t *Tracing, mux http.Handler) http.Handler {
	if m == nil && t == nil {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		end := func(string, int) {}
		if t != nil && !unwatched[r.URL.Path] {
			r, end = t.request(r)
		}
		begun := time.Now()
		panicked := true
		defer func() {
			if panicked { // the caller turns it into an answer
				answer.status = http.StatusInternalServerError
			}
			m.Answered(r.Pattern, answer.status, time.Since(begun))
			end(r.Pattern, answer.status)
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

// Flush is there for libraries that assert http.Flusher.
func (a *answer) Flush() {
	_ = http.NewResponseController(a.ResponseWriter).Flush() // whoever needs to know asks a controller
}
