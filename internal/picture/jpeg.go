package picture

import (
	"bytes"
	"encoding/binary"
	"image"
)

// The JPEG markers that matter here.
const (
	jpegSOF0 = 0xc0
	jpegSOF2 = 0xc2 // progressive
	jpegDHT  = 0xc4
	jpegJPG  = 0xc8
	jpegDAC  = 0xcc
	jpegRST0 = 0xd0
	jpegRST7 = 0xd7
	jpegSOI  = 0xd8
	jpegEOI  = 0xd9
	jpegSOS  = 0xda
	jpegDQT  = 0xdb
	jpegDRI  = 0xdd
	jpegAPP0 = 0xe0
	jpegAPP1 = 0xe1
	jpegAPP2 = 0xe2
	jpegAPPE = 0xee // Adobe: which colour transform
	jpegAPPF = 0xef
	jpegCOM  = 0xfe
)

const (
	jfifID  = "JFIF\x00"
	exifID  = "Exif\x00\x00"
	xmpID   = "http://ns.adobe.com/xap/1.0/\x00"
	iccID   = "ICC_PROFILE\x00"
	adobeID = "Adobe"

	jfifBytes  = 14 // up to the thumbnail
	adobeBytes = 12
	maxSegment = 0xffff - 2
	// maxScanPixels bounds the work of a progressive picture: every scan walks
	// all the pixels again, and a scan may be ten bytes long. Forty megapixels
	// in 25 scans, more than any encoder writes.
	maxScanPixels = 1_000_000_000
)

func isJPEG(b []byte) bool { return bytes.HasPrefix(b, []byte("\xff\xd8\xff")) }

// jpegParser walks the segments. Bytes between segments are dropped: decoders
// skip them, and they are a fine place to hide things.
type jpegParser struct {
	header
	rest  []byte
	scans int
	icc   [][]byte // by sequence number
}

func parseJPEG(b []byte) (header, error) {
	p := jpegParser{header: header{frames: 1, orientation: upright}, rest: b[2:]}
	for {
		marker, ok := p.next()
		if !ok {
			return p.header, truncated("JPEG segments")
		}
		if marker == jpegEOI {
			return p.finish()
		}
		if err := p.segment(marker); err != nil {
			return p.header, err
		}
	}
}

// next finds the next marker, tolerating fill bytes and noise as decoders do.
func (p *jpegParser) next() (marker byte, ok bool) {
	for {
		i := bytes.IndexByte(p.rest, 0xff)
		if i < 0 || i+1 >= len(p.rest) {
			return 0, false
		}
		marker, p.rest = p.rest[i+1], p.rest[i+1:]
		if marker == 0xff {
			continue
		}
		p.rest = p.rest[1:]
		if marker != 0 && (marker < jpegRST0 || marker > jpegRST7) {
			return marker, true
		}
	}
}

// segment reads one marker's segment and keeps it when it makes pixels.
func (p *jpegParser) segment(marker byte) error {
	if marker < jpegSOF0 || marker == jpegSOI {
		return errorf(CodeUndecodable, "the JPEG has a marker %#x where a segment should begin", marker)
	}
	if len(p.rest) < 2 {
		return truncated("JPEG segments")
	}
	n := int(binary.BigEndian.Uint16(p.rest))
	if n < 2 {
		return errorf(CodeUndecodable, "the JPEG has a segment shorter than its own length field")
	}
	if n > len(p.rest) {
		return truncated("JPEG segments")
	}
	body := p.rest[2:n]
	if jpegAPP0 <= marker && marker <= jpegAPPF || marker == jpegCOM {
		p.rest = p.rest[n:]
		p.application(marker, body)
		return nil
	}
	switch marker {
	case jpegSOS:
		n += entropyBytes(p.rest[n:])
		p.scans++
	case jpegDHT, jpegDQT, jpegDRI:
	default:
		if err := p.frame(marker, body); err != nil {
			return err
		}
	}
	p.keep(marker, p.rest[:n])
	p.rest = p.rest[n:]
	return nil
}

// keep appends a segment whose marker is written anew, since fill bytes may
// stand between the marker and what precedes it.
func (p *jpegParser) keep(marker byte, segment []byte) {
	p.spans = append(p.spans, []byte{0xff, marker}, segment)
}

