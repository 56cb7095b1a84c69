package picture

import "math"

// The default limits, generous for any generator in use and low enough that
// one picture fits into a small worker's memory.
const (
	MaxBytes  = 30 << 20   // of the file
	MaxSide   = 8192       // pixels
	MaxPixels = 40_000_000 // width times height
)

// Limits bounds what is decoded. A member that is 0 takes the default.
type Limits struct {
	MaxBytes  int
	MaxSide   int
	MaxPixels int
}

// unlimited is for bytes that were judged before.
var unlimited = Limits{MaxBytes: math.MaxInt, MaxSide: math.MaxInt, MaxPixels: math.MaxInt}

func (l Limits) withDefaults() Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = MaxBytes
	}
	if l.MaxSide == 0 {
		l.MaxSide = MaxSide
	}
	if l.MaxPixels == 0 {
		l.MaxPixels = MaxPixels
	}
	return l
}

// checkBytes bounds the file before anything is read from it.
func (l Limits) checkBytes(b []byte) error {
	switch {
	case len(b) == 0:
		return errorf(CodeEmpty, "there are no bytes; the generator answered an empty body")
	case len(b) > l.MaxBytes:
		return errorf(CodeTooLarge, "%.1f MiB, at most %.1f MiB are accepted", mib(len(b)), mib(l.MaxBytes))
	}
	return nil
}

// check bounds a picture by its header.
func (l Limits) check(h header) error {
	w, ht := h.size.X, h.size.Y
	switch {
	case w < 1 || ht < 1:
		return errorf(CodeUndecodable, "the header says %d by %d pixels", w, ht)
	case w > l.MaxSide || ht > l.MaxSide:
		return errorf(CodeBounds, "%d by %d pixels, at most %d a side are accepted", w, ht, l.MaxSide)
	case w > l.MaxPixels/ht:
		return errorf(CodeBounds, "%d by %d are %.1f megapixels, at most %.1f are accepted", w, ht,
			float64(w)*float64(ht)/1e6, float64(l.MaxPixels)/1e6)
	}
	return nil
}

func mib(n int) float64 { return float64(n) / (1 << 20) }
