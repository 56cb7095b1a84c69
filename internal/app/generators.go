package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/card"
	"github.com/glad-labs/frontispiece/internal/imagegen/importer"
	"github.com/glad-labs/frontispiece/internal/imagegen/sdcpp"
)

// makers builds a generator of each scheme.
var makers = map[string]func(config.Config, config.URL) (imagegen.Generator, error){
	"card":  func(config.Config, config.URL) (imagegen.Generator, error) { return card.New(), nil },
	"sdcpp": func(_ config.Config, u config.URL) (imagegen.Generator, error) { return sdcpp.New(backendURL(u)) },
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
		g, err := make(a.cfg, u)
		if err != nil {
			return fmt.Errorf("GENERATORS %s: %w", u, err)
		}
		list = append(list, g)
	}
	a.chain = imagegen.NewChain(importer.New(), list...)
	return nil
}
