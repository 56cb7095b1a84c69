package openai

import (
	"fmt"
	"math"
	"strings"
)

// model is the name of one; what a name begins with says which dialect it is.
type model string

func (m model) is(family string) bool { return strings.HasPrefix(string(m), family) }

// official reports whether the model is one whose limits are known.
func (m model) official() bool { return m.is("gpt-image") || m.is("dall-e") || m.is("chatgpt-image") }

// responseFormat is empty where the field is an error, and where the picture
// comes in the answer anyway.
func (m model) responseFormat() string {
	if m.is("gpt-image") || m.is("chatgpt-image") {
		return ""
	}
	return "b64_json"
}

// maxPrompt is in characters.
func (m model) maxPrompt() int {
	switch {
	case m.is("dall-e-2"):
		return 1000
	case m.is("dall-e"):
		return 4000
	case m.official():
		return 32_000
	default:
		return 4000
	}
}

// sizes of the models that have only some.
func (m model) sizes() [][2]int {
	switch {
	case m.is("gpt-image-2"):
		return nil
	case m.is("dall-e-2"):
		return [][2]int{{256, 256}, {512, 512}, {1024, 1024}}
	case m.is("dall-e"):
		return [][2]int{{1024, 1024}, {1792, 1024}, {1024, 1792}}
	case m.official():
		return [][2]int{{1024, 1024}, {1536, 1024}, {1024, 1536}}
	}
	return nil
}

// size is the nearest that the model has to w×h, empty for its default.
func (m model) size(w, h int) string {
	if w <= 0 || h <= 0 {
		return ""
	}
	switch list := m.sizes(); {
	case list != nil:
		w, h = nearest(list, w, h)
	case m.is("gpt-image-2"):
		w, h = free(w, h)
	}
	return fmt.Sprintf("%dx%d", w, h)
}

// nearest is the size of the nearest shape; of equal shapes the smallest that
// need not be enlarged, or else the largest.
func nearest(list [][2]int, w, h int) (int, int) {
	best, bestCost := list[0], math.Inf(1)
	for _, s := range list {
		shape := math.Abs(math.Log(float64(s[0]) * float64(h) / (float64(s[1]) * float64(w))))
		grow := math.Log(float64(w) * float64(h) / (float64(s[0]) * float64(s[1])))
		cost := shape * 1000 // shape decides; size only among equals
		if grow > 0 {
			cost += 10 * grow
		} else {
			cost -= grow
		}
		if cost < bestCost {
			best, bestCost = s, cost
		}
	}
	return best[0], best[1]
}

// The limits of models with free sizes.
const (
	multiple  = 16
	maxRatio  = 3.0
	maxLong   = 3840
	maxShort  = 2160
	minPixels = 655_360
)

// free is the nearest size within the limits.
func free(width, height int) (int, int) {
	w, h := float64(width), float64(height)
	w, h = math.Min(w, h*maxRatio), math.Min(h, w*maxRatio)
	scale := math.Max(1, math.Sqrt(minPixels/(w*h)))
	scale = math.Min(scale, math.Min(maxLong/math.Max(w, h), maxShort/math.Min(w, h)))
	w, h = w*scale, h*scale
	long, short := whole(math.Max(w, h), maxLong), whole(math.Min(w, h), maxShort)
	for float64(long) > maxRatio*float64(short) {
		long -= multiple
	}
	if w >= h {
		return long, short
	}
	return short, long
}

// whole rounds up to a multiple.
func whole(side float64, limit int) int {
	return min(int(math.Ceil(side/multiple-1e-9))*multiple, limit)
}
