package v1_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/v1"
)

// progress is what the generators told, and what was asked of it.
type progress struct {
	known map[string]editorial.Progress
	asked [][]string
}

func (p *progress) Of(_ context.Context, ids ...string) map[string]editorial.Progress {
	p.asked = append(p.asked, ids)
	return p.known
}

func TestProgressOfCandidates(t *testing.T) {
	t.Parallel()
	p := &progress{}
	w := newWorld(t, func(c *v1.Config) { c.Progress = p })
	w.draft("draft-1", "A lighthouse at dawn")
	job := w.submit(map[string]any{"draft_id": "draft-1", "count": 2})
	if len(p.asked) != 0 {
		t.Errorf("progress was asked for %v, though nothing is being generated", p.asked)
	}
	making := job.Candidates[1].ID
	if _, _, err := w.dispatch.ClaimGenerate(t.Context(), making); err != nil {
		t.Fatal(err)
	}
	before := w.do("GET", job.URLs.Self, nil)
	half := 50
	p.known = map[string]editorial.Progress{
		making:               {Generator: "sdcpp", Percent: &half, Stage: "generating", Step: 10, Steps: 20, Preview: "data:image/png;base64,AA==", At: time.Unix(1_700_000_000, 0).UTC()},
		job.Candidates[0].ID: {Generator: "sdcpp", Stage: "what a dead worker left"},
	}
	want := &v1.CandidateProgress{
		Generator: "sdcpp", Percent: &half, Stage: "generating", Step: 10, Steps: 20, Preview: "data:image/png;base64,AA==", At: time.Unix(1_700_000_000, 0).UTC(),
	}
	var got v1.Job
	after := w.do("GET", job.URLs.Self, nil)
	after.decode(t, &got)
	if diff := cmp.Diff(want, got.Candidates[1].Progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if got.Candidates[0].Progress != nil {
		t.Error("a candidate that nobody makes shows progress")
	}
	if got.Progress.Percent != 24 { // half of 25, and half of what half the way to 75 is
		t.Errorf("the job is at %d percent, want 24", got.Progress.Percent)
	}
	for name, path := range map[string]string{"list": "/v1/jobs", "draft": "/v1/drafts/draft-1"} {
		var list struct{ Items, Rounds []v1.Job }
		w.do("GET", path, nil).decode(t, &list)
		if jobs := slices.Concat(list.Items, list.Rounds); len(jobs) != 1 || jobs[0].Candidates[1].Progress == nil {
			t.Errorf("%s: %+v shows no progress", name, jobs)
		}
	}
	if before.Header.Get("ETag") == after.Header.Get("ETag") {
		t.Error("progress did not change the ETag: a poll would answer that nothing has changed")
	}
	if a := w.do("GET", job.URLs.Self, nil, header{"If-None-Match", after.Header.Get("ETag")}); a.StatusCode != http.StatusNotModified {
		t.Errorf("status %d without further progress, want 304", a.StatusCode)
	}
	for _, ids := range p.asked {
		if !slices.Equal(ids, []string{making}) {
			t.Errorf("asked for %v, want only what is being generated", ids)
		}
	}
}
