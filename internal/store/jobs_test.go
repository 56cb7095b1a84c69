package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

func (b *bench) jobs(f store.JobFilter) (ids []string) {
	b.t.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	jobs, err := b.Jobs(b.t.Context(), f)
	b.must(err)
	for _, job := range jobs {
		ids = append(ids, job.ID)
	}
	return ids
}

func TestJobsByStateAndDraft(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		queued := b.job(editorial.KindGenerate, "draft-1", 1, 2)
		generating := b.job(editorial.KindGenerate, "draft-1", 2, 2)
		_, err := b.claim((*store.Tx).ClaimGenerate, generating.Images[1].ID, "a", lease)
		b.must(err)
		uploading := b.uploading("b").JobID
		b.exec(`UPDATE images SET backend = 'card' WHERE job_id = '` + uploading + `'`)
		failed := b.job(editorial.KindGenerate, "draft-2", 1, 1)
		b.tx(func(tx *store.Tx) error {
			return tx.FinishJob(t.Context(), failed.ID, editorial.JobFailed, failure, "")
		})
		for _, tt := range []struct {
			filter store.JobFilter
			want   []string
		}{
			{store.JobFilter{}, []string{failed.ID, uploading, generating.ID, queued.ID}},
			{store.JobFilter{State: editorial.JobQueued}, []string{queued.ID}},
			{store.JobFilter{State: editorial.JobGenerating}, []string{generating.ID}},
			{store.JobFilter{State: editorial.JobUploading}, []string{uploading}},
			{store.JobFilter{State: editorial.JobFailed}, []string{failed.ID}},
			{store.JobFilter{State: editorial.JobStored}, nil},
			{store.JobFilter{DraftID: "draft-1"}, []string{generating.ID, queued.ID}},
			{store.JobFilter{DraftID: "draft-1", State: editorial.JobFailed}, nil},
			{store.JobFilter{Kind: editorial.KindGenerate, CreatedBy: "tester"}, []string{failed.ID, uploading, generating.ID, queued.ID}},
			{store.JobFilter{Kind: editorial.KindBackfill}, nil},
			{store.JobFilter{CreatedBy: "somebody else"}, nil},
			{store.JobFilter{Backend: "card"}, []string{uploading}},
			{store.JobFilter{Backend: "pexels"}, nil},
			{store.JobFilter{CreatedBefore: time.Now().Add(-time.Hour)}, nil},
			{store.JobFilter{CreatedAfter: time.Now().Add(-time.Hour), State: editorial.JobFailed}, []string{failed.ID}},
			{store.JobFilter{DraftID: "'; DROP TABLE images; --"}, nil},
		} {
			if diff := cmp.Diff(tt.want, b.jobs(tt.filter)); diff != "" {
				t.Errorf("Jobs(%+v), newest first (-want +got):\n%s", tt.filter, diff)
			}
			for _, id := range tt.want {
				if job := b.readJob(id); tt.filter.State != "" && job.State != tt.filter.State {
					t.Errorf("a listing of what is %s has a job that is %s", tt.filter.State, job.State)
				}
			}
		}
	})
}

// Pages neither repeat nor skip, also where jobs were made in one millisecond.
func TestJobsPageByPage(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for range 11 {
			b.job(editorial.KindGenerate, "", 0, 1)
		}
		b.exec(`UPDATE image_jobs SET created_at = '2026-01-02T03:04:05.678Z'
			WHERE id IN (SELECT id FROM image_jobs ORDER BY id LIMIT 6)`)
		all := b.jobs(store.JobFilter{})
		for _, size := range []int{1, 2, 3, 5, 11, 12} {
			var pages []string
			filter := store.JobFilter{Limit: size}
			for range 12 {
				jobs, err := b.Jobs(t.Context(), filter)
				b.must(err)
				for _, job := range jobs {
					pages = append(pages, job.ID)
					filter.Before, filter.BeforeID = job.CreatedAt, job.ID
				}
				b.job(editorial.KindGenerate, "", 0, 1) // newer than the cursor: no page moves
			}
			if diff := cmp.Diff(all, pages); diff != "" {
				t.Errorf("pages of %d (-all +pages):\n%s", size, diff)
			}
			all = b.jobs(store.JobFilter{})
		}
	})
}

func TestUnsettledJobs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		lost, live := b.job(editorial.KindGenerate, "", 0, 1), b.job(editorial.KindGenerate, "", 0, 2)
		for _, job := range []editorial.Job{lost, live} {
			b.tx(func(tx *store.Tx) error {
				_, err := tx.MoveImage(t.Context(), job.Images[0].ID, editorial.StateQueued, editorial.StateCanceled, nil)
				return err
			})
		}
		if ids, err := b.UnsettledJobs(t.Context(), 10); ids != nil || err != nil {
			t.Errorf("a moment ago: %v, %v; want none", ids, err)
		}
		b.exec(`UPDATE image_jobs SET updated_at = '2026-01-02T03:04:05.678Z'`)
		ids, err := b.UnsettledJobs(t.Context(), 10)
		if diff := cmp.Diff([]string{lost.ID}, ids); diff != "" || err != nil {
			t.Errorf("unsettled (-want +got), %v:\n%s", err, diff)
		}
	})
}

