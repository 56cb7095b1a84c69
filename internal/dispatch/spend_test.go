package dispatch_test

import (
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// spending gives the bench a cap, with prices.
func (b *bench) spending(limit float64, prices map[string]float64, answering ...string) {
	b.Dispatch = dispatch.New(dispatch.Config{
		Store: b.store, Ringer: b.queue, Notifier: b.notes, Capabilities: b.can, Links: ownLinks{}, Log: slog.New(slog.DiscardHandler),
		Spending: dispatch.Spending{Cap: limit, Prices: prices, Answering: func(editorial.Request) []string { return answering }},
	})
}

// reserve claims a picture of a new job and asks whether it may be made.
func (b *bench) reserve(generator string) (editorial.Image, *editorial.Failure) {
	b.t.Helper()
	img, _, err := b.ClaimGenerate(b.t.Context(), b.seeded("", 1, 1).Images[0].ID)
	b.must(err)
	refused, err := b.Reserve(b.t.Context(), img, generator)
	b.must(err)
	return img, refused
}

// pay takes a picture into the spool at a cost.
func (b *bench) pay(img editorial.Image, generator string, cost float64) {
	b.t.Helper()
	made(&img)
	img.Backend, img.Cost = generator, &cost
	b.must(b.Spooled(b.t.Context(), img))
}

func TestTheCapRefusesWhatItCannotPay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.spending(0.10, map[string]float64{"openai": 0.04, "card": 0}, "openai", "card")
		for range 2 {
			img, refused := b.reserve("openai")
			if refused != nil {
				t.Fatalf("refused within the cap: %v", refused)
			}
			b.pay(img, "openai", 0.04)
		}
		img, refused := b.reserve("openai")
		if refused == nil || refused.Code != "spend_cap" || refused.Class != editorial.Terminal || refused.Provider != "openai" {
			t.Fatalf("a third at $0.04 of $0.10: %v", refused)
		}
		if !strings.Contains(refused.Message, "$0.08") || !strings.Contains(refused.Message, "$0.10") || !strings.Contains(refused.Message, "$0.04") {
			t.Errorf("the reason does not say how things stand: %s", refused.Message)
		}
		if refused, err := b.Reserve(t.Context(), img, "card"); refused != nil || err != nil {
			t.Errorf("a free one: %v, %v", refused, err)
		}
	})
}

// The operators' room is told what is spent, what may be, and who is not asked
// any more although something is left.
func TestThePurse(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		stands := func(want dispatch.Purse) {
			t.Helper()
			got, err := b.Purse(t.Context(), []string{"openai", "sdcpp", "card"})
			b.must(err)
			got.Spent = math.Round(got.Spent*100) / 100
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the purse (-want +got):\n%s", diff)
			}
		}
		prices := map[string]float64{"openai": 0.04, "sdcpp": 0.01, "card": 0}
		b.spending(0.10, prices, "openai")
		stands(dispatch.Purse{Cap: 0.10})
		img, _ := b.reserve("openai")
		stands(dispatch.Purse{Spent: 0.04, Cap: 0.10})
		b.pay(img, "openai", 0.04)
		b.reserve("openai")
		stands(dispatch.Purse{Spent: 0.08, Cap: 0.10, PassedOver: []string{"openai"}})
		b.spending(0, prices, "openai")
		stands(dispatch.Purse{Spent: 0.08})
	})
}

func TestTheCapHoldsAgainstManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.spending(0.10, map[string]float64{"openai": 0.02}, "openai", "card")
		var claimed []editorial.Image
		for range 12 {
			img, _, err := b.ClaimGenerate(t.Context(), b.seeded("", 1, 1).Images[0].ID)
			b.must(err)
			claimed = append(claimed, img)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		granted := 0
		for _, img := range claimed {
			all.Go(func() {
				refused, err := b.Reserve(t.Context(), img, "openai")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if refused == nil {
					granted++
				}
			})
		}
		all.Wait()
		if granted != 5 {
			t.Errorf("%d pictures at $0.02 of $0.10 may be made, want 5", granted)
		}
		// A worker that dies keeps its reservation until the picture is taken up
		// again, and that one does not wait for itself.
		if refused, err := b.Reserve(t.Context(), firstGranted(t, b, claimed), "openai"); refused != nil || err != nil {
			t.Errorf("the same picture once more: %v, %v", refused, err)
		}
	})
}

func firstGranted(t *testing.T, b *bench, claimed []editorial.Image) editorial.Image {
	t.Helper()
	var id string
	b.must(b.store.DB().GetContext(t.Context(), &id, `SELECT id FROM images WHERE reserved > 0 LIMIT 1`))
	for _, img := range claimed {
		if img.ID == id {
			return img
		}
	}
	t.Fatal("nobody has a reservation")
	return editorial.Image{}
}

func TestWhatAProviderReportsCountsAgainstTheCap(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.spending(0.10, map[string]float64{"card": 0}, "openai", "card")
		img, refused := b.reserve("openai")
		if refused != nil {
			t.Fatalf("the first, of a cost that nobody knows: %v", refused)
		}
		b.pay(img, "openai", 0.06)
		if _, refused := b.reserve("openai"); refused == nil {
			t.Error("a second one like the first would pass the cap and is not refused")
		}
	})
}

func TestSubmitSaysThatTheCapIsReached(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.spending(0.05, map[string]float64{"openai": 0.04, "dear": 1, "card": 0}, "dear", "openai")
		img, _ := b.reserve("openai")
		submit := func() error {
			_, _, err := b.Submit(t.Context(), dispatch.Submission{Request: editorial.Request{Prompt: "a lighthouse", UseGeneration: true}})
			return err
		}
		if err := submit(); kindOf(err) != editorial.Limited || codeOf(err) != "spend_cap" {
			t.Fatalf("with all of it set aside: %v, want limited, spend_cap", err)
		}
		b.must(b.GiveUp(t.Context(), img, editorial.NewFailure("x", editorial.StageGenerate, editorial.Terminal, "openai", "x")))
		b.must(submit())
		b.spending(0.01, map[string]float64{"openai": 0.04, "card": 0}, "openai", "card")
		if err := submit(); err != nil {
			t.Errorf("a generator that costs nothing may answer: %v", err)
		}
		b.spending(0.01, map[string]float64{"openai": 0.04}, "openai")
		err := submit()
		var e *editorial.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if seconds, ok := e.Details["retry_after"].(int); !ok || seconds < 1 {
			t.Errorf("details %v do not say when it opens again", e.Details)
		}
	})
}

// A picture that is paid for is counted by the same commit that has it: a fence
// that refuses the one refuses the other.
func TestCountedWithTheSpool(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.spending(1, map[string]float64{"openai": 0.04}, "openai")
		img, _ := b.reserve("openai")
		b.pay(img, "openai", 0.04)
		made(&img)
		if err := b.Spooled(t.Context(), img); !errors.Is(err, dispatch.ErrLostClaim) {
			t.Fatalf("spooled twice: %v", err)
		}
		b.must(b.Refused(t.Context(), "openai", img.Cost))
		month, err := b.store.Month(t.Context())
		b.must(err)
		got, err := b.store.Usage(t.Context(), month)
		b.must(err)
		if len(got) != 1 || got[0] != (store.Usage{Generator: "openai", Pictures: 1, Refused: 1, Cost: 0.04}) {
			t.Errorf("usage %+v, want one picture of $0.04 and one refused answer", got)
		}
	})
}
