package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/picture"
)

// finished is what a child says of the pictures that it finished.
type finished struct {
	CPUMillis float64 // for one
	PeakMiB   float64
	Percent   float64 // the widest rendition's bytes, of the PNG's
}

const (
	finishRole    = "finish"
	workWhole     = "whole"     // decode, checks, strip, renditions, placeholder
	workRendition = "rendition" // decode, one rendition of the picture's own width
	workRewrite   = "rewrite"   // the metadata alone
)

// finishPictures finishes one picture BENCH_JOBS times, BENCH_ATONCE at once,
// in a process of its own: its memory is nobody else's.
func finishPictures(context.Context) error {
	file, err := os.ReadFile(os.Getenv("BENCH_PICTURE"))
	if err != nil {
		return err
	}
	jobs, err := strconv.Atoi(os.Getenv("BENCH_JOBS"))
	if err != nil {
		return err
	}
	atOnce, err := strconv.Atoi(os.Getenv("BENCH_ATONCE"))
	if err != nil {
		return err
	}
	work := os.Getenv("BENCH_WORK")
	before := cpuOf(syscall.RUSAGE_SELF)
	var all sync.WaitGroup
	widest := make([]int, atOnce)
	errs := make([]error, atOnce)
	for n := range atOnce {
		all.Go(func() {
			for range jobs {
				if widest[n], errs[n] = finishOne(bytes.Clone(file), work); errs[n] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return answer(finished{
		CPUMillis: millis(cpuOf(syscall.RUSAGE_SELF)-before) / float64(jobs*atOnce),
		PeakMiB:   peakOfSelf(), Percent: 100 * float64(widest[0]) / float64(len(file)),
	})
}

// finishOne returns the bytes of the widest rendition.
func finishOne(file []byte, work string) (widest int, err error) {
	prov := picture.Provenance{SourceType: picture.SourceGenerated, Tool: "Frontispiece (bench)"}
	if work != workRendition {
		if _, err := picture.Finish(file, prov); err != nil || work == workRewrite {
			return 0, err
		}
	}
	facts, err := picture.Judge(file, picture.Limits{})
	if err != nil {
		return 0, err
	}
	widths := picture.Widths
	if work == workRendition {
		widths = []int{facts.Width}
	}
	copies, err := picture.Renditions(facts.Pixels, widths, prov)
	if err != nil {
		return 0, err
	}
	if work == workWhole && picture.Placeholder(facts.Pixels) == "" {
		return 0, fmt.Errorf("no placeholder")
	}
	return len(copies[len(copies)-1].Bytes), nil
}

func cpuOf(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakOfSelf is the most memory that this process held, libwebp's included.
func peakOfSelf() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseFloat(fields[0], 64)
	return kib / 1024
}

// finish runs a child.
func finish(b *testing.B, file, work string, jobs, atOnce int) finished {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+finishRole, "BENCH_PICTURE="+file, "BENCH_WORK="+work,
		"BENCH_JOBS="+strconv.Itoa(jobs), "BENCH_ATONCE="+strconv.Itoa(atOnce))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("finish pictures: %v", err)
	}
	var f finished
	if err := json.Unmarshal(out, &f); err != nil {
		b.Fatal(err)
	}
	return f
}

// toolCPU is the processor time that programs take for one picture, each run
// so many times.
func toolCPU(b *testing.B, times int, commands ...[]string) float64 {
	b.Helper()
	var total time.Duration
	for range times {
		for _, argv := range commands {
			cmd := exec.CommandContext(b.Context(), argv[0], argv[1:]...)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
			}
			total += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
	}
	return millis(total) / float64(times)
}

// measurePictures finishes a picture of 1024 by 1024 pixels beside the programs
// that people use for it. Processor time is compared, so it does not matter who
// else is using the machine, and both sides are measured in turns.
func measurePictures(b *testing.B, _ *machine) []figure {
	file := filepath.Join(b.TempDir(), "picture.png")
	if err := os.WriteFile(file, photograph(b, 1024), 0o600); err != nil {
		b.Fatal(err)
	}
	to := func(name string) string { return filepath.Join(filepath.Dir(file), name) }
	narrow := []string{"cwebp", "-quiet", "-q", "80", "-resize", "640", "0", file, "-o", to("c640.webp")}
	whole := []string{"cwebp", "-quiet", "-q", "80", file, "-o", to("c1024.webp")}
	const times = 8
	var last finished
	ours := func(work string) func() float64 {
		return func() float64 { last = finish(b, file, work, times, 1); return last.CPUMillis }
	}
	full, both := inTurns(5, ours(workWhole), func() float64 { return toolCPU(b, times, narrow, whole) })
	alone := last.PeakMiB
	one, cwebp := inTurns(5, ours(workRendition), func() float64 { return toolCPU(b, times, whole) })
	percent := last.Percent
	rewrite := ours(workRewrite)()
	figures := []figure{
		{"finishing a 1024² PNG: decode, checks, strip, 2 renditions, placeholder", "ms CPU", full, both, goal{}},
		{"WebP rendition of a 1024² picture, decoding and checks included", "ms CPU", one, cwebp, timesFloor(1.1)},
		{"its bytes, of the PNG's", "%", percent, 0, atMost(6)},
		{"metadata of that PNG rewritten, nothing encoded", "ms CPU", rewrite, 0, goal{}},
		{"peak memory, one at a time", "MiB", alone, 0, goal{}},
		{"peak memory, four at once", "MiB", finish(b, file, workWhole, times, 4).PeakMiB, 0, atMost(250)},
	}
	if _, err := exec.LookPath("vipsthumbnail"); err != nil {
		fmt.Fprintln(os.Stderr, "vipsthumbnail is not installed (apt-get install libvips-tools): its row is left out")
		return figures
	}
	vips := toolCPU(b, times, []string{"vipsthumbnail", file, "--size", "640x", "-o", to("v640.webp[Q=80]")},
		[]string{"vipsthumbnail", file, "--size", "1024x", "-o", to("v1024.webp[Q=80]")})
	return append(figures, figure{"finishing, beside vipsthumbnail making the renditions alone", "ms CPU", full, vips, goal{}})
}

// photograph has what photographs have: gradients, edges, grain.
func photograph(tb testing.TB, side int) []byte {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			fx, fy := float64(x)/float64(side), float64(y)/float64(side)
			v := 128 + 60*math.Sin(9*fx+4*math.Sin(7*fy)) + 40*math.Sin(31*fx*fy+3*fx)
			if math.Hypot(fx-0.6, fy-0.4) < 0.2 {
				v -= 70
			}
			px := m.Pix[m.PixOffset(x, y):]
			for c := range 3 {
				px[c] = uint8(max(0, min(255, v+40*math.Sin(float64(c)+5*fy)+random.NormFloat64()*3)))
			}
			px[3] = 255
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, m); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}
