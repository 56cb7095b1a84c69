package imagegen

import (
	"slices"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Chain is the configured generators in the order in which they are asked. The
// next one is asked when the one before gave up; the row remembers which have,
// so a restart goes on where it was.
type Chain struct {
	generators []Generator
	importer   Generator
}

// NewChain returns a chain. importer copies a picture from a URL and answers
// requests with a SourceURL and no others; nil when there is none.
func NewChain(importer Generator, generators ...Generator) *Chain {
	return &Chain{generators: generators, importer: importer}
}

// Generators lists the chain in order, without the importer.
func (c *Chain) Generators() []Generator { return slices.Clone(c.generators) }

// builtIn is the name of the generator that needs nothing and so may stand in
// for either kind when it is all there is.
const builtIn = "card"

// Named returns the generator of a name.
func (c *Chain) Named(name string) (Generator, bool) {
	i := slices.IndexFunc(c.generators, func(g Generator) bool { return g.Name() == name })
	if i < 0 {
		return nil, false
	}
	return c.generators[i], true
}

// For returns the generators that may answer a request, in order: stock photos
// first when asked for, as the seed has it. A request that names one gets that
// one or nothing, since whoever chooses wants no other. A copy that cannot be
// made falls back on whatever the request's flags allow.
func (c *Chain) For(req editorial.Request) []Generator {
	var list []Generator
	if req.SourceURL != "" && c.importer != nil {
		list = append(list, c.importer)
	}
	if req.Generator != "" {
		if g, ok := c.Named(req.Generator); ok {
			list = append(list, g)
		}
		return list
	}
	if len(c.generators) == 1 && c.generators[0].Name() == builtIn && (req.UseStock || req.UseGeneration) {
		return append(list, c.generators[0])
	}
	for _, g := range c.generators {
		if req.UseStock && IsStock(g) {
			list = append(list, g)
		}
	}
	for _, g := range c.generators {
		if req.UseGeneration && !IsStock(g) {
			list = append(list, g)
		}
	}
	return list
}

// CanAnswer reports whether anybody may answer a request.
func (c *Chain) CanAnswer(req editorial.Request) bool { return len(c.For(req)) > 0 }

// Next is the first generator that has not given up on the picture yet.
func (c *Chain) Next(req editorial.Request, given []editorial.ChainStep) (Generator, bool) {
	for _, g := range c.For(req) {
		if !slices.ContainsFunc(given, func(s editorial.ChainStep) bool { return s.Backend == g.Name() }) {
			return g, true
		}
	}
	return nil, false
}

// StandsIn is the step to record when the built-in generator answers in place
// of stock photos that were asked for and are not configured: without it the
// downgrade would be silent. ok is false when nothing of the kind happens.
func (c *Chain) StandsIn(req editorial.Request, g Generator) (step editorial.ChainStep, ok bool) {
	if g.Name() != builtIn || req.Generator != "" || !req.UseStock || req.UseGeneration || slices.ContainsFunc(c.generators, IsStock) {
		return editorial.ChainStep{}, false
	}
	f := editorial.NewFailure("not_configured", editorial.StageGenerate, editorial.Terminal, "pexels",
		"no stock photos are configured (PEXELS_API_KEY); the built-in cover stands in")
	return editorial.ChainStep{Backend: "pexels", Failure: *f}, true
}
