//go:build !cgo

package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
)

// What renditions are in this build, which has no C and so no libwebp.
const (
	RenditionType = "image/jpeg"
	RenditionExt  = "jpg"
)

// encodeRendition lays transparent pictures on white, since JPEG has no alpha.
func encodeRendition(p *Pixels) ([]byte, error) {
	// Opaque RGBA has a fast path in the encoder that NRGBA lacks.
	rgba := &image.RGBA{Pix: p.Pix, Stride: p.Stride, Rect: p.Rect}
	if !p.opaque {
		rgba = image.NewRGBA(p.Rect)
		draw.Draw(rgba, rgba.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(rgba, rgba.Rect, p.NRGBA, image.Point{}, draw.Over)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, rgba, &jpeg.Options{Quality: renditionQuality}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
