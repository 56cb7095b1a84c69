package imagegen_test

import (
	"context"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// stoppable is one that can stop a job.
type stoppable struct{ named }

func (stoppable) Cancel(context.Context, string) error { return nil }

// What a generator can do is still found when settings are wrapped around it.
func TestConfigured(t *testing.T) {
	t.Parallel()
	photos := imagegen.Configure(pexels, imagegen.Settings{Concurrency: 4})
	second := imagegen.Configure(stoppable{sdcpp}, imagegen.Settings{Name: "sdcpp-2"})
	if photos.Name() != "pexels" || second.Name() != "sdcpp-2" {
		t.Errorf("names %q and %q", photos.Name(), second.Name())
	}
	if !imagegen.IsStock(photos) || imagegen.IsStock(second) {
		t.Error("stock photos are not told from the rest")
	}
	if _, ok := imagegen.CancelerOf(photos); ok {
		t.Error("one that cannot stop a job says that it can")
	}
	if _, ok := imagegen.CancelerOf(second); !ok {
		t.Error("one that can stop a job is not found to")
	}
	if got := imagegen.SettingsOf(photos).Concurrency; got != 4 {
		t.Errorf("concurrency %d, want 4", got)
	}
	if got := imagegen.SettingsOf(card); got != (imagegen.Settings{Name: "card"}) {
		t.Errorf("settings of one that has none: %+v", got)
	}
	// Two of a kind are asked one after the other.
	chain := imagegen.NewChain(nil, sdcpp, second)
	g, ok := chain.Next(editorial.Request{UseGeneration: true}, []editorial.ChainStep{{Backend: "sdcpp"}})
	if !ok || g.Name() != "sdcpp-2" {
		t.Errorf("behind sdcpp comes %v, %v", g, ok)
	}
}
