package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

const (
	many = 1_000_000
	few  = 1_000
)

// history fills a site with jobs that have ended, one picture and one published
// draft each, a minute apart. The last statement leaves a site as vacuum does.
var history = []string{
	`SET synchronous_commit = off`,
	`INSERT INTO image_jobs (id, kind, draft_id, round, final_state, request, linked_by, created_by, created_at, updated_at, finalized_at)
		SELECT uuid(lpad(to_hex(n), 32, '0')), 'generate', 'draft-' || n, 1, CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'stored' END,
			'{"prompt":"A lighthouse at dawn","title":"Notes","width":1200,"height":630,"count":1,"use_generation":true}', 'task_id', 'bench', t, t, t
		FROM (SELECT n, now() - n * interval '1 minute' AS t FROM generate_series(1, %[1]d) n) x`,
	`INSERT INTO images (id, job_id, draft_id, round, number, state, next_attempt_at, seed, backend, model, spool_id, raw_sha256, sha256, key, url,
			source, content_type, width, height, bytes, created_at, updated_at, spooled_at, finalized_at)
		SELECT uuid('1' || lpad(to_hex(n), 31, '0')), uuid(lpad(to_hex(n), 32, '0')), 'draft-' || n, 1, 1,
			CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'stored' END, t, n, 'card', 'card/1', 'bench', lpad(to_hex(n), 64, '0'), lpad(to_hex(n), 64, '0'),
			'generated/' || n || '.png', 'https://cdn.test/generated/' || n || '.png', 'card-s3', 'image/png', 1200, 630, 400000, t, t, t, t
		FROM (SELECT n, now() - n * interval '1 minute' AS t FROM generate_series(1, %[1]d) n) x`,
	`INSERT INTO draft_images (draft_id, round, chosen_image_id, approval_id, approved_round, post_id, published_round, published_image_id, updated_at)
		SELECT 'draft-' || n, 1, uuid('1' || lpad(to_hex(n), 31, '0')), uuid('2' || lpad(to_hex(n), 31, '0')), 1,
			uuid('3' || lpad(to_hex(n), 31, '0')), 1, uuid('1' || lpad(to_hex(n), 31, '0')), now()
		FROM generate_series(1, %[1]d) n`,
	`VACUUM ANALYZE`,
}

// old is a site with a history, and the API on it.
type old struct {
	*site
	jobs int
	api  *process
	c    *client
	ids  *rand.Rand
}

func (m *machine) old(tb testing.TB, jobs int) *old {
	tb.Helper()
	o := &old{site: m.site(tb), jobs: jobs, ids: rand.New(rand.NewPCG(3, 4))}
	db := m.connect(tb, o.databaseURL)
	db.SetMaxOpenConns(1) // SET is the session's
	fill(tb, db, jobs)
	o.api = m.serve(tb, "api", o.env()...)
	o.c = connection(tb, o.api)
	return o
}

func fill(tb testing.TB, db *sqlx.DB, jobs int) {
	tb.Helper()
	for i, statement := range history {
		if i > 0 && i < len(history)-1 {
			statement = fmt.Sprintf(statement, jobs)
		}
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

func (o *old) get(tb testing.TB, path string) func() float64 {
	return func() float64 { return latency(tb, o.c, request("GET", path, "", ""), 200) }
}

// poll looks at a random old job.
func (o *old) poll(tb testing.TB) float64 {
	tb.Helper()
	id := fmt.Sprintf("00000000-0000-0000-0000-%012x", 1+o.ids.IntN(o.jobs))
	return o.get(tb, "/v1/jobs/"+id)()
}

func (o *old) accept(tb testing.TB) float64 {
	tb.Helper()
	return latency(tb, o.c, request("POST", "/v1/jobs", asJSON, submission), 202)
}

// page reads a page from the middle of the list, as a cursor would have it.
func (o *old) page(tb testing.TB) float64 {
	tb.Helper()
	begun := time.Now()
	jobs, err := o.store.Jobs(tb.Context(), store.JobFilter{
		Before: begun.Add(-time.Duration(o.jobs/2) * time.Minute), BeforeID: "00000000-0000-0000-0000-000000000000", Limit: 20,
	})
	if err != nil || len(jobs) != 20 || jobs[0].State != editorial.JobStored && jobs[0].State != editorial.JobFailed {
		tb.Fatalf("%d jobs, %v", len(jobs), err)
	}
	return millis(time.Since(begun))
}

func (o *old) reconcile(tb testing.TB) float64 {
	tb.Helper()
	begun := time.Now()
	if _, err := o.Reconcile(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return millis(time.Since(begun))
}

func measureMillion(b *testing.B, m *machine) []figure {
	big, small := m.old(b, many), m.old(b, few)
	defer big.api.stop()
	defer small.api.stop()
	goal := timesFloor(1.3)
	row := func(name string, times int, big, small func() float64) figure {
		big()
		small()
		o, f := inTurns(times, big, small)
		return figure{name + ", 1,000,000 jobs beside 1,000", "ms", o, f, goal}
	}
	return []figure{
		row("poll", 300, func() float64 { return big.poll(b) }, func() float64 { return small.poll(b) }),
		row("list, newest", 200, big.get(b, "/v1/jobs"), small.get(b, "/v1/jobs")),
		row("list, the failed", 200, big.get(b, "/v1/jobs?state=failed"), small.get(b, "/v1/jobs?state=failed")),
		row("list, of one generator", 200, big.get(b, "/v1/jobs?backend=card"), small.get(b, "/v1/jobs?backend=card")),
		row("list, of one that made nothing", 200, big.get(b, "/v1/jobs?backend=pexels"), small.get(b, "/v1/jobs?backend=pexels")),
		row("list, a page in the middle", 50, func() float64 { return big.page(b) }, func() float64 { return small.page(b) }),
		row("reconcile", 50, func() float64 { return big.reconcile(b) }, func() float64 { return small.reconcile(b) }),
		row("accept", 300, func() float64 { return big.accept(b) }, func() float64 { return small.accept(b) }),
	}
}
