package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/card"
	"github.com/glad-labs/frontispiece/internal/imagegen/importer"
	"github.com/glad-labs/frontispiece/internal/imagegen/pexels"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdcpp"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdwebui"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdxlserver"
)

// makers builds a generator of each kind.
var makers = map[string]func(*App, config.URL) (imagegen.Generator, error){
	"card":    func(*App, config.URL) (imagegen.Generator, error) { return card.New(), nil },
	"pexels":  func(a *App, _ config.URL) (imagegen.Generator, error) { return a.newPexels() },
	"sdcpp":   func(_ *App, u config.URL) (imagegen.Generator, error) { return sdcpp.New(backendURL(u)) },
	"sdwebui": func(_ *App, u config.URL) (imagegen.Generator, error) { return sdwebui.New(backendURL(u)) },
	"sdxl":    func(_ *App, u config.URL) (imagegen.Generator, error) { return sdxlserver.New(backendURL(u)) },
}

const (
	pexelsPerHour  = pexels.PerHour
	pexelsPerMonth = pexels.PerMonth
)

func (a *App) newPexels() (imagegen.Generator, error) {
	a.stock = pexels.NewRedisBudget(a.queue.Redis())
	return pexels.New("", pexels.Config{
		Key:    a.cfg.PexelsAPIKey.Reveal(),
		Budget: a.stock,
		Cache:  pexels.NewRedisCache(a.queue.Redis()),
	})
}

// backendURL is a generator's own URL, without the name before the plus sign.
func backendURL(u config.URL) string {
	_, rest, _ := strings.Cut(u.Reveal(), "+")
	return rest
}

func (a *App) openGenerators(context.Context, Part) error {
	var list []imagegen.Generator
	for _, u := range a.cfg.Generators {
		kind, _, _ := strings.Cut(u.Scheme(), "+")
		make, ok := makers[kind]
		if !ok {
			return fmt.Errorf("GENERATORS %s: this version has no generator of that kind, use card", u)
		}
		g, err := make(a, u)
		if err != nil {
			return fmt.Errorf("GENERATORS %s: %w", u, err)
		}
		list = append(list, g)
	}
	a.chain = imagegen.NewChain(importer.New(), list...)
	return nil
}
