package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

// productionBound is how long promise P1 gives production after the last fault
// to have everything claimed or rung again; what these tests queue ends with it.
const productionBound = 5 * time.Minute

// site is a whole production: PostgreSQL, a Redis of its own, an S3 server
// behind a front that can fail, a CDN that can fail, one API and workers.
type site struct {
	*client
	api     *program
	workers []*program
	db      *sqlx.DB
	redis   *service.Server // nil when the plan names another
	s3      *front          // between the workers and the S3 server
	cdn     *front          // between everybody and the pictures
	gateway blobtest.Gateway
	dir     string // of everybody's DATA_DIR
	shared  bool   // one spool for all workers
}

// plan is what a site's tests vary.
type plan struct {
	database    string   // empty: a database of its own on the shared server
	redis       string   // empty: a server of its own, at site.redis
	workers     int      // 0: two
	queues      string   // WORKER_QUEUES of the workers; empty: all
	sharedSpool bool     // else each worker has a disk of its own
	env         []string // of every process
	// uploader makes the user whose key the workers have; nil: the S3 server's
	// own, who may do everything.
	uploader func(testing.TB, blobtest.Gateway) blobtest.Gateway
	// readers starts what stands between the bucket and its readers, and returns
	// its URL; nil: a front that can fail, at site.cdn.
	readers func(testing.TB, blobtest.Gateway) string
}

// startSite starts everything; the faults come later.
func startSite(t testing.TB, p plan) *site {
	t.Helper()
	if p.database == "" {
		p.database = testenv.Postgres(t)
	}
	if p.workers == 0 {
		p.workers = 2
	}
	gw := blobtest.StartGateway(t)
	s := &site{dir: t.TempDir(), shared: p.sharedSpool, gateway: gw, s3: startFront(t, s3Proxy(t, gw.Endpoint)), cdn: startFront(t, edgeOf(gw))}
	s.db = openDB(t, p.database)
	if p.redis == "" {
		s.redis = testenv.StartRedis(t)
		p.redis = s.redis.URL
	}
	uploader, public := gw, s.cdn.url
	if p.uploader != nil {
		uploader = p.uploader(t, gw)
	}
	if p.readers != nil {
		public = p.readers(t, gw)
	}
	env := append([]string{
		"DATABASE_URL=" + p.database, "REDIS_URL=" + p.redis, "RENDITIONS=64",
		"AWS_S3_BUCKET=" + gw.Bucket, "AWS_ACCESS_KEY_ID=" + uploader.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + uploader.SecretAccessKey,
		"AWS_ENDPOINT_URL_S3=" + s.s3.url, "PUBLIC_BASE_URL=" + public,
	}, p.env...)
	addr := testenv.FreeAddr(t)
	s.client = newClient(t, "http://"+addr)
	s.api = newProgram(t, "api", "api", append(env, "LISTEN_ADDR="+addr, "DATA_DIR="+filepath.Join(s.dir, "api"))...)
	for n := range p.workers {
		name := fmt.Sprint("worker", n+1)
		w := newProgram(t, "worker", name, env...)
		w.env = append(env[:len(env):len(env)], "DATA_DIR="+filepath.Join(s.dir, name), "SPOOL_DIR="+s.spoolDir(w), "WORKER_QUEUES="+p.queues)
		s.workers = append(s.workers, w)
	}
	s.api.start()
	s.api.awaitReady(s.base)
	for _, w := range s.workers {
		w.start()
	}
	return s
}

// spoolDir is where a worker keeps what waits for its upload.
func (s *site) spoolDir(w *program) string {
	if s.shared {
		return filepath.Join(s.dir, "spool")
	}
	return filepath.Join(s.dir, w.name, "spool")
}

// order is a small picture: these tests are about its way, not about its looks.
const order = `{"prompt":"A lighthouse at dawn","width":320,"height":256}`

// orderFor is an order for a draft.
func orderFor(draft string, count int) string {
	return fmt.Sprintf(`{"prompt":"A lighthouse at dawn","width":320,"height":256,"count":%d,"draft_id":%q}`, count, draft)
}

// check waits until every job has ended and then names each broken promise.
func (s *site) check() *records {
	s.t.Helper()
	var r records
	eventually(s.t, productionBound, func() (err error) {
		r, err = readRows(s.t.Context(), s.db)
		if err != nil {
			return err
		}
		return r.pending(s.acceptedJobs())
	})
	var err error
	if r.objects, err = readObjects(filepath.Join(s.gateway.Dir, s.gateway.Bucket)); err != nil {
		s.t.Fatal(err)
	}
	r.puts, r.fetch = s.s3.bodies(), fetch
	for _, v := range violations(&r) {
		s.t.Error(v)
	}
	return &r
}

// awaitFailure waits until some picture waits for another try with this code,
// and returns its row's account of it.
func (s *site) awaitFailure(code string) failure {
	s.t.Helper()
	var f failure
	eventually(s.t, productionBound, func() error {
		for _, id := range s.acceptedJobs() {
			for _, c := range s.job(id).Candidates {
				if c.Failure != nil && c.Failure.Code == code {
					f = *c.Failure
					return nil
				}
			}
		}
		return fmt.Errorf("no picture waits because of %q", code)
	})
	if !f.complete() {
		s.t.Errorf("P10: incomplete: %+v", f)
	}
	return f
}

// awaitStates waits until the images are in these states.
func (s *site) awaitStates(within time.Duration, want map[string]int) {
	s.t.Helper()
	eventually(s.t, within, func() error {
		r, err := readRows(s.t.Context(), s.db)
		if err != nil {
			return err
		}
		if got := r.imageStates(); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("the images are %v, want %v", got, want)
		}
		return nil
	})
}

// noPost asserts that nothing is public yet.
func (s *site) noPost(slug string) {
	s.t.Helper()
	s.get("/api/posts/" + slug).want(http.StatusNotFound)
}
