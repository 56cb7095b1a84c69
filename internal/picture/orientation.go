package picture

import (
	"encoding/binary"
	"image"
)

// orientation is EXIF's: how a stored picture has to be turned to stand
// upright. Values outside 1 to 8 never occur.
type orientation byte

const (
	upright        orientation = 1
	maxOrientation orientation = 8

	tagOrientation = 0x0112
	typeShort      = 3
)

// swaps reports whether width and height change places.
func (o orientation) swaps() bool { return o >= 5 }

// size is the upright size of a picture stored as p.
func (o orientation) size(p image.Point) image.Point {
	if o.swaps() {
		return image.Pt(p.Y, p.X)
	}
	return p
}

// readOrientation looks the tag up in the first directory of an EXIF block;
// upright when there is none or the block is broken.
func readOrientation(b []byte) orientation {
	var order binary.ByteOrder
	switch {
	case len(b) < 8:
		return upright
	case string(b[:4]) == "II*\x00":
		order = binary.LittleEndian
	case string(b[:4]) == "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return upright
	}
	entries := b[at+2:]
	for n := order.Uint16(b[at:]); n > 0 && len(entries) >= 12; n-- {
		if order.Uint16(entries) == tagOrientation && order.Uint16(entries[2:]) == typeShort {
			if o := order.Uint16(entries[8:]); o >= uint16(upright) && o <= uint16(maxOrientation) {
				return orientation(o)
			}
			return upright
		}
		entries = entries[12:]
	}
	return upright
}

// exif is the smallest EXIF block that states o and nothing else.
func (o orientation) exif() []byte {
	return []byte{
		'M', 'M', 0, '*', 0, 0, 0, 8, // big endian, directory at 8
		0, 1, // one entry
		tagOrientation >> 8, tagOrientation & 0xff, 0, typeShort, 0, 0, 0, 1, 0, byte(o), 0, 0,
		0, 0, 0, 0, // no further directory
	}
}

// turn returns m standing upright: m itself when it does already.
func (o orientation) turn(m *image.NRGBA) *image.NRGBA {
	if o == upright {
		return m
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewNRGBA(image.Rectangle{Max: o.size(image.Pt(w, h))})
	for y := range h {
		row := m.Pix[y*m.Stride:][:w*nrgbaBytes]
		for x := range w {
			to := o.place(x, y, w, h)
			copy(out.Pix[to.Y*out.Stride+to.X*nrgbaBytes:][:nrgbaBytes], row[x*nrgbaBytes:])
		}
	}
	return out
}

// place says where the stored pixel x,y of a w by h picture belongs.
func (o orientation) place(x, y, w, h int) image.Point {
	switch o {
	case 2:
		return image.Pt(w-1-x, y)
	case 3:
		return image.Pt(w-1-x, h-1-y)
	case 4:
		return image.Pt(x, h-1-y)
	case 5:
		return image.Pt(y, x)
	case 6:
		return image.Pt(h-1-y, x)
	case 7:
		return image.Pt(h-1-y, w-1-x)
	case 8:
		return image.Pt(y, w-1-x)
	default:
		return image.Pt(x, y)
	}
}
