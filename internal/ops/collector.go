package ops

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/glad-labs/frontispiece/internal/store"
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("frontispiece_"+name, help, labels, nil)
}

// What a scrape says besides the process' own metrics. All API processes of one
// site say the same, so dashboards take the maximum over them and not the sum.
var (
	descUp     = gauge("part_up", "Whether a part that everything depends on answers: database, queue.", "part")
	descImages = gauge("images", "Pictures at a stage, up to 100000: queued, generating, uploading, failed.", "stage")
	descOldest = gauge("oldest_image_age_seconds", "How long ago the oldest picture at a stage was asked for; 0 when there is none.", "stage")

	descApprovals    = gauge("approvals_waiting", "Approved drafts that wait for their picture.")
	descApprovalsAge = gauge("oldest_approval_age_seconds", "How long the oldest of them has not changed; 0 when there is none.")
	descDeliveries   = gauge("deliveries", "Deliveries of events that are pending, or were given up.", "state")
	descDeliveryAge  = gauge("oldest_delivery_age_seconds", "How old the oldest pending delivery is; 0 when there is none.")

	descTasks  = gauge("queue_tasks", "Tasks in a queue by asynq's state.", "queue", "state")
	descWait   = gauge("queue_oldest_task_age_seconds", "How long the first task in line has waited; 0 when there is none.", "queue")
	descPaused = gauge("queue_paused", "1 while somebody has paused the queue in the dashboard.", "queue")

	descSpoolBytes = gauge("spool_bytes", "Bytes that wait for upload in a spool.", "spool")
	descSpoolQuota = gauge("spool_quota_bytes", "Bytes at which generating pauses.", "spool")
	descSpoolFree  = gauge("spool_disk_free_bytes", "Bytes free on the disk of a spool, as its worker last said.", "spool", "host")
	descSpoolSeen  = gauge("spool_last_seen_seconds", "How long ago a worker was last seen on a spool with work waiting or in the last day.", "spool")

	descWorkers  = gauge("workers", "Workers whose heartbeat is fresh.")
	descSilent   = gauge("workers_silent", "Workers of the last day that ended without a word.")
	descStopped  = gauge("worker_paused", "1 while a worker has paused a kind of work by itself: generating, uploads.", "host", "worker", "work")
	descGen      = gauge("generator_up", "Whether a generator would take a request now, asked from this process.", "generator")
	descUsed     = gauge("budget_used", "How much of a budget is used, in requests or in US dollars with what is set aside for pictures under way.", "budget")
	descLimit    = gauge("budget_limit", "How much of a budget there is; none for a budget without a cap.", "budget")
	descSpent    = gauge("budget_spent", "1 while the next use of a budget would be refused.", "budget")
	descWatchers = gauge("watchers", "Event streams and long polls of the APIs that are open in this process.")
)

// Collector tells Prometheus what a look has seen.
type Collector struct{ room *Room }

// Collector returns the room's collector.
func (o *Room) Collector() *Collector { return &Collector{o} }

// Describe implements [prometheus.Collector]: by saying nothing, since which
// spools and queues there are changes.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// sink collects one scrape.
type sink struct {
	to  chan<- prometheus.Metric
	now time.Time
}

func (s sink) set(d *prometheus.Desc, value float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s sink) age(d *prometheus.Desc, since time.Time, labels ...string) {
	age := 0.0
	if !since.IsZero() {
		age = max(0, s.now.Sub(since).Seconds())
	}
	s.set(d, age, labels...)
}

func (s sink) flag(d *prometheus.Desc, on bool, labels ...string) {
	value := 0.0
	if on {
		value = 1
	}
	s.set(d, value, labels...)
}

// Collect implements [prometheus.Collector]. Parts that could not be seen are
// left out and reported as down: an old value would look like a calm night.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	v := c.room.Look(context.Background()) // Prometheus hands on no request; the look has limits of its own
	s := sink{to, v.At}
	s.flag(descUp, v.Rows == nil, "database")
	s.flag(descUp, v.Queue == nil, "queue")
	s.set(descWatchers, float64(c.room.Watchers()))
	if v.Rows == nil {
		s.rows(v)
		s.workers(v)
	}
	if v.Queue == nil {
		s.queues(v)
	}
	for _, g := range v.Generators {
		s.flag(descGen, g.OK, g.Name)
	}
	for _, b := range v.Budgets {
		s.set(descUsed, b.Used, b.Name)
		if b.Limit > 0 { // a ratio to nothing would fire an alert
			s.set(descLimit, b.Limit, b.Name)
			s.flag(descSpent, b.Spent, b.Name)
		}
	}
}

func (s sink) rows(v View) {
	for stage, place := range map[string]store.Standing{
		"queued": v.Survey.Queued, "generating": v.Survey.Generating, "uploading": v.Survey.Uploading,
	} {
		s.set(descImages, float64(place.Count), stage)
		s.age(descOldest, place.Oldest, stage)
	}
	s.set(descImages, float64(v.Survey.Failed.Count), "failed")
	s.set(descApprovals, float64(v.Survey.Approved.Count))
	s.age(descApprovalsAge, v.Survey.Approved.Oldest)
	s.set(descDeliveries, float64(v.Survey.DeliveriesPending.Count), "pending")
	s.set(descDeliveries, float64(v.Survey.DeliveriesFailed.Count), "failed")
	s.age(descDeliveryAge, v.Survey.DeliveriesPending.Oldest)
}

func (s sink) workers(v View) {
	alive, silent := 0, 0
	said := map[string]bool{} // a shared spool's disk is told once
	for _, w := range v.Workers {
		if !v.alive(w.SeenAt) {
			silent++
			continue
		}
		alive++
		s.flag(descStopped, w.GeneratingPaused != "", w.Host, w.ID, "generating")
		s.flag(descStopped, w.UploadsPaused != "", w.Host, w.ID, "uploads")
		if key := w.SpoolID + w.Host; !said[key] {
			said[key] = true
			s.set(descSpoolFree, float64(w.DiskFree), w.SpoolID, w.Host)
		}
	}
	s.set(descWorkers, float64(alive))
	s.set(descSilent, float64(silent))
	for _, sp := range v.Spools {
		if v.At.Sub(sp.SeenAt) > 24*time.Hour && sp.Bytes == 0 {
			continue // a disk of long ago, with nothing on it
		}
		s.set(descSpoolBytes, float64(sp.Bytes), sp.ID)
		s.set(descSpoolQuota, float64(sp.Quota), sp.ID)
		s.age(descSpoolSeen, sp.SeenAt, sp.ID)
	}
}

func (s sink) queues(v View) {
	for _, q := range v.Queues {
		for state, n := range map[string]int{
			"pending": q.Pending, "active": q.Active, "scheduled": q.Scheduled, "retry": q.Retry, "archived": q.Archived,
		} {
			s.set(descTasks, float64(n), q.Name, state)
		}
		age := 0.0
		if !q.Oldest.IsZero() {
			age = max(0, time.Since(q.Oldest).Seconds()) // by this process' clock, as asynq's stamps are
		}
		s.set(descWait, age, q.Name)
		s.flag(descPaused, q.Paused, q.Name)
	}
}
