package cli_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/testenv"
	"github.com/glad-labs/frontispiece/tasks"
)

const (
	isFailed    = editorial.JobFailed
	isQueued    = editorial.JobQueued
	isUploading = editorial.JobUploading
)

func TestRetry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		line string // UPLOAD and GENERATE stand for the jobs' ids
		code int
		want []editorial.JobState // of the job failed at upload, and at generate
		out  []string
	}{
		{"one", "retry UPLOAD", 0, []editorial.JobState{isUploading, isFailed}, []string{"1 job retried: 1 picture is uploaded from the spool, 0 generated again"}},
		{"two", "retry UPLOAD GENERATE", 0, []editorial.JobState{isUploading, isQueued}, []string{"2 jobs retried", "1 generated again"}},
		{"a filter", "retry --failed --stage upload", 0, []editorial.JobState{isUploading, isFailed}, []string{"1 job retried"}},
		{"the other stage", "retry --failed --stage generate", 0, []editorial.JobState{isFailed, isQueued}, []string{"1 job retried"}},
		{"lately", "retry --failed --since 1h", 0, []editorial.JobState{isUploading, isQueued}, []string{"2 jobs retried"}},
		{"in no time", "retry --failed --since 1ns", 0, []editorial.JobState{isFailed, isFailed}, []string{"No failed jobs of that kind"}},
		{"all", "retry --all", 0, []editorial.JobState{isUploading, isQueued}, []string{"2 jobs retried", "inside the API's process"}},
		{"a plan", "retry --all --plan", 0, []editorial.JobState{isFailed, isFailed}, []string{
			"uploaded, nothing is generated  s3 access_denied", "generated again", "sdcpp refused", "2 jobs would be retried",
		}},
		{"a plan for machines", "retry --all --plan --json", 0, []editorial.JobState{isFailed, isFailed}, []string{`"uploads": 1`, `"generate": 1`, `"code": "access_denied"`}},
		{"all for machines", "retry --all --json", 0, []editorial.JobState{isUploading, isQueued}, []string{`"jobs": 2`, `"uploads": 1`, `"generate": 1`, `"left_alone": []`, `"unrung": 2`}},
		{"a job that is not there", "retry UPLOAD 0197f3a0-0000-7000-8000-000000000001", 1, []editorial.JobState{isUploading, isFailed}, []string{
			"1 job retried", "left alone  0197f3a0-0000-7000-8000-000000000001: there is no job with this id",
		}},
		{"what is no id", "retry lighthouse", 1, []editorial.JobState{isFailed, isFailed}, []string{"left alone  lighthouse: there is no job"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := migrated(t)
			upload, generate := s.failed("a lighthouse", editorial.StageUpload), s.failed("a harbour", editorial.StageGenerate)
			a := s.types(strings.NewReplacer("UPLOAD", upload.ID, "GENERATE", generate.ID).Replace(tt.line))
			if a.code != tt.code || a.errors != "" {
				t.Errorf("exit %d, want %d: %q", a.code, tt.code, a.errors)
			}
			says(t, a.out, tt.out...)
			same(t, "states", tt.want, s.states(upload, generate))
		})
	}
}

// What is retried twice, or did not fail, is left as it is and said.
func TestRetryTwice(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	job := s.failed("a lighthouse", editorial.StageUpload)
	s.mustType("retry " + job.ID)
	epoch := s.job(job.ID).Images[0].Epoch
	a := s.types("retry " + job.ID)
	says(t, a.out, "left alone", "no picture of this job has failed")
	if got := s.job(job.ID).Images[0].Epoch; a.code != 1 || got != epoch {
		t.Errorf("exit %d, epoch %d, want 1 and %d as before", a.code, got, epoch)
	}
	says(t, s.mustType("retry --all"), "No failed jobs")
}

