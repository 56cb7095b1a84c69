package worker_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// One trace goes from the request through both tasks to the post, also when a
// try is repeated, and when Redis forgets the task and the reconciler rings it:
// then the task is linked with whoever rang.
func TestOneTraceFromTheRequestToThePost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		line := newAsynqLine(t)
		s := newSite(t, line)
		s.tracing = telemetry.NewTracing("test", "v1", sdktrace.WithSyncer(spans))
		var tries atomic.Int32
		s.painter.answer = func(req imagegen.Request) (imagegen.Result, error) {
			if tries.Add(1) < 3 {
				return imagegen.Result{}, imagegen.Transientf("unavailable", "the backend answers 503")
			}
			return imagegen.Result{Bytes: paint(req.ImageID), Seed: req.Seed}, nil
		}
		draft := s.draft("A draft")
		ctx, end := telemetry.Start(s.tracing.In(t.Context()), "POST /v1/jobs")
		job, _, err := s.api.Submit(ctx, dispatch.Submission{
			Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true, Count: 1}, DraftID: draft, Caller: "tester",
		})
		s.must(err)
		end(nil)
		s.approve(draft)
		s.start(&life{}, false)
		for tries.Load() < 2 { // the first try, and its repetition by asynq
			pass(time.Second)
		}
		pass(100 * time.Millisecond) // until that is put off, too
		line.flush()
		s.waitFor(job.ID, 2*within)
		pass(time.Second) // for its spans to end

		got := spans.GetSpans()
		trace := got[slices.IndexFunc(got, func(s tracetest.SpanStub) bool { return s.Name == "accept" })].SpanContext.TraceID()
		count, failed := map[string]int{}, 0
		var rings, links []string
		for _, span := range got {
			if span.Name == "reconcile: ring" {
				rings = append(rings, span.SpanContext.TraceID().String())
			}
			if span.SpanContext.TraceID() != trace {
				continue
			}
			count[span.Name]++
			if span.Name == "generate" && span.Status.Code == codes.Error {
				failed++
			}
			for _, link := range span.Links {
				links = append(links, link.SpanContext.TraceID().String())
			}
		}
		for name, atLeast := range map[string]int{
			"POST /v1/jobs": 1, "accept": 1, "image:generate": 3, "generate": 3, "image:upload": 1, "finish": 1, "put": 2, "fetch back": 2, "publish": 1,
		} {
			if count[name] < atLeast {
				t.Errorf("%d spans %q in the request's trace, want %d at least; it has %v", count[name], name, atLeast, count)
			}
		}
		if failed != 2 {
			t.Errorf("%d tries are marked as failed, want 2", failed)
		}
		if len(links) == 0 || !slices.Contains(rings, links[0]) {
			t.Errorf("the task that was rung anew links to %v, the reconciler rang in %v", links, rings)
		}
	})
}
