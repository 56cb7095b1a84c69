//go:build !cgo

package picture

import (
	"image"
	"testing"
)

func webpOf(tb testing.TB, _ *image.NRGBA) []byte {
	tb.Skip("nothing encodes WebP without cgo; run with CGO_ENABLED=1 and a C compiler")
	return nil
}

func losslessOf(tb testing.TB, m *image.NRGBA) []byte { return webpOf(tb, m) }
