package picture

import (
	"bytes"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time of this process or of its ended children.
func cpu(b *testing.B, who int) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU runs f b.N times and reports processor time instead of wall time:
// both cores count, and other programs on the machine do not.
func reportCPU(b *testing.B, who int, f func()) {
	b.Helper()
	b.ReportAllocs()
	start := cpu(b, who)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpu(b, who)-start)/float64(b.N)/1e6, "cpu-ms/op")
}

// peakMiB is the most memory that this process ever held, libwebp's included.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc: peak memory cannot be read")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}

// finishAll is everything that happens to one picture.
func finishAll(tb testing.TB, in []byte) []Encoded {
	f, err := Judge(in, Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	original, err := Finish(in, generated)
	if err != nil {
		tb.Fatal(err)
	}
	copies, err := Renditions(f.Pixels, Widths, generated)
	if err != nil {
		tb.Fatal(err)
	}
	if Placeholder(f.Pixels) == "" {
		tb.Fatal("no placeholder")
	}
	return append(copies, original)
}

// BenchmarkFinish is one 1024² PNG: decode, checks, strip, renditions of 640
// and 1024 pixels, placeholder.
func BenchmarkFinish(b *testing.B) {
	in := pngOf(b, photo(1024, 1024))
	reportCPU(b, syscall.RUSAGE_SELF, func() { finishAll(b, in) })
}

// BenchmarkFinishFour is four of them at once; run it alone for its peak.
func BenchmarkFinishFour(b *testing.B) {
	in := pngOf(b, photo(1024, 1024))
	reportCPU(b, syscall.RUSAGE_SELF, func() {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { finishAll(b, bytes.Clone(in)) })
		}
		wg.Wait()
	})
	b.ReportMetric(peakMiB(b), "peak-MiB")
}

// BenchmarkCwebp is the floor of BenchmarkFinish: the same two renditions by
// libwebp's own tool.
func BenchmarkCwebp(b *testing.B) {
	in := needCwebp(b)
	reportCPU(b, syscall.RUSAGE_CHILDREN, func() {
		cwebp(b, in, "-resize", "640", "0")
		cwebp(b, in)
	})
}

// BenchmarkRendition is one full-size rendition from the file, as cwebp does
// it: decode, encode. BenchmarkRenditionCwebp is its floor.
func BenchmarkRendition(b *testing.B) {
	in := pngOf(b, photo(1024, 1024))
	var out int
	reportCPU(b, syscall.RUSAGE_SELF, func() {
		m, err := png.Decode(bytes.NewReader(in))
		if err != nil {
			b.Fatal(err)
		}
		p := &Pixels{NRGBA: toNRGBA(m, isOpaque(m)), opaque: true}
		copies, err := Renditions(p, []int{1024}, generated)
		if err != nil {
			b.Fatal(err)
		}
		out = len(copies[0].Bytes)
	})
	b.ReportMetric(100*float64(out)/float64(len(in)), "%of-png")
}

func BenchmarkRenditionCwebp(b *testing.B) {
	in := needCwebp(b)
	reportCPU(b, syscall.RUSAGE_CHILDREN, func() { cwebp(b, in) })
}

// BenchmarkRewritePNG is the metadata alone.
func BenchmarkRewritePNG(b *testing.B) {
	in := afterIHDR(pngOf(b, photo(1024, 1024)), chunk("tEXt", []byte("parameters\x00"+secret)))
	b.SetBytes(int64(len(in)))
	reportCPU(b, syscall.RUSAGE_SELF, func() {
		if _, err := Finish(in, generated); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkStages shows where the time of BenchmarkFinish goes.
func BenchmarkStages(b *testing.B) {
	in := pngOf(b, photo(1024, 1024))
	f, err := Judge(in, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	stages := map[string]func(){
		"judge":       func() { _, _ = Judge(in, Limits{}) },
		"decode":      func() { _, _ = png.Decode(bytes.NewReader(in)) },
		"blank":       func() { f.Pixels.isBlank() },
		"shrink":      func() { shrink(f.Pixels.NRGBA, sampleSide, sampleSide) },
		"resize":      func() { f.Pixels.resize(640, 640) },
		"placeholder": func() { Placeholder(f.Pixels) },
		"encode":      func() { _, _ = encodeRendition(f.Pixels) },
	}
	for name, stage := range stages {
		b.Run(name, func(b *testing.B) { reportCPU(b, syscall.RUSAGE_SELF, stage) })
	}
}

func needCwebp(b *testing.B) string {
	b.Helper()
	if _, err := exec.LookPath("cwebp"); err != nil {
		b.Skip("cwebp is not installed (apt-get install webp): no floor to compare with")
	}
	file := filepath.Join(b.TempDir(), "in.png")
	if err := os.WriteFile(file, pngOf(b, photo(1024, 1024)), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

func cwebp(b *testing.B, in string, args ...string) {
	b.Helper()
	args = append([]string{"-quiet", "-q", "80"}, append(args, in, "-o", filepath.Join(filepath.Dir(in), "out.webp"))...)
	if out, err := exec.CommandContext(b.Context(), "cwebp", args...).CombinedOutput(); err != nil {
		b.Fatalf("cwebp: %v\n%s", err, out)
	}
}
