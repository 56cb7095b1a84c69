package picture

import (
	"encoding/binary"
	"image"
	"math"
)

// Fixed-point arithmetic: weights have weightBits of fraction. Between the two
// passes values are cut to settledBits, so that times a weight, and with the
// kernel's overshoot, they still fit a 32-bit half of a pair.
const (
	weightBits  = 14
	settledBits = 16
	reach       = 2.0 // of the Catmull-Rom kernel, in pixels of the smaller picture
)

// A pair is two channels in the halves of one word: one multiplication serves
// both, which halves the time of the hottest loops. A negative lower half
// borrows from the upper one; split gives it back.
type pair uint64

const pairMask = 0xff_0000_00ff

func join(low, high int32) pair { return pair(int64(low) + int64(high)<<32) }

func (p pair) split() (low, high int32) {
	low = int32(p)
	return low, int32((int64(p) - int64(low)) >> 32)
}

// channels are a pixel's: red and blue, green and alpha.
type channels struct{ rb, ga pair }

// taps are the source pixels that make one pixel of the result.
type taps struct {
	first   int
	weights []int32 // their sum is 1<<weightBits
}

// resize makes a smaller copy with a Catmull-Rom kernel as wide as the step, so
// that no detail aliases. It holds one row of sums at a time: a generic
// scaler's intermediate picture would be several times the source's own size.
func (p *Pixels) resize(w, h int) *Pixels {
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	columns := kernel(p.Rect.Dx(), w)
	sums := make([]channels, p.Rect.Dx())
	add, store, valueBits := addOpaque, storeOpaque, 8
	if !p.opaque {
		add, store, valueBits = addAlpha, storeAlpha, 16
	}
	for y, rows := range kernel(p.Rect.Dy(), h) {
		clear(sums)
		for i, weight := range rows.weights {
			add(sums, p.Pix[(rows.first+i)*p.Stride:], weight)
		}
		settle(sums, weightBits+valueBits-settledBits)
		to := out.Pix[y*out.Stride:]
		for x, c := range columns {
			store(to[x*nrgbaBytes:][:nrgbaBytes], squeeze(sums, c))
		}
	}
	return &Pixels{NRGBA: out, opaque: p.opaque, profile: p.profile}
}

// kernel computes for each of n results which of the size sources count how
// much.
func kernel(size, n int) []taps {
	scale := float64(size) / float64(n)
	width := max(scale, 1)
	all := make([]taps, n)
	for i := range all {
		centre := (float64(i)+0.5)*scale - 0.5
		first := max(0, int(math.Ceil(centre-reach*width)))
		last := min(size-1, int(math.Floor(centre+reach*width)))
		weights := make([]float64, last-first+1)
		total := 0.0
		for j := range weights {
			weights[j] = catmullRom((float64(first+j) - centre) / width)
			total += weights[j]
		}
		all[i] = taps{first, fixed(weights, total)}
	}
	return all
}

// fixed scales weights to an exact sum, so that an even area stays even; what
// rounding leaves over goes to the heaviest.
func fixed(weights []float64, total float64) []int32 {
	out := make([]int32, len(weights))
	left, heaviest := int32(1<<weightBits), 0
	for i, w := range weights {
		out[i] = int32(math.Round(w / total * (1 << weightBits)))
		left -= out[i]
		if out[i] > out[heaviest] {
			heaviest = i
		}
	}
	out[heaviest] += left
	return out
}

func catmullRom(x float64) float64 {
	switch x = math.Abs(x); {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	default:
		return 0
	}
}

// addOpaque adds a weighted row to the sums.
func addOpaque(sums []channels, row []byte, weight int32) {
	w := pair(weight)
	for i := range sums {
		px := pair(binary.LittleEndian.Uint32(row[nrgbaBytes*i:]))
		sums[i].rb += (px | px<<16) & pairMask * w
		sums[i].ga += (px>>8 | px<<8) & pairMask * w
	}
}

// addAlpha is addOpaque with colours multiplied by their alpha, so that the
// colour of an invisible pixel does not bleed into its neighbours.
func addAlpha(sums []channels, row []byte, weight int32) {
	w := pair(weight)
	for i := range sums {
		px := pair(binary.LittleEndian.Uint32(row[nrgbaBytes*i:]))
		alpha := px >> 24
		sums[i].rb += (px | px<<16) & pairMask * alpha * w
		sums[i].ga += (px>>8&0xff*alpha | 255*alpha<<32) * w
	}
}

// settle cuts the sums' fraction before they are multiplied again.
func settle(sums []channels, bits int) {
	for i := range sums {
		r, b := sums[i].rb.split()
		g, a := sums[i].ga.split()
		sums[i] = channels{join(r>>bits, b>>bits), join(g>>bits, a>>bits)}
	}
}

// squeeze sums the columns that make one pixel.
func squeeze(sums []channels, c taps) (px channels) {
	sums = sums[c.first:][:len(c.weights)]
	for i, weight := range c.weights {
		w := pair(weight)
		px.rb += sums[i].rb * w
		px.ga += sums[i].ga * w
	}
	return px
}

// storeOpaque rounds a finished pixel to bytes.
func storeOpaque(to []byte, px channels) {
	r, b := px.rb.split()
	g, _ := px.ga.split()
	const fraction = weightBits + settledBits - 8
	to[0], to[1], to[2], to[3] = round(r, fraction), round(g, fraction), round(b, fraction), 0xff
}

// storeAlpha takes the alpha out of the colours again.
func storeAlpha(to []byte, px channels) {
	r, b := px.rb.split()
	g, a := px.ga.split()
	alpha := round(a/255, weightBits)
	if alpha == 0 {
		return
	}
	to[0], to[1], to[2], to[3] = part(r, a), part(g, a), part(b, a), alpha
}

func round(v int32, fraction int) byte { return clamp((int64(v) + 1<<(fraction-1)) >> fraction) }

// part is a colour times alpha, over 255 times alpha.
func part(v, alpha int32) byte { return clamp((int64(v)*255 + int64(alpha)/2) / int64(alpha)) }

func clamp(v int64) byte { return byte(min(255, max(0, v))) }
