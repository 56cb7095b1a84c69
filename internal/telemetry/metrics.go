package telemetry

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The stages of a picture whose durations are measured.
const (
	StageWait      = "wait"       // from being asked for until a worker begins
	StageGenerate  = "generate"   // one call of a generator
	StageFinish    = "finish"     // stripping, provenance, renditions
	StagePut       = "put"        // one object into the bucket
	StageFetchBack = "fetch_back" // the same through the public URL
	StageNotify    = "notify"     // telling one target of one event
	StageStored    = "stored"     // all of it, from being asked for until stored
)

// OutcomeOK is a try that worked; the other outcomes are the classes of
// editorial.Failure and "unreachable", which is no attempt.
const (
	OutcomeOK          = "ok"
	OutcomeUnreachable = "unreachable"
)

// Buckets in seconds: pictures take from a tenth of a second to several
// minutes, requests from a millisecond to a long poll.
var (
	stageBuckets   = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600}
	requestBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120}
)

// Metrics counts what happens in this process. A nil *Metrics counts nothing.
type Metrics struct {
	registry *prometheus.Registry
	stages   *prometheus.HistogramVec
	outcomes *prometheus.CounterVec
	retries  *prometheus.CounterVec
	requests *prometheus.CounterVec
	answered *prometheus.HistogramVec
}

// NewMetrics returns metrics that count from zero.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "frontispiece_stage_duration_seconds", Buckets: stageBuckets,
			Help: "How long a stage of a picture took in this process; provider is the generator, bucket or target.",
		}, []string{"stage", "provider"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "frontispiece_attempts_total",
			Help: "Tries that ended, by stage, provider and outcome: ok, transient, terminal, canceled, or unreachable, which is no attempt.",
		}, []string{"stage", "provider", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "frontispiece_upload_retries_total",
			Help: "Uploads that were put off to be tried again, by the code of the error.",
		}, []string{"code"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "frontispiece_http_requests_total",
			Help: "Requests answered, by the route's pattern and the status.",
		}, []string{"route", "status"}),
		answered: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "frontispiece_http_request_duration_seconds", Buckets: requestBuckets,
			Help: "How long a request took, waiting for pictures included, by the route's pattern.",
		}, []string{"route"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "frontispiece_build_info", Help: "1, with the version of the program in its labels.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	m.retries.WithLabelValues("unavailable") // a rate needs a zero to begin at
	m.registry.MustRegister(m.stages, m.outcomes, m.retries, m.requests, m.answered, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Add has another collector answer scrapes too.
func (m *Metrics) Add(c prometheus.Collector) { m.registry.MustRegister(c) }

// Handler answers scrapes. What cannot be collected is left out: a queue that
// is away must not hide everything else.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}

// Took measures one stage.
func (m *Metrics) Took(stage, provider string, d time.Duration) {
	if m != nil {
		m.stages.WithLabelValues(stage, provider).Observe(max(0, d.Seconds()))
	}
}

// Ended counts a try.
func (m *Metrics) Ended(stage, provider, outcome string) {
	if m != nil {
		m.outcomes.WithLabelValues(stage, provider, outcome).Inc()
	}
}

// UploadPutOff counts an upload that is tried again later.
func (m *Metrics) UploadPutOff(code string) {
	if m != nil {
		m.retries.WithLabelValues(code).Inc()
	}
}

// Answered counts a request. route is a pattern, of which there are few, and
// never a path; empty for what no route took.
func (m *Metrics) Answered(route string, status int, d time.Duration) {
	if m == nil {
		return
	}
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.answered.WithLabelValues(route).Observe(d.Seconds())
}
