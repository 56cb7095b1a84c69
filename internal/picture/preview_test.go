package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

func TestPreview(t *testing.T) {
	t.Parallel()
	whole := image.NewNRGBA(image.Rect(0, 0, 1024, 512))
	for i := range whole.Pix {
		whole.Pix[i] = byte(i * 7)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, whole); err != nil {
		t.Fatal(err)
	}
	small, err := Preview(b.Bytes(), 256)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jpeg.DecodeConfig(bytes.NewReader(small))
	if err != nil || got.Width != 256 || got.Height != 128 || len(small) > 40<<10 {
		t.Errorf("a preview of %d bytes, %dx%d, %v; want 256x128 in a few kilobytes", len(small), got.Width, got.Height, err)
	}

	gray := image.NewGray(image.Rect(0, 0, 40, 10)) // blank, as the first steps are, and not enlarged
	gray.SetGray(0, 0, color.Gray{0})
	b.Reset()
	if err := png.Encode(&b, gray); err != nil {
		t.Fatal(err)
	}
	small, err = Preview(b.Bytes(), 256)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := jpeg.DecodeConfig(bytes.NewReader(small)); err != nil || got.Width != 40 || got.Height != 10 {
		t.Errorf("a small picture becomes %dx%d, %v", got.Width, got.Height, err)
	}
	for _, bad := range [][]byte{nil, []byte("<svg>"), b.Bytes()[:20]} {
		if _, err := Preview(bad, 256); err == nil {
			t.Errorf("a preview of %q", bad)
		}
	}
}
