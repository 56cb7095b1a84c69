//go:build cgo

package picture

import (
	"image"
	"testing"

	"github.com/chai2010/webp"
)

// webpOf and losslessOf encode WebP; without cgo nothing can.
func webpOf(tb testing.TB, m *image.NRGBA) []byte {
	tb.Helper()
	b, err := webp.EncodeRGBA(&image.RGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}, 90)
	if err != nil {
		tb.Fatalf("encode webp: %v", err)
	}
	return b
}

func losslessOf(tb testing.TB, m *image.NRGBA) []byte {
	tb.Helper()
	b, err := webp.EncodeExactLosslessRGBA(&image.RGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect})
	if err != nil {
		tb.Fatalf("encode lossless webp: %v", err)
	}
	return b
}