func TestARoundIsOneJob(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.job(editorial.KindGenerate, "draft", 1, 1)
		second := editorial.Job{ID: newID(), Kind: editorial.KindGenerate, DraftID: "draft", Round: 1, CreatedBy: "tester"}
		second.Images = []editorial.Image{{ID: newID(), Number: 1}}
		if err := b.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertJob(t.Context(), &second) }); !store.IsDuplicate(err) {
			t.Errorf("a second job of a round: %v, want a duplicate", err)
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, id := range []string{newID(), "", "x", "'", "00000000-0000-0000-0000-00000000000g"} {
			_, jobErr := b.Job(t.Context(), id)
			_, imageErr := b.Image(t.Context(), id)
			_, postErr := b.Post(t.Context(), id)
			_, draftErr := b.Draft(t.Context(), id)
			for what, err := range map[string]error{"job": jobErr, "image": imageErr, "post": postErr, "draft": draftErr} {
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s %q: %v, want ErrNotFound", what, id, err)
				}
			}
		}
	})
}

func TestAnIdempotencyKeyIsRememberedForADay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, second := b.job(editorial.KindGenerate, "", 0, 1).ID, b.job(editorial.KindGenerate, "", 0, 1).ID
		remember := func(scope, body, job string) (gotJob, gotBody string) {
			t.Helper()
			b.tx(func(tx *store.Tx) (err error) {
				gotJob, gotBody, err = tx.RememberKey(t.Context(), scope, body, job)
				return err
			})
			return gotJob, gotBody
		}
		for _, tt := range []struct{ scope, body, job, wantJob, wantBody string }{
			{"a", "body", first, first, "body"},
			{"a", "body", second, first, "body"},
			{"a", "other", second, first, "body"},
			{"b", "other", second, second, "other"},
		} {
			if job, body := remember(tt.scope, tt.body, tt.job); job != tt.wantJob || body != tt.wantBody {
				t.Errorf("RememberKey(%s, %s) = %s, %s; want %s, %s", tt.scope, tt.body, job, body, tt.wantJob, tt.wantBody)
			}
		}
		age := func(scope string, by time.Duration) {
			b.exec(fmt.Sprintf(`UPDATE idempotency_keys SET created_at = '%s' WHERE scope = '%s'`,
				time.Now().UTC().Add(-by).Format("2006-01-02T15:04:05.000Z"), scope))
		}
		age("a", store.IdempotencyTTL-time.Minute)
		age("b", store.IdempotencyTTL+time.Minute)
		if job, _ := remember("a", "body", second); job != first {
			t.Error("a key was forgotten before its day was over")
		}
		if job, _ := remember("b", "new", first); job != first {
			t.Error("a key was remembered after its day was over")
		}
		age("b", store.IdempotencyTTL+time.Minute)
		if n, err := b.ForgetKeys(t.Context()); n != 1 || err != nil {
			t.Errorf("ForgetKeys = %d, %v; want 1", n, err)
		}
	})
}

func TestOfTwoRequestsWithOneKeyOneWins(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		errSecond := errors.New("the key has a job already")
		jobs := make([]string, 10)
		for i := range jobs {
			jobs[i] = b.job(editorial.KindGenerate, "", 0, 1).ID
		}
		won := b.together(len(jobs), errSecond, func(i int) error {
			return b.InTx(t.Context(), func(tx *store.Tx) error {
				job, _, err := tx.RememberKey(t.Context(), "key", "body", jobs[i])
				if err == nil && job != jobs[i] {
					return errSecond
				}
				return err
			})
		})
		if won != 1 {
			t.Errorf("%d requests won", won)
		}
	})
}

func TestAcceptWritesAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		job := editorial.Job{
			ID: uuid.NewString(), Kind: editorial.KindGenerate, State: editorial.JobQueued, CreatedBy: "jane",
			Request: editorial.Request{Prompt: "a lighthouse", Width: 1200, Height: 630, Count: 2},
		}
		for n := range 2 {
			job.Images = append(job.Images, editorial.Image{
				ID: uuid.NewString(), JobID: job.ID, Number: n + 1, State: editorial.StateQueued, Seed: int64(40 + n), AltText: "a tower",
			})
		}
		queued := editorial.JobEvent{JobID: job.ID, Type: "job.queued", Data: map[string]any{"count": 2.0}}
		b.must(b.Accept(t.Context(), &job, queued))
		if diff := cmp.Diff(b.readJob(job.ID), job); diff != "" {
			t.Errorf("what Accept filled in is not what is read (-read +filled in):\n%s", diff)
		}
		events, err := b.Events(t.Context(), job.ID, 0, 10)
		b.must(err)
		if len(events) != 1 || events[0].Type != "job.queued" || !cmp.Equal(events[0].Data, queued.Data) || events[0].At.Before(job.CreatedAt) {
			t.Errorf("the history is %+v", events)
		}

		twin := job
		twin.ID = uuid.NewString()
		twin.Images = slices.Clone(job.Images) // the ids of the first's: taken
		queued.JobID = twin.ID
		if err := b.Accept(t.Context(), &twin, queued); err == nil {
			t.Error("a job with another's images was accepted")
		}
		if _, err := b.Job(t.Context(), twin.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("of a job that was not accepted there is: %v", err)
		}
	})
}
