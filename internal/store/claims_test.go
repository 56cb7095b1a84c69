package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

func TestOneOfManyGetsAClaim(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		queued, spooled := b.image(), b.uploading("first")
		b.must(ignoring(b.DropClaims(t.Context())))
		for id, take := range map[string]claimFunc{queued.ID: (*store.Tx).ClaimGenerate, spooled.ID: (*store.Tx).ClaimUpload} {
			before := b.read(id).Attempt
			won := b.together(20, store.ErrNotFound, func(i int) error {
				_, err := b.claim(take, id, fmt.Sprint("token ", i), lease)
				return err
			})
			if got := b.read(id); won != 1 || got.Attempt != before+1 || !got.Claimed(time.Now()) {
				t.Errorf("%d claims were given, the image is claimed by %q at attempt %d; want one more than %d", won, got.Claim, got.Attempt, before)
			}
		}
	})
}

func ignoring(_ any, err error) error { return err }

func TestAClaimRunsOutByTheDatabasesClock(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		id := b.image().ID
		first, err := b.claim((*store.Tx).ClaimGenerate, id, "first", spent)
		b.must(err)
		second, err := b.claim((*store.Tx).ClaimGenerate, id, "second", lease)
		b.must(err)
		if first.Attempt != 1 || second.Attempt != 2 {
			t.Errorf("attempts %d and %d, want a crash to count", first.Attempt, second.Attempt)
		}
		if _, err := b.claim((*store.Tx).ClaimGenerate, id, "third", lease); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("claiming what another holds: %v, want ErrNotFound", err)
		}
		if _, err := b.claim((*store.Tx).ClaimUpload, id, "third", lease); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("claiming for another stage: %v, want ErrNotFound", err)
		}
		if _, err := b.claim((*store.Tx).ClaimGenerate, newID(), "third", lease); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("claiming what is not there: %v, want ErrNotFound", err)
		}
	})
}

// fencedWrites is every write that a worker makes under its claim.
var fencedWrites = []struct {
	name  string
	stage editorial.ImageState
	write func(b *bench, img editorial.Image) error
}{
	{"SetProviderJob", editorial.StateGenerating, func(b *bench, img editorial.Image) error {
		return b.SetProviderJob(b.t.Context(), img.ID, img.Claim, "sdcpp", "job-1")
	}},
	{"Spooled", editorial.StateGenerating, inTx(func(b *bench, tx *store.Tx, img editorial.Image) error {
		img.SpoolID, img.Key = "spool", "generated/"+img.ID+".png"
		return tx.Spooled(b.t.Context(), img)
	})},
	{"MovedOn", editorial.StateGenerating, inTx(func(b *bench, tx *store.Tx, img editorial.Image) error {
		img.Steps = []editorial.ChainStep{{Backend: "sdcpp", Failure: *failure}}
		return tx.MovedOn(b.t.Context(), img)
	})},
	{"Finished", editorial.StateUploading, func(b *bench, img editorial.Image) error {
		img.SHA256 = "finished"
		return b.Finished(b.t.Context(), img)
	}},
	{"Stored", editorial.StateUploading, inTx(func(b *bench, tx *store.Tx, img editorial.Image) error {
		img.URL = "/images/" + img.Key
		return tx.Stored(b.t.Context(), img)
	})},
	{"BytesLost", editorial.StateUploading, inTx(func(b *bench, tx *store.Tx, img editorial.Image) error {
		return tx.BytesLost(b.t.Context(), img, failure)
	})},
	{"Postpone generating", editorial.StateGenerating, postpone},
	{"Postpone uploading", editorial.StateUploading, postpone},
	{"GiveUp generating", editorial.StateGenerating, giveUp},
	{"GiveUp uploading", editorial.StateUploading, giveUp},
}

var (
	failure  = editorial.NewFailure("unavailable", editorial.StageGenerate, editorial.Transient, "sdcpp", "503")
	postpone = inTx(func(b *bench, tx *store.Tx, img editorial.Image) error {
		return tx.Postpone(b.t.Context(), img, failure, time.Hour, true)
	})
	giveUp = inTx(func(b *bench, tx *store.Tx, img editorial.Image) error { return tx.GiveUp(b.t.Context(), img, failure) })
)

func inTx(fn func(b *bench, tx *store.Tx, img editorial.Image) error) func(*bench, editorial.Image) error {
	return func(b *bench, img editorial.Image) error {
		return b.InTx(b.t.Context(), func(tx *store.Tx) error { return fn(b, tx, img) })
	}
}

