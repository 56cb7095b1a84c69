// Package telemetry is what the outside sees of a running process: metrics for
// Prometheus, traces for OpenTelemetry, and trace ids in the log.
//
// It counts only what happens in its own process. What stands in the rows and
// in the queue is package ops' to read, once for all processes.
//
// There are no globals: metrics are a value, of which a nil one counts nothing,
// and whoever traces puts the tracer into a context, from which [Start] takes
// it. The trap is that without a tracer in the context Start does nothing at
// all; a goroutine that begins a context of its own begins without a trace.
package telemetry
