package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/glad-labs/frontispiece/internal/store"
)

func TestUsageIsSummed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		price := 0.04
		const each = 40 // over several of the rows that share a count
		b.together(each, errors.New("none"), func(int) error {
			return b.InTx(t.Context(), func(tx *store.Tx) error { return tx.CountPicture(t.Context(), "openai", &price) })
		})
		b.tx(func(tx *store.Tx) error { return tx.CountPicture(t.Context(), "openai", nil) })
		b.tx(func(tx *store.Tx) error { return tx.CountRefused(t.Context(), "openai", &price) })
		b.tx(func(tx *store.Tx) error { return tx.CountPicture(t.Context(), "sdcpp", nil) })
		b.tx(func(tx *store.Tx) error { return tx.LockSpending(t.Context()) })
		undone := errors.New("undone")
		err := b.InTx(t.Context(), func(tx *store.Tx) error {
			b.must(tx.CountPicture(t.Context(), "openai", &price))
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		month, err := b.Month(t.Context())
		b.must(err)
		got, err := b.Usage(t.Context(), month)
		b.must(err)
		want := []store.Usage{
			{Generator: "openai", Pictures: each + 1, Refused: 1, Unpriced: 1, Cost: (each + 1) * price},
			{Generator: "sdcpp", Pictures: 1, Unpriced: 1},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("usage of %s (-want +got):\n%s", month, diff)
		}
		if got, err := b.Usage(t.Context(), "1999-12"); err != nil || len(got) != 0 {
			t.Errorf("usage of another month: %v, %v", got, err)
		}
		mean, err := b.MeanCost(t.Context(), "openai")
		b.must(err)
		if diff := cmp.Diff((each+1)*price/each, mean, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("mean cost, the refused one's included (-want +got):\n%s", diff)
		}
		if mean, err := b.MeanCost(t.Context(), "card"); mean != 0 || err != nil {
			t.Errorf("mean cost of what never cost anything: %v, %v", mean, err)
		}
	})
}

func TestRequestsAreTakenUpToTheLimit(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		errSpent := errors.New("spent")
		won := b.together(20, errSpent, func(int) error {
			ok, err := b.TakeRequest(t.Context(), "pexels", 7)
			if err == nil && !ok {
				return errSpent
			}
			return err
		})
		if won != 7 {
			t.Errorf("%d of 7 requests were taken", won)
		}
		if n, err := b.RequestsTaken(t.Context(), "pexels"); n != 7 || err != nil {
			t.Errorf("%d requests are counted, %v", n, err)
		}
	})
}

func TestSpentAndReserved(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		spent := func(without, what string, want float64) {
			t.Helper()
			got, err := b.Spent(t.Context(), without)
			b.must(err)
			if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		spent("", "nothing yet", 0)
		img := b.generating("g")
		b.tx(func(tx *store.Tx) error { return tx.Reserve(t.Context(), img, 0.5) })
		spent("", "one under way", 0.5)
		spent(img.ID, "without itself", 0)
		stranger := img
		stranger.Claim = "another's"
		if err := b.InTx(t.Context(), func(tx *store.Tx) error { return tx.Reserve(t.Context(), stranger, 9) }); !errors.Is(err, store.ErrLostClaim) {
			t.Errorf("reserved without the claim: %v", err)
		}
		cost := 0.4
		img.Key = "generated/" + img.ID + ".png"
		b.tx(func(tx *store.Tx) error {
			if err := tx.Spooled(t.Context(), img); err != nil {
				return err
			}
			return tx.CountPicture(t.Context(), "openai", &cost)
		})
		spent("", "once it is spooled, what it cost", 0.4)
		postponed := b.generating("p")
		b.tx(func(tx *store.Tx) error { return tx.Reserve(t.Context(), postponed, 0.5) })
		b.tx(func(tx *store.Tx) error { return tx.Postpone(t.Context(), postponed, failure, 0, true) })
		spent("", "a postponed one gives back", 0.4)
	})
}

func TestKept(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		img := b.hashed(someHash, "")
		b.exec(`UPDATE images SET stored_bytes = 1234, objects = 4 WHERE id = '` + img.ID + `'`)
		b.image() // queued: nothing is kept of it
		month, err := b.Month(t.Context())
		b.must(err)
		for of, want := range map[string]store.Kept{"": {1, 4, 1234}, month: {1, 4, 1234}, "1999-12": {}} {
			if got, err := b.Kept(t.Context(), of); got != want || err != nil {
				t.Errorf("kept in %q: %+v, %v, want %+v", of, got, err, want)
			}
		}
	})
}
