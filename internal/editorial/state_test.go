package editorial_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

var update = flag.Bool("update", false, "rewrite docs/states.md")

// The whole matrix, written out: a row is a state, an x where it may become the
// column's. Reading it is reviewing the rules.
func TestImageStateMatrix(t *testing.T) {
	t.Parallel()
	matrix := map[editorial.ImageState]string{
		//                       q g u s f c s r
		editorial.StateQueued:     ". x . . . x x .",
		editorial.StateGenerating: "x . x . x x . .",
		editorial.StateUploading:  ". . . x x x x .",
		editorial.StateStored:     ". . . . . . . x",
		editorial.StateFailed:     "x . x . . . . x",
		editorial.StateCanceled:   ". . . . . . . x",
		editorial.StateSuperseded: ". . . . . . . x",
		editorial.StateRemoved:    ". . . . . . . .",
	}
	for _, from := range editorial.ImageStates {
		row := strings.Fields(matrix[from])
		for i, to := range editorial.ImageStates {
			if got, want := from.CanBecome(to), row[i] == "x"; got != want {
				t.Errorf("%s.CanBecome(%s) = %v, want %v", from, to, got, want)
			}
		}
		for _, to := range from.Next() {
			if from.IsFinal() && from != editorial.StateFailed && to != editorial.StateRemoved {
				t.Errorf("%s is final and may become %s", from, to)
			}
		}
	}
	if editorial.ImageState("").CanBecome(editorial.StateQueued) || editorial.ImageState("").IsFinal() {
		t.Error("the zero value acts like a state")
	}
}

func TestDraftStatusMatrix(t *testing.T) {
	t.Parallel()
	matrix := map[editorial.DraftStatus]string{
		//                             p aw ap r pub
		editorial.DraftPending:          ". x . . .",
		editorial.DraftAwaitingApproval: ". . x x .",
		editorial.DraftApproved:         ". x . x x",
		editorial.DraftRejected:         ". x x . .",
		editorial.DraftPublished:        ". . . . .",
		"completed":                     ". . x x .", // the site pipeline's words
		"generated":                     ". . x x .", // for awaiting approval
		"ready_to_publish":              ". . x x .",
		"in_progress":                   ". . . . .", // foreign: a conflict
		"":                              ". . . . .",
	}
	for from, line := range matrix {
		row := strings.Fields(line)
		for i, to := range editorial.DraftStatuses {
			if got, want := from.CanBecome(to), row[i] == "x"; got != want {
				t.Errorf("%q.CanBecome(%s) = %v, want %v", from, to, got, want)
			}
		}
	}
}

func TestJobStateOf(t *testing.T) {
	t.Parallel()
	const (
		q, g, u = editorial.StateQueued, editorial.StateGenerating, editorial.StateUploading
		s, f    = editorial.StateStored, editorial.StateFailed
		c, o    = editorial.StateCanceled, editorial.StateSuperseded
		r       = editorial.StateRemoved
	)
	tests := []struct {
		images []editorial.ImageState
		want   editorial.JobState
	}{
		{[]editorial.ImageState{q}, editorial.JobQueued},
		{[]editorial.ImageState{q, g, u, s}, editorial.JobGenerating},
		{[]editorial.ImageState{q, u, s}, editorial.JobUploading},
		{[]editorial.ImageState{q, s, f}, editorial.JobQueued},
		{[]editorial.ImageState{s, f, c}, editorial.JobStored},
		{[]editorial.ImageState{f, c, o}, editorial.JobFailed},
		{[]editorial.ImageState{c, o}, editorial.JobCanceled},
		{[]editorial.ImageState{o}, editorial.JobSuperseded},
		{[]editorial.ImageState{s, r}, editorial.JobStored},
		{[]editorial.ImageState{q, r}, editorial.JobQueued},
	}
	for _, tt := range tests {
		if got := editorial.JobStateOf(tt.images); got != tt.want {
			t.Errorf("JobStateOf(%v) = %s, want %s", tt.images, got, tt.want)
		}
	}
}

func TestStatesPageIsDrawnFromTheTable(t *testing.T) {
	t.Parallel()
	const page = "../../docs/states.md"
	got := drawStates()
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("docs/states.md is not what the table says; run go test ./internal/editorial -update")
	}
}

func drawStates() string {
	var b strings.Builder
	b.WriteString(`# States

Drawn from the table in ` + "`internal/editorial/state.go`" + ` by its test; edit that, not this.

## Image

`)
	b.WriteString("```mermaid\nstateDiagram-v2\n  [*] --> queued\n")
	for _, from := range editorial.ImageStates {
		for _, to := range from.Next() {
			fmt.Fprintf(&b, "  %s --> %s\n", from, to)
		}
	}
	b.WriteString("```\n\n| from \\ to |")
	for _, to := range editorial.ImageStates {
		fmt.Fprintf(&b, " %s |", to)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" :-: |", len(editorial.ImageStates)) + "\n")
	for _, from := range editorial.ImageStates {
		fmt.Fprintf(&b, "| **%s** |", from)
		for _, to := range editorial.ImageStates {
			mark := " "
			if from.CanBecome(to) {
				mark = "x"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	b.WriteString(`
A job has no state of its own while one of its images is live: it is
` + "`generating`, `uploading` or `queued`" + `, whichever of these its most advanced live
image is. It ends as ` + "`stored`" + ` when at least one image is, else as ` + "`failed`, `canceled`" + `
or ` + "`superseded`" + `; the last two may be said before every image has ended.

## Draft

The statuses of ` + "`content_tasks`" + ` that a decision may move. ` + "`completed`, `generated`" + ` and
` + "`ready_to_publish`" + `, which the site's pipeline writes, count as ` + "`awaiting_approval`" + `.
Any other is answered with a conflict.

| from \ to |`)
	for _, to := range editorial.DraftStatuses {
		fmt.Fprintf(&b, " %s |", to)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" :-: |", len(editorial.DraftStatuses)) + "\n")
	for _, from := range editorial.DraftStatuses {
		fmt.Fprintf(&b, "| **%s** |", from)
		for _, to := range editorial.DraftStatuses {
			mark := " "
			if from.CanBecome(to) {
				mark = "x"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	return b.String()
}
