package picture

import (
	"bytes"
	"encoding/binary"
	"image"
)

// The flags of a VP8X chunk.
const (
	vp8xAnimation = 0x02
	vp8xXMP       = 0x04
	vp8xEXIF      = 0x08
	vp8xAlpha     = 0x10
	vp8xICC       = 0x20
)

const riffHeader = 12 // "RIFF", the length of what follows, "WEBP"

func isWebP(b []byte) bool {
	return len(b) >= riffHeader && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP"
}

// webpParser walks the RIFF chunks up to the length that the file states.
type webpParser struct {
	header
	canvas image.Point // of the VP8X chunk; zero when there is none
	flags  byte
}

func parseWebP(b []byte) (header, error) {
	p := webpParser{header: header{frames: 1, orientation: upright}}
	n := uint64(binary.LittleEndian.Uint32(b[4:]))
	if n+8 > uint64(len(b)) {
		return p.header, truncated("WebP chunks")
	}
	if n < 4 {
		return p.header, errorf(CodeUndecodable, "the WebP states a length of %d bytes", n)
	}
	for rest := b[riffHeader : n+8]; len(rest) > 0; {
		if len(rest) < 8 {
			return p.header, truncated("WebP chunks")
		}
		size := uint64(binary.LittleEndian.Uint32(rest[4:]))
		if size > uint64(len(rest)-8) {
			return p.header, truncated("WebP chunks")
		}
		if err := p.chunk(string(rest[:4]), rest[:8+size]); err != nil {
			return p.header, err
		}
		rest = rest[min(8+size+size&1, uint64(len(rest))):]
	}
	return p.finish()
}

// chunk reads one chunk, its eight bytes of header included.
func (p *webpParser) chunk(kind string, chunk []byte) error {
	body := chunk[8:]
	switch kind {
	case "VP8X":
		return p.readVP8X(body)
	case "ANIM", "ANMF":
		p.frames = 2
	case "ICCP":
		p.profile = checkProfile(body)
	case "EXIF":
		p.orientation = readOrientation(bytes.TrimPrefix(body, []byte(exifID)))
	case "ALPH":
		if p.size == (image.Point{}) && p.flags&vp8xAlpha != 0 {
			p.alpha = true
			p.spans = append(p.spans, chunk)
		}
	case "VP8 ", "VP8L":
		if p.size != (image.Point{}) {
			return nil // decoders show the first picture; the second goes
		}
		p.spans = append(p.spans, chunk)
		if kind == "VP8 " {
			return p.readLossy(body)
		}
		return p.readLossless(body)
	}
	return nil
}

func (p *webpParser) readVP8X(body []byte) error {
	if len(body) != 10 || p.canvas != (image.Point{}) || p.size != (image.Point{}) {
		return errorf(CodeUndecodable, "the WebP's extended header is broken")
	}
	p.flags = body[0]
	p.canvas = image.Pt(uint24(body[4:])+1, uint24(body[7:])+1)
	if p.flags&vp8xAnimation != 0 {
		p.frames = 2
	}
	return nil
}

// readLossy reads a VP8 key frame's header.
func (p *webpParser) readLossy(body []byte) error {
	if len(body) < 10 || body[0]&1 != 0 || string(body[3:6]) != "\x9d\x01\x2a" {
		return errorf(CodeUndecodable, "the WebP's picture does not begin with a key frame")
	}
	p.size = image.Pt(int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff))
	p.bytesPerPixel = 1.5 + nrgbaBytes
	if p.alpha {
		p.bytesPerPixel += 2 * nrgbaBytes // the decoder unpacks alpha as a picture of its own
	}
	return nil
}

// readLossless reads a VP8L header: 14 bits each of width and height less one,
// one bit of alpha.
func (p *webpParser) readLossless(body []byte) error {
	if len(body) < 5 || body[0] != 0x2f {
		return errorf(CodeUndecodable, "the WebP's lossless picture has no header")
	}
	bits := binary.LittleEndian.Uint32(body[1:])
	p.size = image.Pt(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1)
	p.alpha = bits>>28&1 != 0
	p.bytesPerPixel = 3 * nrgbaBytes
	return nil
}

// finish checks what only the whole file can tell.
func (p *webpParser) finish() (header, error) {
	if p.frames > 1 {
		p.size = p.canvas // its pictures are inside the frames; the canvas is what has to be bounded
		if p.size == (image.Point{}) {
			p.size = image.Pt(1, 1)
		}
		return p.header, nil
	}
	if p.size == (image.Point{}) {
		return p.header, errorf(CodeUndecodable, "the WebP holds no picture")
	}
	if p.canvas != (image.Point{}) && p.canvas != p.size {
		return p.header, errorf(CodeUndecodable, "the WebP's canvas is %v, its picture %v", p.canvas, p.size)
	}
	return p.header, nil
}

// writeWebP writes the extended form when there is anything that only it can
// hold, else the simple one.
func writeWebP(h header, xmp []byte) []byte {
	out := make([]byte, 0, spanBytes(h.spans)+len(h.profile)+len(xmp)+256)
	out = append(out, "RIFF\x00\x00\x00\x00WEBP"...)
	if flags := h.vp8xFlags(xmp); flags != 0 {
		out = appendWebPChunk(out, "VP8X", h.vp8x(flags))
	}
	if h.profile != nil {
		out = appendWebPChunk(out, "ICCP", h.profile)
	}
	for _, s := range h.spans {
		out = appendWebPChunk(out, string(s[:4]), s[8:])
	}
	if h.orientation != upright {
		out = appendWebPChunk(out, "EXIF", h.orientation.exif())
	}
	if len(xmp) > 0 {
		out = appendWebPChunk(out, "XMP ", xmp)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func (h *header) vp8xFlags(xmp []byte) byte {
	var flags byte
	if h.alpha {
		flags |= vp8xAlpha
	}
	if h.profile != nil {
		flags |= vp8xICC
	}
	if h.orientation != upright {
		flags |= vp8xEXIF
	}
	if len(xmp) > 0 {
		flags |= vp8xXMP
	}
	if flags == vp8xAlpha && string(h.spans[0][:4]) == "VP8L" {
		return 0 // the lossless form states its alpha by itself
	}
	return flags
}

func (h *header) vp8x(flags byte) []byte {
	body := []byte{flags, 0, 0, 0}
	for _, side := range []int{h.size.X - 1, h.size.Y - 1} {
		body = append(body, byte(side), byte(side>>8), byte(side>>16))
	}
	return body
}

func appendWebPChunk(out []byte, kind string, body []byte) []byte {
	out = append(out, kind...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
	out = append(out, body...)
	if len(body)&1 != 0 {
		out = append(out, 0)
	}
	return out
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
