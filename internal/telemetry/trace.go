package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tracerName is ours among the instrumented libraries of a program.
const tracerName = "github.com/glad-labs/frontispiece"

// The headers of a task. A task that another request rings for a job goes on
// with the job's trace, and links to the one that rang.
const (
	headerParent = "traceparent" // W3C trace context
	headerLink   = "tracelink"   // the same form
)

// Tracing makes the traces of a process. A nil *Tracing makes none.
type Tracing struct {
	provider *sdktrace.TracerProvider
}

// OpenTracing sends traces in batches to an OTLP endpoint over HTTP. What the
// standard OTEL_ variables say of headers, sampling and the resource is read by
// OpenTelemetry itself. A collector that is away costs the traces and nothing
// else.
func OpenTracing(ctx context.Context, endpoint, service, version string) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("open the trace exporter: %w", err)
	}
	return NewTracing(service, version, sdktrace.WithBatcher(exporter)), nil //nolint:contextcheck // it reads the environment and waits for nobody
}

// NewTracing is tracing into any exporter.
func NewTracing(service, version string, options ...sdktrace.TracerProviderOption) *Tracing {
	// Later ones win, and the environment is the operator's word.
	described, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		described = resource.Default() // a malformed OTEL_RESOURCE_ATTRIBUTES
	}
	return &Tracing{sdktrace.NewTracerProvider(append(options, sdktrace.WithResource(described))...)}
}

// Close sends what is left.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

type tracingKey struct{}

// In is a context in which [Start] makes traces, for work that nobody asked for.
func (t *Tracing) In(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, tracingKey{}, t)
}

// End ends a span, with the error that it ended in.
type End func(error)

func nothing(error) {}

// Start begins a span below the one in ctx, or a trace of its own in a context
// of [Tracing.In]; elsewhere it does nothing. Attributes are pairs of a name
// and a value.
func Start(ctx context.Context, name string, attributes ...string) (context.Context, End) {
	var provider trace.TracerProvider
	if parent := trace.SpanFromContext(ctx); parent.SpanContext().IsValid() {
		provider = parent.TracerProvider()
	} else if t, ok := ctx.Value(tracingKey{}).(*Tracing); ok {
		provider = t.provider
	} else {
		return ctx, nothing
	}
	ctx, span := provider.Tracer(tracerName).Start(ctx, name, trace.WithAttributes(pairs(attributes)...))
	return ctx, ender(span)
}

func ender(span trace.Span) End {
	return func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

func pairs(values []string) []attribute.KeyValue {
	list := make([]attribute.KeyValue, 0, len(values)/2)
	for i := 0; i+1 < len(values); i += 2 {
		list = append(list, attribute.String(values[i], values[i+1]))
	}
	return list
}

// Describe adds attributes, pairs of a name and a value, to the span of ctx.
func Describe(ctx context.Context, attributes ...string) {
	trace.SpanFromContext(ctx).SetAttributes(pairs(attributes)...)
}

// Traceparent names the trace of ctx in the form of W3C trace context; empty
// when there is none.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[headerParent]
}

// LinkTo links the span of ctx with the trace that a traceparent names, unless
// it is the same.
func LinkTo(ctx context.Context, traceparent string) {
	other := parse(traceparent) //nolint:contextcheck // see parse
	if span := trace.SpanFromContext(ctx); other.IsValid() && span.SpanContext().TraceID() != other.TraceID() {
		span.AddLink(trace.Link{SpanContext: other})
	}
}

// parse reads into a context of its own: one with a span in it would answer for
// a traceparent that is empty.
func parse(traceparent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{headerParent: traceparent})
	return trace.SpanContextFromContext(ctx)
}

// TaskHeaders are what a task takes along when it is rung in ctx for a job whose
// trace began with traceparent, which may be empty; nil when nobody traces.
func TaskHeaders(ctx context.Context, traceparent string) map[string]string {
	here := Traceparent(ctx)
	switch {
	case here == "" && traceparent == "":
		return nil
	case traceparent == "", parse(traceparent).TraceID() == trace.SpanContextFromContext(ctx).TraceID(): //nolint:contextcheck // see parse
		return map[string]string{headerParent: here}
	case here == "":
		return map[string]string{headerParent: traceparent}
	default:
		return map[string]string{headerParent: traceparent, headerLink: here}
	}
}

// Task begins the span of a task that came with headers.
func (t *Tracing) Task(ctx context.Context, name string, headers map[string]string) (context.Context, End) {
	if t == nil {
		return ctx, nothing
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(headers))
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	if link := parse(headers[headerLink]); link.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: link}))
	}
	ctx, span := t.provider.Tracer(tracerName).Start(ctx, name, options...)
	return ctx, ender(span)
}
