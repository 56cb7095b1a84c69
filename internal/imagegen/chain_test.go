package imagegen_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// named is a generator that is only its name.
type named string

func (n named) Name() string                 { return string(n) }
func (n named) Health(context.Context) error { return nil }
func (n named) Generate(context.Context, imagegen.Request) (imagegen.Result, error) {
	return imagegen.Result{}, imagegen.Terminalf("never_asked", "the chain asks nobody by itself")
}

// stock is one that finds pictures.
type stock struct{ named }

func (stock) IsStock() {}

var (
	card    = named("card")
	sdcpp   = named("sdcpp")
	openai  = named("openai")
	pexels  = stock{"pexels"}
	copying = named("import")
)

// DESIGN §5, case 6: who may answer which flags, in which order.
func TestWhoMayAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		configured []imagegen.Generator
		stock, gen bool
		source     string
		named      string
		want       []string
	}{
		{name: "nothing configured", stock: true, gen: true},
		{name: "card alone, generated", configured: gens(card), gen: true, want: []string{"card"}},
		{name: "card alone stands in for photos", configured: gens(card), stock: true, want: []string{"card"}},
		{name: "card alone, both", configured: gens(card), stock: true, gen: true, want: []string{"card"}},
		{name: "card alone, neither", configured: gens(card)},
		{name: "another alone is no photo", configured: gens(sdcpp), stock: true},
		{name: "card behind another is no photo", configured: gens(sdcpp, card), stock: true},
		{name: "photos alone are not generated", configured: gens(pexels), gen: true},
		{name: "photos alone", configured: gens(pexels), stock: true, want: []string{"pexels"}},
		{name: "in the order configured", configured: gens(openai, sdcpp, card), gen: true, want: []string{"openai", "sdcpp", "card"}},
		{name: "photos first, wherever they stand", configured: gens(sdcpp, pexels, card), stock: true, gen: true, want: []string{"pexels", "sdcpp", "card"}},
		{name: "photos only", configured: gens(sdcpp, pexels, card), stock: true, want: []string{"pexels"}},
		{name: "no photos", configured: gens(sdcpp, pexels, card), gen: true, want: []string{"sdcpp", "card"}},
		{name: "the one that is named", configured: gens(sdcpp, openai, card), gen: true, named: "openai", want: []string{"openai"}},
		{name: "the one that is named, whatever the flags say", configured: gens(sdcpp, pexels, card), gen: true, named: "pexels", want: []string{"pexels"}},
		{name: "the card, named", configured: gens(card), stock: true, named: "card", want: []string{"card"}},
		{name: "nobody of that name", configured: gens(sdcpp, card), gen: true, named: "import"},
		{name: "everything, neither", configured: gens(sdcpp, pexels, card)},
		{name: "a copy", configured: gens(sdcpp), source: "https://example.com/a.png", want: []string{"import"}},
		{name: "a copy, else as the flags say", configured: gens(sdcpp, pexels), source: "https://example.com/a.png", stock: true, want: []string{"import", "pexels"}},
		{name: "a copy, else the card", configured: gens(card), source: "https://example.com/a.png", gen: true, want: []string{"import", "card"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			chain := imagegen.NewChain(copying, tt.configured...)
			req := editorial.Request{UseStock: tt.stock, UseGeneration: tt.gen, SourceURL: tt.source, Generator: tt.named}
			if diff := cmp.Diff(tt.want, names(chain.For(req))); diff != "" {
				t.Errorf("For (-want +got):\n%s", diff)
			}
			if chain.CanAnswer(req) != (len(tt.want) > 0) {
				t.Errorf("CanAnswer = %v", chain.CanAnswer(req))
			}
			// Asked one after the other, each until it gave up.
			var asked []string
			var given []editorial.ChainStep
			for g, ok := chain.Next(req, given); ok; g, ok = chain.Next(req, given) {
				asked = append(asked, g.Name())
				given = append(given, editorial.ChainStep{Backend: g.Name()})
			}
			if diff := cmp.Diff(tt.want, asked); diff != "" {
				t.Errorf("Next (-want +got):\n%s", diff)
			}
		})
	}
}

func gens(list ...imagegen.Generator) []imagegen.Generator { return list }

func names(list []imagegen.Generator) (names []string) {
	for _, g := range list {
		names = append(names, g.Name())
	}
	return names
}

// A restarted worker goes on behind the last one that gave up.
func TestNextGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	chain := imagegen.NewChain(nil, openai, sdcpp, card)
	req := editorial.Request{UseGeneration: true}
	given := []editorial.ChainStep{{Backend: "openai"}, {Backend: "a backend of last year"}}
	if g, ok := chain.Next(req, given); !ok || g.Name() != "sdcpp" {
		t.Errorf("Next = %v, %v; want sdcpp", g, ok)
	}
	if g, ok := chain.Next(editorial.Request{SourceURL: "https://example.com/a.png"}, nil); ok {
		t.Errorf("a copy without an importer is answered by %s", g.Name())
	}
}

// A downgrade is never silent (P9): the step says that photos were asked for.
func TestTheCardSaysThatItStandsIn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		configured []imagegen.Generator
		stock, gen bool
		answers    imagegen.Generator
		want       bool
	}{
		{"photos wanted, none configured", gens(card), true, false, card, true},
		{"either wanted", gens(card), true, true, card, false},
		{"a drawing wanted", gens(card), false, true, card, false},
		{"photos configured and given up on", gens(pexels, card), true, false, card, false},
		{"another answers", gens(sdcpp), true, false, sdcpp, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			step, ok := imagegen.NewChain(nil, tt.configured...).StandsIn(editorial.Request{UseStock: tt.stock, UseGeneration: tt.gen}, tt.answers)
			if ok != tt.want || ok && (step.Backend != "pexels" || step.Failure.Code != "not_configured" || step.Failure.Message == "") {
				t.Errorf("StandsIn = %+v, %v; want %v", step, ok, tt.want)
			}
		})
	}
}

func TestGeneratorsIsACopy(t *testing.T) {
	t.Parallel()
	chain := imagegen.NewChain(copying, sdcpp, card)
	chain.Generators()[0] = openai
	if diff := cmp.Diff([]string{"sdcpp", "card"}, names(chain.Generators())); diff != "" {
		t.Errorf("Generators (-want +got):\n%s", diff)
	}
}

func TestAsError(t *testing.T) {
	t.Parallel()
	own := imagegen.Terminalf("moderation_blocked", "no")
	for name, tt := range map[string]struct {
		err   error
		class editorial.Class
		code  string
	}{
		"our own, wrapped":      {fmt.Errorf("ask: %w", own), editorial.Terminal, "moderation_blocked"},
		"a deadline":            {fmt.Errorf("ask: %w", context.DeadlineExceeded), editorial.Transient, "timeout"},
		"canceled":              {fmt.Errorf("ask: %w", context.Canceled), editorial.Canceled, "canceled"},
		"anything is transient": {errors.New("what"), editorial.Transient, "unexpected"},
	} {
		got := imagegen.AsError(tt.err)
		if got.Class != tt.class || got.Code != tt.code || got.Message == "" {
			t.Errorf("%s: %+v, want %s and %s", name, got, tt.class, tt.code)
		}
		if got.Err != nil && !errors.Is(got, tt.err) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
	if imagegen.AsError(nil) != nil {
		t.Error("no error became one")
	}
}
