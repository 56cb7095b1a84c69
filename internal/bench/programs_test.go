package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/spool"
)

// measureStart starts the embedded program on an empty folder and on one that
// it has used, and looks at what it takes when nothing happens.
func measureStart(b *testing.B, m *machine) []figure {
	var first, again, resident, trips []float64
	for i := range 7 {
		env := []string{"DATA_DIR=" + b.TempDir()}
		for _, times := range []*[]float64{&first, &again} {
			begun := time.Now()
			p := m.serve(b, "api", env...)
			*times = append(*times, millis(time.Since(begun)))
			if i == 0 && times == &again {
				p.rest()
				resident = append(resident, p.memory(b, "VmRSS"))
				trips = roundTrips(b, p)
			}
			p.stop()
		}
	}
	return []figure{
		{"start to ready, embedded, empty folder", "ms", median(first), 0, atMost(400)},
		{"start to ready, embedded, folder in use", "ms", median(again), 0, atMost(400)},
		{"resident memory, embedded, idle", "MiB", median(resident), 0, goal{}},
		{"submit to stored, embedded, card 1200×630 with its rendition", "ms", median(trips), 0, goal{}},
	}
}

// rest gives a process that has just started the time to become idle.
func (p *process) rest() {
	select {
	case <-time.After(2 * time.Second):
	case <-p.done:
	}
}

// roundTrips submits cards one after the other and waits for each.
func roundTrips(tb testing.TB, p *process) []float64 {
	tb.Helper()
	c := connection(tb, p)
	var took []float64
	for range 15 {
		took = append(took, latency(tb, c, request("POST", "/v1/jobs", asJSON+"Prefer: wait=30\r\n", submission), 201))
	}
	return took
}

// measureIdle lets an API, a worker and a bare asynq server do nothing side by
// side, each on a line of its own in one Redis.
func measureIdle(b *testing.B, m *machine) []figure {
	s := m.site(b)
	bare := m.start(b, "floor-asynq", "REDIS_URL="+m.queue())
	api := m.serve(b, "api", s.env()...)
	worker := m.start(b, "worker", s.env()...)
	all := []*process{bare, api, worker}
	for _, p := range all {
		p.rest()
	}
	before := make([]time.Duration, len(all))
	for i, p := range all {
		before[i] = p.cpu(b)
	}
	const span = 25 * time.Second
	<-time.After(span)
	share := make([]float64, len(all))
	for i, p := range all {
		share[i] = 100 * float64(p.cpu(b)-before[i]) / float64(span)
		p.stop()
	}
	return []figure{
		{"idle CPU of API and worker, real Redis", "% of a core", share[1] + share[2], share[0], timesFloor(2)},
		{"of that the API", "% of a core", share[1], share[0], goal{}},
	}
}

const inFlight = 64

// measureUploads gives a worker 64 pictures of 8 MiB and a bucket that takes
// every put and answers none.
func measureUploads(b *testing.B, m *machine) []figure {
	var held atomic.Int64
	release := make(chan struct{})
	bucket := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		held.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer bucket.Close()
	defer close(release)
	s := m.site(b)
	disk, err := spool.Open(filepath.Join(s.dir, "spool"), 4<<30)
	if err != nil {
		b.Fatal(err)
	}
	file := noisyPNG(b, 1700, 8<<20)
	sum := sha256.Sum256(file)
	facts, err := json.Marshal(map[string]string{"kind": "raw", "backend": "card"})
	if err != nil {
		b.Fatal(err)
	}
	for range inFlight {
		job := s.submit(b, "")
		if _, err := disk.Put(b.Context(), job.Images[0].ID, facts, file); err != nil {
			b.Fatal(err)
		}
		s.spool(b, job, disk.ID(), hex.EncodeToString(sum[:]), int64(len(file)))
	}
	worker := m.start(b, "worker", s.env("AWS_S3_BUCKET=pictures", "AWS_ENDPOINT_URL_S3="+bucket.URL, "AWS_ACCESS_KEY_ID=bench",
		"AWS_SECRET_ACCESS_KEY=bench-bench", "UPLOAD_CONCURRENCY="+fmt.Sprint(inFlight), "RENDITIONS=off", "UPLOAD_TIMEOUT=5m")...)
	worker.await(b, "never has all uploads in flight", func() error {
		if n := held.Load(); n < inFlight {
			return fmt.Errorf("%d puts", n)
		}
		return nil
	})
	worker.rest()
	now, peak := worker.memory(b, "VmRSS"), worker.memory(b, "VmHWM")
	worker.stop()
	return []figure{
		{"worker memory, 64 uploads of 8 MiB in flight", "MiB", now, 0, atMost(160)},
		{"its peak on the way there", "MiB", peak, 0, atMost(160)},
	}
}
