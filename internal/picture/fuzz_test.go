package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
)

// fuzzLimits keep one try below a millisecond or two.
var fuzzLimits = Limits{MaxBytes: 1 << 16, MaxSide: 256, MaxPixels: 1 << 14}

// fuzzFinish holds the container's promises against any bytes: no panic, every
// refusal an *Error, pixels untouched, a finished file final. mend, when not
// nil, repairs what would else stop every mutation at the door.
//
// Run with -fuzzminimizetime=1x: minimising whole pictures takes a minute each,
// in which nothing is tried.
func fuzzFinish(f *testing.F, name string, mend func([]byte)) {
	for _, files := range []map[string]func(testing.TB) []byte{dirty(), clean()} {
		for n, file := range files {
			if n[:3] == name[:3] {
				f.Add(file(f))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if mend != nil {
			b = bytes.Clone(b)
			mend(b)
		}
		c, _, err := open(b, fuzzLimits)
		if err != nil {
			wantError(t, err)
			return
		}
		got, err := Finish(b, generated)
		if err != nil {
			t.Fatalf("Finish refuses what Inspect takes: %v", err)
		}
		again, err := Finish(got.Bytes, generated)
		if err != nil {
			t.Fatalf("Finish refuses its own work: %v", err)
		}
		if !bytes.Equal(again.Bytes, got.Bytes) {
			t.Fatalf("finishing twice made %d bytes of %d", len(again.Bytes), len(got.Bytes))
		}
		img, err := c.decode(bytes.NewReader(b))
		if err != nil {
			return // broken before, free to be broken after
		}
		if diff := difference(t, toNRGBA(img, isOpaque(img)), decodePixels(t, got.Bytes)); diff != 0 {
			t.Fatalf("pixels changed by %v", diff)
		}
	})
}

func wantError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code == "" || e.Message == "" {
		t.Fatalf("error %#v, want an *Error with code and message", err)
	}
}

func FuzzFinishPNG(f *testing.F)  { fuzzFinish(f, "PNG", mendChecksums) }
func FuzzFinishJPEG(f *testing.F) { fuzzFinish(f, "JPEG", nil) }
func FuzzFinishWebP(f *testing.F) { fuzzFinish(f, "WebP", nil) }

// mendChecksums makes every chunk's checksum right.
func mendChecksums(b []byte) {
	if len(b) < len(pngSignature) {
		return
	}
	for b = b[len(pngSignature):]; len(b) >= pngChunkFrame; {
		n := uint64(binary.BigEndian.Uint32(b))
		if n > uint64(len(b)-pngChunkFrame) {
			return
		}
		binary.BigEndian.PutUint32(b[8+n:], crc32.ChecksumIEEE(b[4:8+n]))
		b = b[pngChunkFrame+n:]
	}
}

// FuzzJudge goes all the way: whatever is accepted can be made into renditions.
func FuzzJudge(f *testing.F) {
	for _, file := range clean() {
		f.Add(file(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := Judge(b, fuzzLimits)
		if err != nil {
			wantError(t, err)
			return
		}
		if _, err := Renditions(facts.Pixels, []int{7, 16, 500}, Provenance{}); err != nil {
			t.Fatalf("Renditions = %v", err)
		}
		if len(Placeholder(facts.Pixels)) >= 1024 {
			t.Fatalf("the placeholder is too long")
		}
	})
}

func FuzzReadOrientation(f *testing.F) {
	f.Add(exifWith(6, secret))
	f.Add([]byte("II*\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := readOrientation(b); o < upright || o > maxOrientation {
			t.Fatalf("readOrientation = %d", o)
		}
	})
}
