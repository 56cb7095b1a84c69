// Package card is the built-in generator: a typographic cover, drawn from the
// post's title over a quiet picture whose motif and palette follow from the
// prompt and the seed. It needs no network, no GPU and no configuration, so it
// is the first picture that everybody sees and the last that can fail.
//
// It deliberately writes nothing on the picture but the title, and it writes
// no title that it cannot write whole: where the embedded face lacks a letter
// (Chinese, Arabic, Devanagari) the picture stands alone.
//
// The trap: the same request must give the same bytes. Nothing here may depend
// on map order, time, a global random source or math.Exp, which answers
// differently on processors with and without FMA. A change that moves a pixel
// raises [Version].
package card

import (
	"bytes"
	"context"
	"fmt"
	"image/png"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// Version names the way cards are drawn. It is stored with each picture as its
// model, so two cards of one request can differ only when it does.
const Version = "card/1"

// The sizes that Generate draws; others are moved to the nearest.
const (
	DefaultWidth  = 1200
	DefaultHeight = 630
	MinSide       = 256
	MaxSide       = 2048
)

// Generator draws cards. It is safe for concurrent use and holds nothing but
// the typeface.
type Generator struct {
	face *typeface
}

var _ imagegen.Generator = (*Generator)(nil)

// New returns a Generator. It panics when the embedded typeface cannot be
// read: that is a broken build, not a state in which a program could run.
func New() *Generator {
	return &Generator{face: mustTypeface(embeddedFace)}
}

// Name is "card".
func (g *Generator) Name() string { return "card" }

// Health is always nil: there is nothing outside the process to ask.
func (g *Generator) Health(context.Context) error { return nil }

// Generate draws one card as a PNG. Title is what it sets, else what the
// prompt begins with. A missing width or height is the default's, one out of range the nearest
// allowed. AltText is the title as it was set, empty when none was. The only
// errors are ctx's.
func (g *Generator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	c := g.compose(req)
	for _, step := range []func(){c.paint, c.calm, c.letter} {
		if err := ctx.Err(); err != nil {
			return imagegen.Result{}, fmt.Errorf("draw card: %w", err)
		}
		step()
	}
	if err := ctx.Err(); err != nil {
		return imagegen.Result{}, fmt.Errorf("draw card: %w", err)
	}
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&buf, c.img); err != nil {
		return imagegen.Result{}, imagegen.Terminalf("encode", "the card could not be written as PNG: %v", err)
	}
	return imagegen.Result{
		Bytes:   buf.Bytes(),
		Seed:    req.Seed,
		Model:   Version,
		Params:  c.params(),
		AltText: c.title,
	}, nil
}

// side is a requested length as Generate draws it.
func side(requested, fallback int) int {
	if requested <= 0 {
		return fallback
	}
	return min(max(requested, MinSide), MaxSide)
}
