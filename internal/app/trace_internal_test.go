package app

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// The whole program: an editor's request approves a draft that has no picture
// yet, and one trace goes from that request through the queue and both workers
// to the post. worker's own test has the detours of it.
func TestOneTraceFromTheApprovalToThePost(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	h := embeddedWith(t, func(a *App) {
		a.tracing = telemetry.NewTracing("test", "v1", sdktrace.WithSyncer(spans))
	})
	made := ask(t, h, http.MethodPost, "/api/content/tasks", `{"title":"Night Trains Are Back","topic":"Night trains","content":"# Night trains\n\nThey are back."}`)
	var draft struct {
		ID string `json:"task_id"`
	}
	if err := json.Unmarshal(made.Body.Bytes(), &draft); err != nil || draft.ID == "" {
		t.Fatalf("the draft: %d %s", made.Code, made.Body)
	}
	if got := ask(t, h, http.MethodPost, "/api/tasks/"+draft.ID+"/approve", `{"approved":true}`); got.Code != http.StatusOK {
		t.Fatalf("the approval: %d %s", got.Code, got.Body)
	}
	named := func(name string) func(tracetest.SpanStub) bool {
		return func(s tracetest.SpanStub) bool { return s.Name == name }
	}
	deadline := time.Now().Add(time.Minute)
	for !slices.ContainsFunc(spans.GetSpans(), named("publish")) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was published")
		}
		<-time.After(50 * time.Millisecond)
	}
	got := spans.GetSpans()
	chain := pathTo(spans, got[slices.IndexFunc(got, named("publish"))], deadline)
	want := []string{"POST /api/tasks/{id}/approve", "image:generate", "image:upload", "publish"}
	at := 0
	for _, name := range chain {
		if at < len(want) && name == want[at] {
			at++
		}
	}
	if at < len(want) {
		t.Errorf("the post's span is below %q, want %q among them in this order", chain, want)
	}
}

// pathTo names the spans from the root down to one. A parent ends, and is told,
// after its children.
func pathTo(spans *tracetest.InMemoryExporter, span tracetest.SpanStub, deadline time.Time) []string {
	chain := []string{span.Name}
	parent := span.Parent
	for parent.IsValid() && time.Now().Before(deadline) {
		got := spans.GetSpans()
		i := slices.IndexFunc(got, func(s tracetest.SpanStub) bool { return sameSpan(s.SpanContext, parent) })
		if i < 0 {
			<-time.After(50 * time.Millisecond)
			continue
		}
		chain, parent = append([]string{got[i].Name}, chain...), got[i].Parent
	}
	return chain
}

func sameSpan(a, b trace.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
}
