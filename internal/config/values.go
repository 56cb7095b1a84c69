package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Bytes is a size, written as 500MB, 10GiB or a plain number.
type Bytes int64

var byteUnits = []struct {
	suffix string
	size   int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, unit := string(text), int64(1)
	for _, u := range byteUnits {
		if n, ok := cutSuffixFold(number, u.suffix); ok {
			number, unit = strings.TrimSpace(n), u.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return errors.New("is not a size; write 500MB, 10GiB or a number of bytes")
	}
	*b = Bytes(n * unit)
	return nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	head := len(s) - len(suffix)
	if head < 0 || !strings.EqualFold(s[head:], suffix) {
		return s, false
	}
	return s[:head], true
}

// String is the size in the largest binary unit that divides it.
func (b Bytes) String() string {
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; b > 0 && int64(b)%u.size == 0 {
			return fmt.Sprintf("%d%s", int64(b)/u.size, u.suffix)
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// Dollars is an amount of US dollars, written as 25, 0.04 or $25.
type Dollars float64

// maxDollars is more than anybody means to spend on pictures in a month.
const maxDollars = 1_000_000

// UnmarshalText reads an amount.
func (d *Dollars) UnmarshalText(text []byte) error {
	n, err := strconv.ParseFloat(strings.TrimPrefix(string(text), "$"), 64)
	if err != nil || !(n >= 0 && n <= maxDollars) { // NaN too
		return errors.New("is not an amount; write US dollars, such as 25 or 0.04")
	}
	*d = Dollars(n)
	return nil
}

// String is the amount without a sign.
func (d Dollars) String() string { return strconv.FormatFloat(float64(d), 'f', -1, 64) }

// Widths are the renditions to make, in pixels, ascending; none is "off".
type Widths []int

// The limits of a rendition: narrower than an icon or wider than the largest
// original helps no reader.
const (
	minWidth  = 16
	maxWidth  = 2048
	maxWidths = 8 // each is an object to put and fetch back, for every picture
)

// UnmarshalText reads "640,1280" or "off".
func (w *Widths) UnmarshalText(text []byte) error {
	if strings.EqualFold(string(text), "off") {
		*w = nil
		return nil
	}
	var widths Widths
	for part := range strings.SplitSeq(string(text), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < minWidth || n > maxWidth {
			return fmt.Errorf("is not a list of widths; write off or up to %d numbers from %d to %d, such as 640,1280",
				maxWidths, minWidth, maxWidth)
		}
		widths = append(widths, n)
	}
	slices.Sort(widths)
	widths = slices.Compact(widths)
	if len(widths) > maxWidths {
		return fmt.Errorf("names %d widths; write at most %d", len(widths), maxWidths)
	}
	*w = widths
	return nil
}

func (w Widths) String() string {
	if len(w) == 0 {
		return "off"
	}
	texts := make([]string, len(w))
	for i, n := range w {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}