// Who did it stands in the job's history.
func TestRetryIsRecorded(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	job := s.failed("a lighthouse", editorial.StageUpload)
	s.mustType("retry " + job.ID)
	events, err := s.store.Events(t.Context(), job.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if by, _ := last.Data["by"].(string); last.Type != "image.retried" || !strings.HasPrefix(by, "operator") {
		t.Errorf("the last event is %s by %v, want image.retried by an operator", last.Type, last.Data["by"])
	}
}

// More failed jobs than fit a page of the listing, all of one moment.
func TestRetryPages(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	job := s.failed("a lighthouse", editorial.StageGenerate)
	const rest = `kind, draft_id, round, final_state, request, linked_by, created_by, failure, created_at, updated_at, finalized_at`
	_, err := s.store.DB().ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 404)
		INSERT INTO image_jobs (id, `+rest+`) SELECT printf('%08d-0000-7000-8000-000000000000', i), `+rest+` FROM image_jobs, n WHERE id = ?`, job.ID)
	if err != nil {
		t.Fatal(err)
	}
	plan := s.mustType("retry --all --plan")
	says(t, plan, "405 jobs would be retried", "00000001-0000-7000-8000-000000000000", "00000404-0000-7000-8000-000000000000", job.ID)
	if n := strings.Count(plan, "\n"); n != 407 {
		t.Errorf("%d lines, want a head, one a job and a last one", n)
	}
}

// An interrupted run keeps what it did and says so; nothing is half done.
func TestRetryInterrupted(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	job := s.failed("a lighthouse", editorial.StageUpload)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := s.typesIn(ctx, "retry "+job.ID); a.code != 1 || strings.Count(a.errors, "\n") != 1 {
		t.Errorf("exit %d, %q", a.code, a.errors)
	}
	same(t, "states", []editorial.JobState{isFailed}, s.states(job))
}

// With a Redis the task is rung at once, in the queue of the spool.
func TestRetryRings(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	s := migrated(t, "REDIS_URL="+url)
	job := s.failed("a lighthouse", editorial.StageUpload)
	out := s.mustType("retry " + job.ID)
	if strings.Contains(out, "Redis") {
		t.Errorf("it was rung, and yet:\n%s", out)
	}
	q, err := queue.Open(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	img := s.job(job.ID).Images[0]
	waiting, err := q.Redis().LRange(t.Context(), "asynq:{"+tasks.UploadQueue(img.SpoolID)+"}:pending", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tasks", []string{tasks.NewPayload(img.ID, img.Epoch).TaskID()}, waiting)
}

// With Redis away the rows are committed all the same, and soon.
func TestRetryWithoutRedis(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	s.environ = append(s.environ, "REDIS_URL=redis://127.0.0.1:1", "DATABASE_URL=sqlite:"+s.dir+"/frontispiece.db")
	upload, generate := s.failed("a lighthouse", editorial.StageUpload), s.failed("a harbour", editorial.StageGenerate)
	a := s.types("retry --all")
	says(t, a.out, "2 jobs retried", "Redis did not take 2 tasks: the workers ring them within 20s")
	says(t, a.errors, "REDIS_URL", "nobody answers")
	if a.code != 0 {
		t.Errorf("exit %d", a.code)
	}
	same(t, "states", []editorial.JobState{isUploading, isQueued}, s.states(upload, generate))
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	s.submitted("a ferry")
	says(t, s.mustType("reconcile"), "0 pictures are due", "the API itself rings")
	says(t, s.mustType("reconcile --json"), `"due": 0`, `"rung": 0`)
}

// What waited for longer than its request allows is given up, and said.
func TestReconcileGivesUpWhatIsOverdue(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	job := s.submitted("a ferry")
	if _, err := s.store.DB().ExecContext(t.Context(), `UPDATE images SET deadline_at = created_at`); err != nil {
		t.Fatal(err)
	}
	says(t, s.mustType("reconcile"), "1 picture was given up: longer in line than asked for.")
	if got := s.job(job.ID); got.State != isFailed || got.Failure.Code != "deadline_exceeded" {
		t.Errorf("the job is %s: %v", got.State, got.Failure)
	}
	says(t, s.mustType("reconcile --json"), `"overdue": 0`)
}

// After a flush of Redis, before any worker is up, one reconcile rings it all.
func TestReconcileRings(t *testing.T) {
	t.Parallel()
	url := testenv.Redis(t)
	s := migrated(t, "REDIS_URL="+url)
	job := s.submitted("a ferry")
	s.longAgo()
	says(t, s.mustType("reconcile"), "1 picture is due, 1 rung anew")
	says(t, s.mustType("reconcile --json"), `"rung": 0`)
	if epoch := s.job(job.ID).Images[0].Epoch; epoch != job.Images[0].Epoch+1 {
		t.Errorf("epoch %d, want it raised once from %d", epoch, job.Images[0].Epoch)
	}
}

// A running embedded API has the folder locked and the queue inside: a retry
// commits the row, and the API finds it and makes the picture.
func TestRetryBesideARunningAPI(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	job := s.failed("a lighthouse", editorial.StageGenerate)
	api := runningAPI(t, s)
	defer api.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running errgroup.Group
	running.Go(func() error { return api.RunWorker(ctx) })
	defer func() {
		stop()
		if err := running.Wait(); err != nil {
			t.Error(err)
		}
	}()
	says(t, s.mustType("jobs"), job.ID, "failed")
	says(t, s.mustType("retry "+job.ID), "1 job retried", "a running API notices within 10s")
	deadline := time.After(3 * time.Minute)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for s.job(job.ID).State != editorial.JobStored {
		select {
		case <-deadline:
			t.Fatalf("the job is %s", s.job(job.ID).State)
		case <-look.C:
		}
	}
}