// entropyBytes is the length of a scan's compressed data: up to the next
// marker that is neither a stuffed byte nor a restart.
func entropyBytes(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], 0xff)
		if i < 0 {
			return len(b)
		}
		at += i
		if at+1 >= len(b) {
			return len(b)
		}
		switch m := b[at+1]; {
		case m == 0 || jpegRST0 <= m && m <= jpegRST7:
			at += 2
		case m == 0xff:
			at++
		default:
			return at
		}
	}
}

// frame reads the size from the start of frame, and refuses the processes that
// browsers do not know.
func (p *jpegParser) frame(marker byte, body []byte) error {
	if marker > jpegSOF2 {
		return errorf(CodeUndecodable, "the JPEG uses a process (marker %#x) that browsers do not show: neither baseline nor progressive", marker)
	}
	if p.size != (image.Point{}) {
		return errorf(CodeUndecodable, "the JPEG has more than one frame header")
	}
	if len(body) < 6 {
		return errorf(CodeUndecodable, "the JPEG frame header is too short")
	}
	p.size = image.Pt(int(binary.BigEndian.Uint16(body[3:])), int(binary.BigEndian.Uint16(body[1:])))
	components := float64(body[5])
	p.bytesPerPixel = components + nrgbaBytes
	if marker == jpegSOF2 {
		p.bytesPerPixel += 4 * components // the coefficients of all scans are held until the last
	}
	return nil
}

// application takes from the APPn and COM segments what changes the look, and
// drops them with all the rest: EXIF, XMP, IPTC, thumbnails, further pictures.
func (p *jpegParser) application(marker byte, body []byte) {
	switch {
	case marker == jpegAPP0 && hasID(body, jfifID, jfifBytes) && p.jfif == nil:
		p.jfif = append([]byte(nil), body[:jfifBytes]...)
		p.jfif[12], p.jfif[13] = 0, 0 // the thumbnail's size
	case marker == jpegAPP1 && hasID(body, exifID, len(exifID)):
		p.orientation = readOrientation(body[len(exifID):])
	case marker == jpegAPP2 && hasID(body, iccID, len(iccID)+2):
		p.icc = append(p.icc, body[len(iccID):])
	case marker == jpegAPPE && hasID(body, adobeID, adobeBytes):
		p.keep(marker, append([]byte{0, adobeBytes + 2}, body[:adobeBytes]...))
	}
}

func hasID(body []byte, id string, least int) bool {
	return len(body) >= least && bytes.HasPrefix(body, []byte(id))
}

// finish checks what only the whole file can tell.
func (p *jpegParser) finish() (header, error) {
	if p.size == (image.Point{}) || p.scans == 0 {
		return p.header, errorf(CodeUndecodable, "the JPEG holds no picture")
	}
	if p.scans > 1 && p.scans > maxScanPixels/max(1, p.size.X*p.size.Y) {
		p.fault = errorf(CodeBounds, "the JPEG draws its %d by %d pixels in %d scans, which is an attack on decoders", p.size.X, p.size.Y, p.scans)
	}
	p.profile = joinProfile(p.icc)
	return p.header, nil
}

func writeJPEG(h header, xmp []byte) []byte {
	out := make([]byte, 0, spanBytes(h.spans)+len(h.profile)+len(xmp)+512)
	out = append(out, 0xff, jpegSOI)
	if h.jfif != nil {
		out = appendJPEGSegment(out, jpegAPP0, "", h.jfif) // has to be first
	}
	if h.orientation != upright {
		out = appendJPEGSegment(out, jpegAPP1, exifID, h.orientation.exif())
	}
	if len(xmp) > 0 {
		out = appendJPEGSegment(out, jpegAPP1, xmpID, xmp)
	}
	for i, part := range splitProfile(h.profile) {
		id := iccID + string([]byte{byte(i + 1), byte(profileParts(h.profile))})
		out = appendJPEGSegment(out, jpegAPP2, id, part)
	}
	for _, s := range h.spans {
		out = append(out, s...)
	}
	return append(out, 0xff, jpegEOI)
}

func appendJPEGSegment(out []byte, marker byte, id string, body []byte) []byte {
	out = append(out, 0xff, marker)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(id)+len(body)))
	return append(append(out, id...), body...)
}
