package picture

import (
	"bytes"
	"image"
	"image/jpeg"
)

// previewQuality is enough to see what a picture is going to be.
const previewQuality = 70

// Preview is a small JPEG of a picture that is still being made, at most side
// pixels wide and high; transparency turns black. It does not ask whether the
// picture shows anything: at first it is noise.
func Preview(b []byte, side int) ([]byte, error) {
	c, _, err := open(b, Limits{})
	if err != nil {
		return nil, err
	}
	img, err := c.decode(bytes.NewReader(b))
	if err != nil {
		return nil, decodeError(c, err)
	}
	m := toNRGBA(img, isOpaque(img))
	w, ht := m.Rect.Dx(), m.Rect.Dy()
	if longest := max(w, ht, 1); longest > side {
		w, ht = max(1, w*side/longest), max(1, ht*side/longest)
	}
	small := shrink(m, w, ht)
	var out bytes.Buffer
	rgba := &image.RGBA{Pix: small.Pix, Stride: small.Stride, Rect: small.Rect}
	if err := jpeg.Encode(&out, rgba, &jpeg.Options{Quality: previewQuality}); err != nil {
		return nil, err // unreachable: a buffer takes everything
	}
	return out.Bytes(), nil
}
