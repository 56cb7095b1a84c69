package picture

import (
	"fmt"
	"image"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// Hash says what a picture looks like in 64 bits: the signs of its lowest
// frequencies. Scaling, compressing and brightening change few of them.
type Hash uint64

// Distance is how many of the 64 bits differ.
func (h Hash) Distance(other Hash) int { return bits.OnesCount64(uint64(h ^ other)) }

// String is the stored form: 16 hexadecimal digits.
func (h Hash) String() string { return fmt.Sprintf("%016x", uint64(h)) }

// ParseHash is the inverse of [Hash.String].
func ParseHash(s string) (Hash, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("parse hash %.20q: want 16 hexadecimal digits", s)
	}
	return Hash(n), nil
}

const (
	hashSide  = 32 // of the grey sample
	hashWaves = 8  // frequencies a side
)

// cosines[k][i] is the k-th wave at the i-th sample.
var cosines = func() (c [hashWaves][hashSide]float64) {
	for k := range c {
		for i := range c[k] {
			c[k][i] = math.Cos(math.Pi / hashSide * (float64(i) + 0.5) * float64(k))
		}
	}
	return c
}()

// hashOf compares each low frequency of the sample with their median. The
// first one, the mean brightness, is left out of the median.
func hashOf(m *image.NRGBA) Hash {
	waves := transform(greySample(m))
	sorted := slices.Sorted(slices.Values(waves[1:]))
	median := sorted[len(sorted)/2]
	var h Hash
	for i, w := range waves {
		if w > median {
			h |= 1 << i
		}
	}
	return h
}

// greySample reads a square of brightness from a sample of any size,
// transparent areas as on white paper.
func greySample(m *image.NRGBA) (grey [hashSide][hashSide]float64) {
	for y := range grey {
		for x := range grey[y] {
			i := (2*y+1)*m.Rect.Dy()/(2*hashSide)*m.Stride + (2*x+1)*m.Rect.Dx()/(2*hashSide)*nrgbaBytes
			px := m.Pix[i : i+nrgbaBytes]
			luma := 0.299*float64(px[0]) + 0.587*float64(px[1]) + 0.114*float64(px[2])
			grey[y][x] = 255 + (luma-255)*float64(px[3])/255
		}
	}
	return grey
}

// transform is the corner of a two-dimensional cosine transform.
func transform(grey [hashSide][hashSide]float64) [hashWaves * hashWaves]float64 {
	var rows [hashSide][hashWaves]float64
	for y, line := range grey {
		for k := range rows[y] {
			for x, v := range line {
				rows[y][k] += v * cosines[k][x]
			}
		}
	}
	var out [hashWaves * hashWaves]float64
	for v := range hashWaves {
		for u := range hashWaves {
			for y := range rows {
				out[v*hashWaves+u] += rows[y][u] * cosines[v][y]
			}
		}
	}
	return out
}
