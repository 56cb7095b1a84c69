package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

func TestSurveyCountsWhatStandsWhere(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first := b.image()
		b.image()
		b.generating("g")
		b.uploading("u")
		failed := b.generating("f")
		b.tx(func(tx *store.Tx) error {
			return tx.GiveUp(t.Context(), failed, editorial.NewFailure("refused", editorial.StageGenerate, editorial.Terminal, "card", "no"))
		})
		b.tx(func(tx *store.Tx) error {
			return tx.InsertDelivery(t.Context(), store.Delivery{ID: newID(), Event: "post.published", Target: "site", Payload: map[string]any{"a": 1}})
		})
		survey, now, err := b.Survey(t.Context())
		b.must(err)
		counts := map[string]int{
			"queued": survey.Queued.Count, "generating": survey.Generating.Count, "uploading": survey.Uploading.Count,
			"failed": survey.Failed.Count, "approved": survey.Approved.Count,
			"pending": survey.DeliveriesPending.Count, "given up": survey.DeliveriesFailed.Count,
		}
		want := map[string]int{"queued": 2, "generating": 1, "uploading": 1, "failed": 1, "approved": 0, "pending": 1, "given up": 0}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		if !survey.Queued.Oldest.Equal(first.CreatedAt) || !survey.Approved.Oldest.IsZero() {
			t.Errorf("oldest queued at %v, approved at %v; want %v and none", survey.Queued.Oldest, survey.Approved.Oldest, first.CreatedAt)
		}
		if now.Before(first.CreatedAt) || now.Location() != time.UTC {
			t.Errorf("the database's clock says %v", now)
		}
	})
}

// Troubles are what waits after an error and what failed, unless a newer round
// has taken its place.
func TestTroubles(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		refused := editorial.NewFailure("refused", editorial.StageGenerate, editorial.Terminal, "card", "no")
		fail := func(draft string, round int) editorial.Image {
			img := b.job(editorial.KindGenerate, draft, round, 1).Images[0]
			img, err := b.claim((*store.Tx).ClaimGenerate, img.ID, newID(), lease)
			b.must(err)
			b.tx(func(tx *store.Tx) error { return tx.GiveUp(t.Context(), img, refused) })
			return img
		}
		waits := b.uploading("w")
		b.tx(func(tx *store.Tx) error {
			away := editorial.NewFailure("unavailable", editorial.StageUpload, editorial.Transient, "bucket", "503")
			return tx.Postpone(t.Context(), waits, away, time.Hour, true)
		})
		alone := fail("", 0)
		old := fail("draft", 1)
		b.tx(func(tx *store.Tx) error {
			state, err := tx.LockDraft(t.Context(), "draft")
			if err != nil {
				return err
			}
			state.Round = 2
			return tx.SaveDraftImages(t.Context(), state)
		})
		wanted := fail("draft", 2)
		list, err := b.Troubles(t.Context(), 10)
		b.must(err)
		got := map[string]string{}
		for _, trouble := range list {
			got[trouble.ImageID] = fmt.Sprintf("%s failed=%v spooled=%v in %q tried again=%v",
				trouble.Failure.Code, trouble.Failed, trouble.Spooled, trouble.SpoolID, !trouble.NextAttemptAt.IsZero())
		}
		const refusal = `refused failed=true spooled=false in "" tried again=false`
		want := map[string]string{
			waits.ID: `unavailable failed=false spooled=true in "spool" tried again=true`, alone.ID: refusal, wanted.ID: refusal,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("troubles (-want +got), %s is of an old round:\n%s", old.ID, diff)
		}
	})
}

// A task reads as its draft's title where the request has none of its own, also
// in a site without a column for titles.
func TestFactsOfATask(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft(map[string]any{"title": "Night Trains Are Back", "topic": "trains"})
		img := b.job(editorial.KindGenerate, draft.ID, 1, 1).Images[0]
		title := func() string {
			t.Helper()
			facts, err := b.FactsOfImage(t.Context(), img.ID)
			b.must(err)
			return facts.Title
		}
		if got := title(); got != "Night Trains Are Back" {
			t.Errorf("the task is about %q", got)
		}
		b.exec(`ALTER TABLE content_tasks DROP COLUMN title`)
		b.must(b.Detect(t.Context()))
		if got := title(); got != "trains" {
			t.Errorf("without a column for titles the task is about %q", got)
		}
	})
}

func TestWorkersComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := store.Worker{ID: newID(), Host: "here", Version: "v1", SpoolID: "s", DiskFree: 5}
		dead := store.Worker{ID: newID(), Host: "dead"}
		b.must(b.BeatWorker(t.Context(), dead))
		b.must(b.BeatWorker(t.Context(), w))
		w.UploadsPaused, w.DiskFree = "the bucket refuses", 4
		b.must(b.BeatWorker(t.Context(), w))
		b.exec(`UPDATE workers SET seen_at = '2020-01-01T00:00:00.000Z' WHERE host = 'dead'`)
		list, err := b.Workers(t.Context())
		b.must(err)
		if len(list) != 1 || list[0].UploadsPaused != w.UploadsPaused || list[0].DiskFree != 4 || list[0].SeenAt.IsZero() {
			t.Errorf("workers %+v, want the one of today as it last was", list)
		}
		b.must(b.RemoveWorker(t.Context(), w.ID))
		var left int
		b.must(b.DB().GetContext(t.Context(), &left, `SELECT COUNT(*) FROM workers`))
		if left != 0 {
			t.Errorf("%d workers are left; the old one is forgotten when another leaves", left)
		}
	})
}

// However long the history is, a survey and a list of troubles read only their
// own indexes.
func TestSurveysReadIndexes(t *testing.T) {
	t.Parallel()
	b := &bench{storetest.SQLite(t), t}
	queries := append(store.SurveyQueries(),
		`SELECT 1 FROM images WHERE failure IS NOT NULL AND state IN ('queued', 'generating', 'uploading') ORDER BY updated_at DESC LIMIT 9`,
		`SELECT i.id FROM images i LEFT JOIN draft_images d ON d.draft_id = i.draft_id
			WHERE i.state = 'failed' AND (i.draft_id IS NULL OR i.round = d.round) ORDER BY i.finalized_at DESC LIMIT 9`)
	for _, query := range queries {
		plan := b.plan(t.Context(), query)
		for _, step := range plan {
			if strings.Contains(step, "SCAN") && !strings.Contains(step, "USING") || strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\n%s", query, strings.Join(plan, "\n"))
			}
		}
	}
}

func (b *bench) plan(ctx context.Context, query string) (steps []string) {
	b.t.Helper()
	rows, err := b.DB().QueryContext(ctx, `EXPLAIN QUERY PLAN `+query)
	b.must(err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		b.must(rows.Scan(&id, &parent, &unused, &detail))
		steps = append(steps, detail)
	}
	b.must(rows.Err())
	return steps
}
