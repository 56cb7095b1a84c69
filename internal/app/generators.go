package app

import (
	"context"
	"fmt"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/card"
	"github.com/glad-labs/frontispiece/internal/imagegen/comfyui"
	"github.com/glad-labs/frontispiece/internal/imagegen/importer"
	"github.com/glad-labs/frontispiece/internal/imagegen/openai"
	"github.com/glad-labs/frontispiece/internal/imagegen/pexels"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdcpp"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdwebui"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdxlserver"
	"github.com/glad-labs/frontispiece/internal/siteapi"
)

// makers builds a generator of each kind from its own address.
var makers = map[string]func(a *App, endpoint string) (imagegen.Generator, error){
	"card":    func(*App, string) (imagegen.Generator, error) { return card.New(), nil },
	"pexels":  func(a *App, _ string) (imagegen.Generator, error) { return a.newPexels() },
	"sdcpp":   func(_ *App, u string) (imagegen.Generator, error) { return sdcpp.New(u) },
	"sdwebui": func(_ *App, u string) (imagegen.Generator, error) { return sdwebui.New(u) },
	"comfyui": func(_ *App, u string) (imagegen.Generator, error) { return comfyui.New(u) },
	"sdxl":    func(_ *App, u string) (imagegen.Generator, error) { return sdxlserver.New(u) },
	"openai": func(a *App, u string) (imagegen.Generator, error) {
		// A link to another host than the server's own came from outside.
		return openai.New(u, a.cfg.OpenAIAPIKey.Reveal(), importer.New())
	},
}

const (
	pexelsPerHour  = pexels.PerHour
	pexelsPerMonth = pexels.PerMonth
)

func (a *App) newPexels() (imagegen.Generator, error) {
	c := pexels.Config{
		Key: a.cfg.PexelsAPIKey.Reveal(),
		Used: func(ctx context.Context, photoIDs []string, imageID string) (map[string]bool, error) {
			return a.store.StockInUse(ctx, "pexels", photoIDs, imageID)
		},
	}
	if a.queue != nil { // the operators' command looks for no photos, and may have no Redis
		a.stock = pexels.NewRedisBudget(a.queue.Redis(), a.store)
		c.Budget, c.Cache, c.Claim = a.stock, pexels.NewRedisCache(a.queue.Redis()), pexels.ClaimIn(a.queue.Redis())
	}
	return pexels.New("", c)
}

func (a *App) openGenerators(context.Context, Part) error {
	var list []imagegen.Generator
	for i, c := range a.cfg.GeneratorList() {
		configured, err := a.openGenerator(c)
		if err != nil {
			return fmt.Errorf("GENERATORS %s: %w", a.cfg.Generators[i], err)
		}
		list = append(list, configured)
	}
	a.chain = imagegen.NewChain(importer.New(a.cfg.TrustedHosts...), list...)
	return nil
}

// spending is what pictures cost and may cost, as configured. A copy and what
// is drawn here cost nothing.
func (a *App) spending() dispatch.Spending {
	s := dispatch.Spending{Cap: float64(a.cfg.SpendCap), Prices: map[string]float64{"import": 0}}
	for _, g := range a.cfg.GeneratorList() {
		switch {
		case g.Cost != nil:
			s.Prices[g.Name] = *g.Cost
		case g.Kind == "card" || g.Kind == "pexels":
			s.Prices[g.Name] = 0
		}
	}
	s.Answering = func(req editorial.Request) (names []string) {
		for _, g := range a.chain.For(req) {
			names = append(names, g.Name())
		}
		return names
	}
	return s
}

func (a *App) openGenerator(c config.Generator) (*imagegen.Configured, error) {
	make, ok := makers[c.Kind]
	if !ok {
		return nil, fmt.Errorf("this version has no generator of that kind") // unreachable: config knows them all
	}
	g, err := make(a, c.Endpoint.Reveal())
	if err != nil {
		return nil, err
	}
	return imagegen.Configure(g, imagegen.Settings{Name: c.Name, Concurrency: c.Concurrency, Wait: c.Wait}), nil
}

// stockSearch is the first generator that a person can search photos with, nil
// when none is configured.
func (a *App) stockSearch() siteapi.Stock {
	for _, g := range a.chain.Generators() {
		if c, ok := g.(*imagegen.Configured); ok {
			if p, ok := c.Generator.(*pexels.Generator); ok {
				return photos{p}
			}
		}
	}
	return nil
}

// photos searches Pexels for the site's API.
type photos struct{ pexels *pexels.Generator }

// Search implements [siteapi.Stock].
func (p photos) Search(ctx context.Context, query string, count int) ([]siteapi.Photo, error) {
	found, err := p.pexels.Search(ctx, query, count)
	if err != nil {
		return nil, err
	}
	list := make([]siteapi.Photo, len(found))
	for i, f := range found {
		list[i] = siteapi.Photo{
			URL: f.URL, Photographer: f.Photographer, PhotographerURL: f.PhotographerURL,
			Width: f.Width, Height: f.Height, AltText: f.AltText,
		}
	}
	return list, nil
}
