package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// allowed is a queued image whose request allows so many seconds.
func (b *bench) allowed(seconds int) editorial.Image {
	b.t.Helper()
	job := editorial.Job{
		ID: newID(), Kind: editorial.KindGenerate, CreatedBy: "tester",
		Request: editorial.Request{Prompt: "a lighthouse", Count: 2, Timeout: seconds},
		Images:  []editorial.Image{{ID: newID(), Number: 1}, {ID: newID(), Number: 2}},
	}
	b.tx(func(tx *store.Tx) error { return tx.InsertJob(b.t.Context(), &job) })
	return b.read(job.Images[1].ID)
}

func TestDeadlines(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		img := b.allowed(90)
		if got := img.DeadlineAt.Sub(img.CreatedAt); got != 90*time.Second {
			t.Errorf("the deadline is %v after the request, want 90 s", got)
		}
		if free := b.image(); !free.DeadlineAt.IsZero() {
			t.Errorf("without a timeout the deadline is %v", free.DeadlineAt)
		}
		overdue := func() (ids []string) {
			images, err := b.Overdue(t.Context(), 10)
			b.must(err)
			for _, img := range images {
				ids = append(ids, img.ID)
			}
			return ids
		}
		if got := overdue(); got != nil {
			t.Errorf("overdue = %v, want none", got)
		}
		b.exec(`UPDATE images SET deadline_at = created_at WHERE id = '` + img.ID + `'`)
		if diff := cmp.Diff([]string{img.ID}, overdue()); diff != "" {
			t.Errorf("overdue (-want +got):\n%s", diff)
		}
		claimed, err := b.claim((*store.Tx).ClaimGenerate, img.ID, "token", lease)
		b.must(err)
		if got := overdue(); got != nil {
			t.Errorf("an image that a worker has is overdue: %v", got)
		}
		b.tx(func(tx *store.Tx) error { return tx.RenewDeadline(t.Context(), img.ID, time.Hour) })
		b.tx(func(tx *store.Tx) error { return tx.RenewDeadline(t.Context(), img.ID, 0) })
		if got := time.Until(b.read(claimed.ID).DeadlineAt); got < 30*time.Minute {
			t.Errorf("the renewed deadline is in %v, want an hour", got)
		}
	})
}

func TestStopsAreDueOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		due := func(within time.Duration) (ids []string) {
			images, err := b.StopsDue(t.Context(), within, 10)
			b.must(err)
			for _, img := range images {
				ids = append(ids, img.ID+" "+img.ProviderJobID)
			}
			return ids
		}
		drawing, asked := b.generating("drawing"), b.generating("asked")
		b.must(b.SetProviderJob(t.Context(), drawing.ID, "drawing", "sdcpp", "job_7"))
		for _, img := range []editorial.Image{drawing, asked} { // asked has no job at a provider's
			b.tx(func(tx *store.Tx) error {
				_, err := tx.MoveImage(t.Context(), img.ID, editorial.StateGenerating, editorial.StateCanceled, nil)
				return err
			})
		}
		b.must(b.SetProviderJob(t.Context(), b.generating("other").ID, "other", "sdcpp", "job_8")) // goes on
		failed := b.generating("failed")
		b.must(b.SetProviderJob(t.Context(), failed.ID, "failed", "sdcpp", "job_9")) // nobody stopped it, nor wants to
		b.tx(func(tx *store.Tx) error { return tx.GiveUp(t.Context(), failed, failure) })
		if diff := cmp.Diff([]string{drawing.ID + " job_7"}, due(time.Minute)); diff != "" {
			t.Errorf("due (-want +got):\n%s", diff)
		}
		if got := due(-time.Minute); got != nil {
			t.Errorf("what was canceled long ago is still due: %v", got)
		}
		drawing.ProviderJobID = "job_7"
		for _, want := range []bool{true, false} {
			b.tx(func(tx *store.Tx) error {
				first, err := tx.Stopped(t.Context(), drawing)
				if first != want {
					t.Errorf("Stopped = %v, want %v", first, want)
				}
				return err
			})
		}
		if got := due(time.Minute); got != nil {
			t.Errorf("what was stopped is still due: %v", got)
		}
	})
}

func TestStockInUse(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		photo := func(token, stockID string) editorial.Image {
			img := b.generating(token)
			img.SpoolID, img.RawSHA256, img.Key, img.StockID = "spool", "raw", "generated/"+img.ID+".png", stockID
			b.tx(func(tx *store.Tx) error { return tx.Spooled(t.Context(), img) })
			if got := b.read(img.ID).StockID; got != stockID {
				t.Errorf("StockID = %q, want %q", got, stockID)
			}
			return img
		}
		mine, dropped := photo("1", "pexels:1"), photo("2", "pexels:2")
		photo("3", "other:4")
		b.tx(func(tx *store.Tx) error {
			_, err := tx.MoveImage(t.Context(), dropped.ID, editorial.StateUploading, editorial.StateCanceled, nil)
			return err
		})
		b.exec(`INSERT INTO posts (id, title, slug, content, status, featured_image_url, cover_image_url) VALUES
			('0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e01', 'Old', 'old', 'x', 'published',
			'https://images.pexels.com/photos/5/pexels-photo-5.jpeg?w=940', 'https://images.pexels.com/photos/6/a.jpeg'),
			('0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e02', 'Other', 'other', 'x', 'published', 'https://example.com/photos/7/a.jpeg', NULL)`)
		ids := []string{"1", "2", "3", "4", "5", "6", "7", "55"}
		used := func(except string) map[string]bool {
			got, err := b.StockInUse(t.Context(), "pexels", ids, except)
			b.must(err)
			return got
		}
		if diff := cmp.Diff(map[string]bool{"1": true, "5": true, "6": true}, used("")); diff != "" {
			t.Errorf("used (-want +got):\n%s", diff)
		}
		if used(mine.ID)["1"] {
			t.Error("a photo is taken by the very image that looks for it")
		}
		if got, err := b.StockInUse(t.Context(), "pexels", nil, ""); err != nil || len(got) != 0 {
			t.Errorf("of none asked: %v, %v", got, err)
		}
	})
}
