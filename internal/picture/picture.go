// Package picture turns bytes that somebody else made into a picture fit to
// publish: [Judge] says what they are and whether they are a picture at all,
// [Finish] removes what they should not tell and writes where they come from,
// [Renditions] and [Placeholder] make the smaller copies for readers.
//
// It deliberately does no I/O and keeps no state: everything goes from []byte
// to values, equal bytes give equal results, and all of it is safe for
// concurrent use. It chooses no keys, stores nothing and knows no backend.
//
// The trap is memory. A compressed file of a few kilobytes may honestly claim
// 40 megapixels, which are 160 MiB of pixels; so nothing is decoded before the
// header was read and held against [Limits], and a caller that decodes several
// at once asks [Inspect] first what each of them will need.
package picture

import (
	"bytes"
	"image"
)

// Facts is what a picture is, measured rather than claimed.
type Facts struct {
	ContentType string // by magic bytes, whatever the sender called it
	Ext         string // without the dot: "png", "jpg", "webp"
	Width       int    // pixels, as a reader sees it: EXIF orientation applied
	Height      int
	Color       string // dominant colour, "#rrggbb"
	Hash        Hash   // perceptual; compare with [Hash.Distance]
	// Pixels is the decoded picture, upright, for [Renditions] and
	// [Placeholder]. It is by far the largest member: drop it when done.
	Pixels *Pixels
}

// Pixels is a decoded picture: upright, 8 bits a channel, alpha not
// premultiplied, its origin at 0,0. It must not be changed.
type Pixels struct {
	*image.NRGBA
	opaque  bool
	sample  *image.NRGBA // at most sampleSide a side, whatever the shape; nil in a rendition
	profile []byte       // the ICC profile its RGB values are in; nil means sRGB
}

// Encoded is a picture as a file.
type Encoded struct {
	Bytes       []byte
	ContentType string
	Ext         string // without the dot
	Width       int    // pixels, as a reader sees it
	Height      int
}

// Judge decides whether b is a picture that can be published and measures it.
// The whole picture is decoded, so one that is cut off is found here and not
// by a reader. Every error is an [*Error]; the same bytes always get the same.
func Judge(b []byte, limits Limits) (Facts, error) {
	c, h, err := open(b, limits)
	if err != nil {
		return Facts{}, err
	}
	img, err := c.decode(bytes.NewReader(b))
	if err != nil {
		return Facts{}, decodeError(c, err)
	}
	if size := img.Bounds().Size(); size != h.size {
		return Facts{}, errorf(CodeUndecodable, "the %s header promises %v pixels, the data hold %v", c.name, h.size, size)
	}
	p := newPixels(img, h)
	if p.isBlank() {
		return Facts{}, errorf(CodeBlank, "the %s shows one even colour and nothing else; generators answer so when a safety filter or a numeric error blanked the picture", c.name)
	}
	return Facts{
		ContentType: c.contentType, Ext: c.ext,
		Width: p.Rect.Dx(), Height: p.Rect.Dy(),
		Color: dominant(p.sample), Hash: hashOf(p.sample), Pixels: p,
	}, nil
}

// Finish rewrites b so that it says where the picture comes from and nothing
// else: prompts, workflows, paths, places, thumbnails, dates, private blocks
// and whatever stands behind the picture's end are dropped; colour, resolution
// and orientation stay; provenance is written as XMP. The compressed pixels are
// copied, never encoded again, and the same input gives the same output.
//
// An EXIF orientation other than upright is kept as the only EXIF tag: turning
// a JPEG's pixels would cost quality, dropping the tag would show it lying.
//
// Finish reads the container only. It expects bytes that [Judge] accepted; for
// others it returns an [*Error] or a file as broken as the one it was given.
func Finish(b []byte, prov Provenance) (Encoded, error) {
	c, h, err := open(b, unlimited)
	if err != nil {
		return Encoded{}, err
	}
	size := h.orientation.size(h.size)
	return Encoded{
		Bytes:       c.write(h, prov.packet()),
		ContentType: c.contentType, Ext: c.ext,
		Width: size.X, Height: size.Y,
	}, nil
}
