package worker

import (
	"context"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// reserve sets aside what a picture may cost. One that an earlier worker has
// ordered already is fetched whatever the cap says: it is paid for.
func (g *generation) reserve(ctx context.Context, backend string) (refused *editorial.Failure, err error) {
	if g.Purse == nil || g.img.Backend == backend && g.img.ProviderJobID != "" {
		return nil, nil
	}
	return g.Purse.Reserve(ctx, g.img, backend)
}

// cost is what a backend says that its picture cost, else what it is configured
// to cost; nil when neither is known.
func (g *generation) cost(backend string, result imagegen.Result) *float64 {
	if result.Cost != nil || g.Purse == nil {
		return result.Cost
	}
	return g.Purse.Price(backend)
}

// wasted counts an answer that was no picture to publish. It is a line of the
// bill and no step of the picture, which goes on whatever becomes of it.
func (g *generation) wasted(ctx context.Context, backend string, result imagegen.Result) {
	if g.Purse == nil {
		return
	}
	if err := g.Purse.Refused(context.WithoutCancel(ctx), backend, g.cost(backend, result)); err != nil {
		g.Log.WarnContext(ctx, "the cost of an answer that was no picture could not be counted", "image", g.img.ID, "backend", backend, "error", err)
	}
}
