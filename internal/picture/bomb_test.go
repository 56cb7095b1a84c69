package picture

import (
	"runtime"
	"testing"
)

// TestProfileBombIsNotUnpacked is not parallel: it reads how much the whole
// process allocated meanwhile.
func TestProfileBombIsNotUnpacked(t *testing.T) {
	const unpacked = 40 << 20
	b := afterIHDR(pngOf(t, photo(16, 16)), chunk("iCCP", append([]byte("x\x00\x00"), deflate(t, make([]byte, unpacked))...)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, h, err := open(b, Limits{})
	runtime.ReadMemStats(&after)
	if err != nil || h.profile != nil {
		t.Fatalf("open = profile of %d bytes, %v, want the picture without it", len(h.profile), err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > unpacked {
		t.Errorf("a bomb of %d bytes made us allocate %d", unpacked, got)
	}
}
