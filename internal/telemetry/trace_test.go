package telemetry_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/glad-labs/frontispiece/internal/telemetry"
)

func traced() (*telemetry.Tracing, *tracetest.InMemoryExporter) {
	spans := tracetest.NewInMemoryExporter()
	return telemetry.NewTracing("test", "v1", sdktrace.WithSyncer(spans)), spans
}

// Without a tracer nothing is made, and no context is touched.
func TestNobodyTraces(t *testing.T) {
	t.Parallel()
	var none *telemetry.Tracing
	ctx := none.In(t.Context())
	inner, end := telemetry.Start(ctx, "work", "a", "b")
	end(errors.New("whatever"))
	if inner != ctx || telemetry.Traceparent(inner) != "" || telemetry.TaskHeaders(inner, "") != nil || none.Close(ctx) != nil {
		t.Error("tracing without a tracer leaves something behind")
	}
	taskCtx, end := none.Task(ctx, "task", map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	end(nil)
	if taskCtx != ctx {
		t.Error("a task's trace is begun without a tracer")
	}
}

// A task goes on with the trace in which it was rung. Rung by somebody else, it
// goes on with its job's and links to whoever rang.
func TestTasksGoOnWithTheJobsTrace(t *testing.T) {
	t.Parallel()
	tracing, spans := traced()
	request, endRequest := telemetry.Start(tracing.In(t.Context()), "request")
	job := telemetry.Traceparent(request)
	headers := telemetry.TaskHeaders(request, job)
	endRequest(nil)
	_, end := tracing.Task(t.Context(), "task", headers)
	end(nil)

	reconciler, endRing := telemetry.Start(tracing.In(t.Context()), "reconcile")
	again := telemetry.TaskHeaders(reconciler, job)
	endRing(nil)
	_, end = tracing.Task(t.Context(), "task again", again)
	end(errors.New("refused"))

	got := spans.GetSpans()
	if len(got) != 4 {
		t.Fatalf("%d spans, want 4", len(got))
	}
	trace := got[0].SpanContext.TraceID()
	if got[1].SpanContext.TraceID() != trace || got[1].Parent.SpanID() != got[0].SpanContext.SpanID() {
		t.Error("the task is not below its request")
	}
	if got[2].SpanContext.TraceID() == trace {
		t.Error("the reconciler's own span is in the job's trace")
	}
	if got[3].SpanContext.TraceID() != trace || len(got[3].Links) != 1 || got[3].Links[0].SpanContext.TraceID() != got[2].SpanContext.TraceID() {
		t.Errorf("a task rung anew is in trace %v with links %v", got[3].SpanContext.TraceID(), got[3].Links)
	}
	if got[3].Status.Description != "refused" {
		t.Errorf("its status is %+v", got[3].Status)
	}
}

func TestLogLinesCarryTheTrace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(telemetry.LogHandler(slog.NewTextHandler(&out, nil))).With("a", 1)
	log.InfoContext(t.Context(), "untraced")
	tracing, _ := traced()
	ctx, end := telemetry.Start(tracing.In(t.Context()), "work")
	log.InfoContext(ctx, "traced")
	end(nil)
	first, second, _ := strings.Cut(out.String(), "\n")
	want := strings.Split(telemetry.Traceparent(ctx), "-")
	if strings.Contains(first, "trace_id") || !strings.Contains(second, "trace_id="+want[1]+" span_id="+want[2]) {
		t.Errorf("%q and %q, want the second with %v", first, second, want)
	}
}

// Requests are counted by the pattern of their route and never by their path,
// also when the handler panics.
func TestRequestsAreCountedByPattern(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics("v1")
	tracing, spans := traced()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jobs/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "bad" {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	h := telemetry.Requests(metrics, tracing, mux)
	for _, path := range []string{"/jobs/1", "/jobs/2", "/jobs/bad", "/healthz", "/nowhere"} {
		func() {
			defer func() { _ = recover() }() // as the server would
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		}()
	}
	scrape := scraped(t, metrics)
	for _, want := range []string{
		`frontispiece_http_requests_total{route="GET /jobs/{id}",status="418"} 2`,
		`frontispiece_http_requests_total{route="GET /jobs/{id}",status="500"} 1`,
		`frontispiece_http_requests_total{route="none",status="404"} 1`,
		`frontispiece_http_request_duration_seconds_count{route="GET /jobs/{id}"} 3`,
		`frontispiece_build_info{go_version="go`,
	} {
		if !strings.Contains(scrape, want) {
			t.Errorf("no line %s in\n%s", want, scrape)
		}
	}
	for _, span := range spans.GetSpans() {
		if span.Name == "GET /healthz" {
			t.Error("a probe was traced")
		}
	}
}

// A request whose connection was taken has ended when that is closed.
func TestTakenConnectionsAreCountedWhenTheyEnd(t *testing.T) {
	t.Parallel()
	metrics := telemetry.NewMetrics("v1")
	tracing, spans := traced()
	mux := http.NewServeMux()
	taken := make(chan net.Conn, 1)
	mux.HandleFunc("GET /jobs/{id}/events", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		taken <- conn
	})
	server := httptest.NewServer(telemetry.Requests(metrics, tracing, mux))
	defer server.Close()
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fmt.Fprint(client, "GET /jobs/1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	conn := <-taken
	const line = `frontispiece_http_requests_total{route="GET /jobs/{id}/events",status="200"} 1`
	server.Close() // the handler has returned
	if strings.Contains(scraped(t, metrics), line) || len(spans.GetSpans()) > 0 {
		t.Error("counted before it ended")
	}
	conn.Close()
	conn.Close() // once is enough
	if !strings.Contains(scraped(t, metrics), line) || len(spans.GetSpans()) != 1 {
		t.Errorf("%d spans, and no line %s in\n%s", len(spans.GetSpans()), line, scraped(t, metrics))
	}
}

func scraped(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

// A process that nobody asks counts nothing, and no stage takes negative time.
func TestNilMetrics(t *testing.T) {
	t.Parallel()
	var none *telemetry.Metrics
	none.Took(telemetry.StagePut, "s3", 1)
	none.Ended(telemetry.StagePut, "s3", telemetry.OutcomeOK)
	none.UploadPutOff("unavailable")
	none.Answered("GET /", 200, 1)
	m := telemetry.NewMetrics("v1")
	m.Took(telemetry.StageWait, "worker", -5)
	if !strings.Contains(scraped(t, m), `frontispiece_stage_duration_seconds_sum{provider="worker",stage="wait"} 0`) {
		t.Error("a clock that was set back makes a stage take negative time")
	}
}
