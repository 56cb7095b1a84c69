package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"
)

const (
	pngSignature = "\x89PNG\r\n\x1a\n"
	// pngChunkFrame is a chunk's length, type and checksum.
	pngChunkFrame = 12
	// maxDeflateRatio is the best that deflate can do; a header that promises
	// more pixels than the data could unpack to is a lie worth no allocation.
	maxDeflateRatio = 1032
)

// pngKept are the chunks that change how the picture looks. Everything else
// goes, unknown chunks included: text in three spellings, EXIF, dates, C2PA
// boxes, editors' private state, animation.
var pngKept = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true,
	"gAMA": true, "cHRM": true, "sRGB": true, "cICP": true, "mDCV": true, "cLLI": true,
	"sBIT": true, "bKGD": true, "pHYs": true,
}

func isPNG(b []byte) bool { return bytes.HasPrefix(b, []byte(pngSignature)) }

func parsePNG(b []byte) (header, error) {
	h := header{frames: 1, orientation: upright}
	rest := b[len(pngSignature):]
	var data int
	for first := true; ; first = false {
		if len(rest) < pngChunkFrame {
			return h, truncated("PNG chunks")
		}
		n := uint64(binary.BigEndian.Uint32(rest))
		if n > uint64(len(rest)-pngChunkFrame) {
			return h, truncated("PNG chunks")
		}
		chunk, kind, body := rest[:pngChunkFrame+n], string(rest[4:8]), rest[8:8+n]
		rest = rest[len(chunk):]
		if first {
			if err := h.readIHDR(kind, body); err != nil {
				return h, err
			}
		}
		switch kind {
		case "IDAT":
			data += len(body)
		case "acTL":
			h.frames = pngFrames(body)
		case "eXIf":
			h.orientation = readOrientation(body)
		case "iCCP":
			if h.profile = inflateProfile(body); h.profile != nil {
				h.pngProfile = chunk
			}
		}
		if pngKept[kind] {
			h.spans = append(h.spans, chunk)
		}
		if kind == "IEND" {
			h.fault = h.checkPNGData(data)
			return h, nil
		}
	}
}

// readIHDR takes the size and the need for memory from the first chunk.
func (h *header) readIHDR(kind string, body []byte) error {
	if kind != "IHDR" || len(body) != 13 {
		return errorf(CodeUndecodable, "the PNG does not begin with its header")
	}
	w, ht := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	if w > 1<<31-1 || ht > 1<<31-1 {
		return errorf(CodeBounds, "the PNG header says %d by %d pixels", w, ht)
	}
	h.size = image.Pt(int(w), int(ht))
	h.bytesPerPixel = nrgbaBytes + 1 // grey and palette pictures are held in both forms for a moment
	if depth := body[8]; depth == 16 {
		h.bytesPerPixel = 3 * nrgbaBytes
	}
	if interlaced := body[12] != 0; interlaced {
		h.bytesPerPixel *= 1.5 // the last pass alone is half of the picture
	}
	return nil
}

// checkPNGData refuses a picture that cannot be in so few bytes.
func (h *header) checkPNGData(data int) error {
	leastRow := 1 + (h.size.X+7)/8 // the filter's byte, and one bit a pixel
	if leastRow*h.size.Y > data*maxDeflateRatio {
		return errorf(CodeTruncated, "%d bytes of PNG data cannot hold %d by %d pixels", data, h.size.X, h.size.Y)
	}
	return nil
}

// pngFrames reads the animation header; one that cannot be read counts as
// animated.
func pngFrames(body []byte) int {
	if len(body) < 4 {
		return 2
	}
	return int(min(binary.BigEndian.Uint32(body), 2))
}

// inflateProfile unpacks an iCCP chunk: a name, a method, a zlib stream.
// It returns nil for one that is broken or unreasonably large.
func inflateProfile(body []byte) []byte {
	_, packed, ok := bytes.Cut(body, []byte{0})
	if !ok || len(packed) < 1 {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(packed[1:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(z, maxProfile+1))
	if err != nil {
		return nil
	}
	return checkProfile(profile)
}

func writePNG(h header, xmp []byte) []byte {
	out := make([]byte, 0, len(pngSignature)+spanBytes(h.spans)+len(h.pngProfile)+len(xmp)+128)
	out = append(out, pngSignature...)
	out = append(out, h.spans[0]...) // IHDR, which has to be first
	out = append(out, h.pngProfile...)
	if h.orientation != upright {
		out = appendPNGChunk(out, "eXIf", h.orientation.exif())
	}
	if len(xmp) > 0 {
		// Keyword; not compressed; no language; no translated keyword.
		out = appendPNGChunk(out, "iTXt", append([]byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"), xmp...))
	}
	for _, s := range h.spans[1:] {
		out = append(out, s...)
	}
	return out
}

func appendPNGChunk(out []byte, kind string, body []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	start := len(out)
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start:]))
}

func spanBytes(spans [][]byte) int {
	n := 0
	for _, s := range spans {
		n += len(s)
	}
	return n
}