// Drop any one "AND claim = ?" of claims.go and a line of this test is red.
func TestEveryFencedWriteNeedsItsToken(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, w := range fencedWrites {
			claimed := b.generating
			other := b.uploading
			if w.stage == editorial.StateUploading {
				claimed, other = other, claimed
			}
			img := claimed(w.name)
			before := b.read(img.ID)
			for _, token := range []string{"", "another's", img.Claim + " "} {
				late := img
				late.Claim = token
				if err := w.write(b, late); !errors.Is(err, store.ErrLostClaim) {
					t.Errorf("%s with the token %q: %v, want ErrLostClaim", w.name, token, err)
				}
			}
			if diff := cmp.Diff(before, b.read(img.ID)); diff != "" {
				t.Errorf("%s without the token changed the row (-before +after):\n%s", w.name, diff)
			}
			if err := w.write(b, img); err != nil {
				t.Errorf("%s with the token: %v", w.name, err)
			}
			if b.read(img.ID).UpdatedAt.Before(before.UpdatedAt) || cmp.Equal(before, b.read(img.ID)) {
				t.Errorf("%s with the token changed nothing", w.name)
			}
			if w.name == "SetProviderJob" {
				continue // an id to resume is worth keeping in any state
			}
			// The right token in the wrong state: a row that somebody moved.
			elsewhere := other("elsewhere " + w.name)
			elsewhere.State = w.stage
			if err := w.write(b, elsewhere); !errors.Is(err, store.ErrLostClaim) {
				t.Errorf("%s of an image in another state: %v, want ErrLostClaim", w.name, err)
			}
		}
	})
}

func TestExtendClaims(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		held, taken := b.generating("held"), b.image()
		_, err := b.claim((*store.Tx).ClaimGenerate, taken.ID, "slept", spent)
		b.must(err)
		_, err = b.claim((*store.Tx).ClaimGenerate, taken.ID, "awake", lease)
		b.must(err)
		slept := b.read(b.image().ID)
		_, err = b.claim((*store.Tx).ClaimGenerate, slept.ID, "slept but not missed", spent)
		b.must(err)

		lost, err := b.ExtendClaims(t.Context(), []string{"held", "slept", "slept but not missed", "never given"}, 10*lease)
		b.must(err)
		if diff := cmp.Diff([]string{"slept", "never given"}, lost); diff != "" {
			t.Errorf("lost (-want +got):\n%s", diff)
		}
		if got := b.read(held.ID); got.ClaimExpiresAt.Sub(held.ClaimExpiresAt) < 8*lease {
			t.Errorf("held until %s, was until %s", got.ClaimExpiresAt, held.ClaimExpiresAt)
		}
		if got := b.read(taken.ID); got.Claim != "awake" || time.Until(got.ClaimExpiresAt) > 2*lease {
			t.Errorf("another's claim was extended: %q until %s", got.Claim, got.ClaimExpiresAt)
		}
		if got := b.read(slept.ID); !got.Claimed(time.Now()) {
			t.Error("a claim that had run out and that nobody took was not extended")
		}
		if lost, err := b.ExtendClaims(t.Context(), nil, lease); lost != nil || err != nil {
			t.Errorf("extending nothing: %v, %v", lost, err)
		}
	})
}

func TestDropClaimsFreesEveryImage(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, second := b.generating("first"), b.uploading("second")
		if n, err := b.DropClaims(t.Context()); n != 2 || err != nil {
			t.Errorf("DropClaims = %d, %v; want 2", n, err)
		}
		for _, id := range []string{first.ID, second.ID} {
			if img := b.read(id); img.Claim != "" || !img.ClaimExpiresAt.IsZero() {
				t.Errorf("image is still claimed: %q until %s", img.Claim, img.ClaimExpiresAt)
			}
		}
	})
}

func TestPostponeCountsOnlyWhatWasAsked(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for _, tt := range []struct {
			img     editorial.Image
			counted bool
			attempt int
			state   editorial.ImageState
		}{
			{b.generating("a"), true, 1, editorial.StateQueued},
			{b.generating("b"), false, 0, editorial.StateQueued},
			{b.uploading("c"), true, 1, editorial.StateUploading},
			{b.uploading("d"), false, 0, editorial.StateUploading},
		} {
			b.tx(func(tx *store.Tx) error { return tx.Postpone(t.Context(), tt.img, failure, time.Hour, tt.counted) })
			got := b.read(tt.img.ID)
			if got.State != tt.state || got.Attempt != tt.attempt || got.Claim != "" || got.Failure == nil {
				t.Errorf("postponed: %s at attempt %d, claimed by %q, %v; want %s at %d", got.State, got.Attempt, got.Claim, got.Failure, tt.state, tt.attempt)
			}
			if wait := got.NextAttemptAt.Sub(got.UpdatedAt); wait != time.Hour {
				t.Errorf("postponed by %s, want an hour by the database's own clock", wait)
			}
		}
	})
}
