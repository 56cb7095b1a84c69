package picture

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// container is one file format: how it is recognised, read and written.
type container struct {
	name        string // for people
	contentType string
	ext         string
	match       func(b []byte) bool
	// parse reads the structure without decoding a pixel or allocating more
	// than the list of spans to keep.
	parse func(b []byte) (header, error)
	// write puts the kept spans together again, with xmp when it is not empty.
	write  func(h header, xmp []byte) []byte
	decode func(io.Reader) (image.Image, error)
}

// Pixels are decoded by the memory-safe decoders only, WebP included: libwebp
// sees nothing but pixels that were decoded here.
var containers = []*container{
	{"PNG", "image/png", "png", isPNG, parsePNG, writePNG, png.Decode},
	{"JPEG", "image/jpeg", "jpg", isJPEG, parseJPEG, writeJPEG, jpeg.Decode},
	{"WebP", "image/webp", "webp", isWebP, parseWebP, writeWebP, webp.Decode},
}

// header is what a container says about its picture before any is decoded.
type header struct {
	size        image.Point // as stored, before the orientation is applied
	frames      int
	orientation orientation
	profile     []byte // ICC, checked and uncompressed; nil when there is none
	// spans are the parts of the input that make up the pixels, in order, not
	// copied. What each of them holds is the container's own affair.
	spans [][]byte
	// pngProfile is the profile's compressed chunk, kept so that it need not be
	// compressed again.
	pngProfile []byte
	jfif       []byte // JPEG: density, without the thumbnail; nil when absent
	alpha      bool   // WebP: the VP8X flag
	// fault is a promise that cannot be true. It is weighed after the bounds,
	// so that a picture that is simply too large is called that.
	fault error
	// bytesPerPixel is the decoder's own need at its highest.
	bytesPerPixel float64
}

// Header is what is known of a picture before decoding it.
type Header struct {
	ContentType   string
	Width, Height int // pixels, as a reader sees it
	// Memory estimates the bytes that [Judge] will hold at its highest,
	// without the file itself. Hold it against what is left before decoding
	// several pictures at once.
	Memory int64
}

// Inspect reads the header and holds it against the limits. It costs
// microseconds and promises nothing about the pixels.
func Inspect(b []byte, limits Limits) (Header, error) {
	c, h, err := open(b, limits)
	if err != nil {
		return Header{}, err
	}
	size := h.orientation.size(h.size)
	perPixel := h.bytesPerPixel
	if h.orientation != upright {
		perPixel += nrgbaBytes
	}
	return Header{
		ContentType: c.contentType, Width: size.X, Height: size.Y,
		Memory: int64(perPixel * float64(size.X) * float64(size.Y)),
	}, nil
}

// open recognises b, reads its structure and holds it against the limits.
func open(b []byte, limits Limits) (*container, header, error) {
	limits = limits.withDefaults()
	if err := limits.checkBytes(b); err != nil {
		return nil, header{}, err
	}
	for _, c := range containers {
		if !c.match(b) {
			continue
		}
		h, err := c.parse(b)
		if err != nil {
			return nil, header{}, err
		}
		if err := limits.check(h); err != nil {
			return nil, header{}, err
		}
		if h.frames > 1 {
			return nil, header{}, errorf(CodeAnimated, "the %s has more than one frame; a featured picture stands still", c.name)
		}
		return c, h, h.fault
	}
	return nil, header{}, errorf(CodeUnknownFormat, "these bytes are %s; PNG, JPEG and WebP are accepted", sniff(b))
}

// signatures name what is commonly sent in place of a picture, so that the
// error says more than "not a picture".
var signatures = []struct{ prefix, name string }{
	{"GIF8", "a GIF"},
	{"BM", "a BMP"},
	{"II*\x00", "a TIFF"},
	{"MM\x00*", "a TIFF"},
	{"\x00\x00\x01\x00", "an icon"},
	{"\xff\x0a", "a JPEG XL"},
	{"\x00\x00\x00\x0cJXL ", "a JPEG XL"},
	{"%PDF-", "a PDF"},
	{"{", "JSON"},
	{"[", "JSON"},
	{"PK\x03\x04", "a ZIP archive"},
	{"\x1f\x8b", "gzip data"},
	{"data:", "a data: URL, to be decoded first"},
	{"http", "a URL, to be fetched first"},
	{"iVBORw0KGgo", "a PNG in base64, to be decoded first"},
	{"/9j/", "a JPEG in base64, to be decoded first"},
}

// sniff names the format of bytes that are none of ours, with its article.
func sniff(b []byte) string {
	if len(b) > 12 && string(b[4:8]) == "ftyp" {
		if brand := string(b[8:12]); brand == "avif" || brand == "avis" {
			return "an AVIF"
		}
		return "HEIC or MP4"
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, s := range signatures {
		if bytes.HasPrefix(text, []byte(s.prefix)) {
			return s.name
		}
	}
	if bytes.HasPrefix(text, []byte("<")) {
		return sniffMarkup(text)
	}
	return "of an unknown format"
}

// sniffMarkup tells a vector picture from an error page by its first kilobyte.
func sniffMarkup(text []byte) string {
	start := bytes.ToLower(text[:min(len(text), 1024)])
	switch {
	case bytes.Contains(start, []byte("<svg")):
		return "an SVG, which can carry scripts"
	case bytes.Contains(start, []byte("<html")), bytes.Contains(start, []byte("<!doctype html")), bytes.Contains(start, []byte("<body")):
		return "an HTML page, probably an error message"
	default:
		return "XML or HTML"
	}
}
