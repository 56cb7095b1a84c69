//go:build cgo

package picture

import (
	"image"

	"github.com/chai2010/webp"
)

// What renditions are in this build, which has libwebp.
const (
	RenditionType = "image/webp"
	RenditionExt  = "webp"
)

// encodeRendition hands libwebp the pixels where they are: it reads the bytes
// of an image.RGBA as not premultiplied, which ours are, whatever Go's type
// says.
func encodeRendition(p *Pixels) ([]byte, error) {
	return webp.EncodeRGBA(&image.RGBA{Pix: p.Pix, Stride: p.Stride, Rect: p.Rect}, renditionQuality)
}
