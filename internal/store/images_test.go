package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// due is the ids that Due answers, in pages.
func (b *bench) due(quiet time.Duration, limit int) (ids []string) {
	b.t.Helper()
	var after string
	for {
		images, err := b.Due(b.t.Context(), quiet, after, limit)
		b.must(err)
		for _, img := range images {
			ids = append(ids, img.ID)
			after = img.ID
		}
		if len(images) < limit {
			return ids
		}
	}
}

func TestDueIsWhatNobodyWorksOn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		backfill := b.job(editorial.KindBackfill, "", 0, 1).Images[0].ID
		queued := b.image().ID
		b.generating("held")
		abandoned := b.image().ID
		_, err := b.claim((*store.Tx).ClaimGenerate, abandoned, "dead", spent)
		b.must(err)
		later := b.generating("later")
		b.tx(func(tx *store.Tx) error { return tx.Postpone(t.Context(), later, failure, time.Hour, true) })
		ready := b.uploading("ready")
		b.tx(func(tx *store.Tx) error { return tx.Postpone(t.Context(), ready, failure, 0, true) })
		for _, w := range fencedWrites {
			if w.name == "Stored" || w.name == "GiveUp uploading" || w.name == "BytesLost" {
				b.must(w.write(b, b.uploading("final "+w.name)))
			}
		}
		for _, page := range []int{1, 3, 4, 100} {
			if diff := cmp.Diff([]string{backfill, queued, abandoned, ready.ID}, b.due(0, page)); diff != "" {
				t.Errorf("due, in pages of %d, oldest first (-want +got):\n%s", page, diff)
			}
		}
		if got := b.due(time.Minute, 100); got != nil {
			t.Errorf("due after a minute of quiet: %v, want none: all were touched a moment ago", got)
		}
	})
}

func TestOneOfManyReconcilersRings(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.image().ID
		errBeaten := errors.New("another was faster")
		won := b.together(20, errBeaten, func(int) error {
			epoch, won, err := b.Reepoch(t.Context(), id, 0)
			if err == nil && !won {
				return errBeaten
			}
			if err == nil && epoch != 1 {
				t.Errorf("the new epoch is %d, want 1", epoch)
			}
			return err
		})
		if got := b.read(id).Epoch; won != 1 || got != 1 {
			t.Errorf("%d reconcilers rang, the epoch is %d; want 1 and 1", won, got)
		}
		held := b.generating("held")
		if _, won, err := b.Reepoch(t.Context(), held.ID, held.Epoch); won || err != nil {
			t.Errorf("an image that is being worked on was rung: %v, %v", won, err)
		}
	})
}

func TestQueuePosition(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		backfill := b.job(editorial.KindBackfill, "", 0, 2).Images
		fresh := b.job(editorial.KindGenerate, "", 0, 3).Images
		working := b.generating("working")
		last := b.image()
		for _, tt := range []struct {
			img  editorial.Image
			want int
		}{
			{fresh[0], 1},
			{fresh[2], 3},
			{last, 4},
			{backfill[0], 5},
			{backfill[1], 6},
			{working, 0},
		} {
			got, err := b.QueuePosition(t.Context(), tt.img)
			if b.must(err); got != tt.want {
				t.Errorf("position of candidate %d of job %s is %d, want %d", tt.img.Number, tt.img.JobID, got, tt.want)
			}
		}
		b.tx(func(tx *store.Tx) error {
			_, err := tx.MoveImage(t.Context(), fresh[0].ID, editorial.StateQueued, editorial.StateCanceled, nil)
			return err
		})
		if got, err := b.QueuePosition(t.Context(), last); got != 3 || err != nil {
			t.Errorf("after a cancel before it: %d, %v; want 3", got, err)
		}
	})
}

func TestMoveImage(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		img := b.uploading("mine")
		if b.InTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.MoveImage(t.Context(), img.ID, editorial.StateStored, editorial.StateQueued, nil)
			return err
		}) == nil {
			t.Error("a stored image may be queued again")
		}
		move := func(from, to editorial.ImageState) (moved bool) {
			t.Helper()
			b.tx(func(tx *store.Tx) (err error) {
				moved, err = tx.MoveImage(t.Context(), img.ID, from, to, failure)
				return err
			})
			return moved
		}
		if move(editorial.StateQueued, editorial.StateCanceled) {
			t.Error("an image that is uploading was moved as if it were queued")
		}
		before := b.read(img.ID)
		if !move(editorial.StateUploading, editorial.StateCanceled) {
			t.Error("an image that is uploading could not be canceled")
		}
		got := b.read(img.ID)
		if got.State != editorial.StateCanceled || got.Claim != "" || got.Attempt != 0 || got.Epoch != before.Epoch+1 || got.FinalizedAt.IsZero() {
			t.Errorf("canceled: %+v", got)
		}
	})
}

// No key is ever given to two pictures (P7), whoever asks.
func TestAKeyIsGivenOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, second := b.generating("first"), b.generating("second")
		first.Key, second.Key = "generated/1.png", "generated/1.png"
		b.tx(func(tx *store.Tx) error { return tx.Spooled(t.Context(), first) })
		err := b.InTx(t.Context(), func(tx *store.Tx) error { return tx.Spooled(t.Context(), second) })
		if !store.IsDuplicate(err) {
			t.Errorf("the second picture under a key: %v, want a duplicate", err)
		}
		if got, err := b.ImageByKey(t.Context(), "generated/1.png"); err != nil || got.ID != first.ID {
			t.Errorf("ImageByKey = %s, %v; want the first", got.ID, err)
		}
	})
}
