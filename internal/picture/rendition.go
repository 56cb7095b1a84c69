package picture

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"slices"
)

// Widths are the renditions' usual widths in pixels: a phone, a laptop, a
// large or dense screen.
var Widths = []int{640, 1280, 1920}

const (
	renditionQuality = 80
	// placeholderSide keeps the blurred preview under 1 KB even when nothing
	// compresses: 10 by 10 pixels are 400 bytes, 650 characters as a data URL.
	placeholderSide = 10
)

// Renditions makes the smaller copies for readers, in rising width and in the
// format that [RenditionType] names. Nothing is enlarged: widths beyond the
// picture's own are replaced by one copy at the picture's own width, so that a
// reader on any screen gets the small format. Provenance goes into each copy.
//
// Colour profiles other than sRGB are carried along. Transparency is kept in
// WebP and laid on white in JPEG.
func Renditions(p *Pixels, widths []int, prov Provenance) ([]Encoded, error) {
	plan := planWidths(p.Rect.Dx(), widths)
	out := make([]Encoded, len(plan))
	xmp := prov.packet()
	from := p
	// The widest first: a copy at least twice as wide as the next is as good a
	// source as the picture itself, and much less to read.
	for i, w := range slices.Backward(plan) {
		src := p
		if from.Rect.Dx() >= 2*w {
			src = from
		}
		from = src.fit(w)
		e, err := from.encode(xmp)
		if err != nil {
			return nil, fmt.Errorf("encode rendition %d pixels wide: %w", w, err)
		}
		out[i] = e
	}
	return out, nil
}

// planWidths is which widths a picture of the given width really gets.
func planWidths(own int, widths []int) []int {
	var plan []int
	for _, w := range widths {
		if w > 0 {
			plan = append(plan, min(w, own))
		}
	}
	slices.Sort(plan)
	return slices.Compact(plan)
}

// fit is the picture at the given width, itself when it has that width.
func (p *Pixels) fit(w int) *Pixels {
	size := p.Rect.Size()
	if w == size.X {
		return p
	}
	return p.resize(w, max(1, (size.Y*w+size.X/2)/size.X))
}

// encode makes a file of the pixels, with xmp and the colour profile in it.
func (p *Pixels) encode(xmp []byte) (Encoded, error) {
	b, err := encodeRendition(p)
	if err != nil {
		return Encoded{}, err
	}
	c, h, err := open(b, unlimited)
	if err != nil {
		return Encoded{}, err
	}
	h.profile = p.profile
	return Encoded{
		Bytes: c.write(h, xmp), ContentType: c.contentType, Ext: c.ext,
		Width: h.size.X, Height: h.size.Y,
	}, nil
}

// Placeholder is a blurDataURL: the picture at no more than 10 pixels a side,
// to be shown blurred while the real one loads. It is below 1 KB and a PNG in
// every build, so that it is the same everywhere.
func Placeholder(p *Pixels) string {
	size := p.Rect.Size()
	longest := max(size.X, size.Y)
	side := func(n int) int { return max(1, (n*placeholderSide+longest/2)/longest) }
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	// unreachable: the picture has pixels and a bytes.Buffer takes everything.
	_ = enc.Encode(&b, shrink(p.sample, side(size.X), side(size.Y)))
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}
