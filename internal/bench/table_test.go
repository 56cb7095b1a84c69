package bench

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	wanted   = flag.String("rows", "", "measure only the groups whose names match this `pattern`")
	profiles = flag.String("profiles", "", "`folder` for CPU profiles of our processes, which then run as children of this test binary, and for what PostgreSQL spent its time on")
)

// figure is one line of the table.
type figure struct {
	name  string
	unit  string
	ours  float64
	floor float64 // 0: there is none
	goal  goal
}

// goal is what a figure should reach; the zero value is none.
type goal struct {
	limit    float64
	relative bool // of the floor
	most     bool // at most, else at least
}

func atLeast(ratio float64) goal { return goal{limit: ratio, relative: true} }
func timesFloor(most float64) goal {
	return goal{limit: most, relative: true, most: true}
}
func atMost(value float64) goal { return goal{limit: value, most: true} }

func (f figure) ratio() float64 { return f.ours / f.floor }

func (f figure) met() string {
	value := f.ours
	if f.goal.relative {
		value = f.ratio()
	}
	switch {
	case f.goal.limit == 0:
		return ""
	case f.goal.most == (value <= f.goal.limit):
		return "yes"
	default:
		return "NO"
	}
}

func (f figure) goalText() string {
	switch {
	case f.goal.limit == 0:
		return ""
	case f.goal.relative && f.goal.most:
		return fmt.Sprintf("≤ %.1f times", f.goal.limit)
	case f.goal.relative:
		return fmt.Sprintf("≥ %.1f", f.goal.limit)
	default:
		return "≤ " + amount(f.goal.limit, f.unit)
	}
}

// amount has three digits that mean something and no more.
func amount(v float64, unit string) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f %s", v, unit)
	case v >= 10:
		return fmt.Sprintf("%.1f %s", v, unit)
	default:
		return fmt.Sprintf("%.2f %s", v, unit)
	}
}

// printTable writes Markdown, so that docs/bench.md takes it as it is.
func printTable(w io.Writer, figures []figure) {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	line := func(cells ...any) { fmt.Fprintf(t, "| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t|\n", cells...) }
	line("figure", "ours", "floor", "ratio", "goal", "met")
	line("---", "---", "---", "---", "---", "---")
	for _, f := range figures {
		floor, ratio := "", ""
		if f.floor > 0 {
			floor, ratio = amount(f.floor, f.unit), fmt.Sprintf("%.2f", f.ratio())
		}
		line(f.name, amount(f.ours, f.unit), floor, ratio, f.goalText(), f.met())
	}
	_ = t.Flush() // to standard output
}

// groups are what is measured together because it shares its servers.
var groups = []struct {
	name    string
	measure func(b *testing.B, m *machine) []figure
}{
	{"start", measureStart},
	{"accept", measureAccept},
	{"slow", measureSlow},
	{"polls", measurePolls},
	{"watchers", measureWatchers},
	{"publish", measurePublish},
	{"pipeline", measurePipeline},
	{"renditions", measureRenditions},
	{"pictures", measurePictures},
	{"uploads", measureUploads},
	{"million", measureMillion},
	{"idle", measureIdle},
}

// BenchmarkTable measures everything once and prints the table; see "make
// bench". It is a benchmark so that "go test" alone leaves it out.
func BenchmarkTable(b *testing.B) {
	pattern, err := regexp.Compile(*wanted)
	if err != nil {
		b.Fatalf("-rows: %v", err)
	}
	m := newMachine(b)
	var figures []figure
	for _, g := range groups {
		if !pattern.MatchString(g.name) {
			continue
		}
		begun := time.Now()
		figures = append(figures, g.measure(b, m)...)
		fmt.Fprintf(os.Stderr, "%-10s %s\n", g.name, time.Since(begun).Round(time.Second))
	}
	if *profiles != "" {
		m.statements(b)
	}
	fmt.Fprintln(os.Stdout)
	printTable(os.Stdout, figures)
}

// inTurns measures both sides n times, alternating which goes first, and
// returns the medians.
func inTurns(n int, ours, floor func() float64) (o, f float64) {
	var os, fs []float64
	for i := range n {
		if i%2 == 0 {
			os = append(os, ours())
			fs = append(fs, floor())
		} else {
			fs = append(fs, floor())
			os = append(os, ours())
		}
	}
	return median(os), median(fs)
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile is the value below which q of the values lie.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
