package cli_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestJobs(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	says(t, s.mustType("jobs"), "There are no jobs yet.")
	upload := s.failed("a lighthouse", editorial.StageUpload)
	generate := s.failed("a harbour", editorial.StageGenerate)
	queued := s.submitted("a ferry")

	all := s.mustType("jobs")
	says(t, all, "JOB", "WHY", upload.ID, generate.ID, queued.ID,
		"s3 access_denied at upload: the credentials may not write here",
		"sdcpp refused at generate: the model does not like it")
	if strings.Index(all, queued.ID) > strings.Index(all, upload.ID) {
		t.Errorf("not the newest first:\n%s", all)
	}
	failed := s.mustType("jobs --state failed")
	says(t, failed, upload.ID, generate.ID)
	if strings.Contains(failed, queued.ID) {
		t.Errorf("a queued job among the failed:\n%s", failed)
	}
	says(t, s.mustType("jobs --limit 1"), queued.ID, "--limit shows more")
	says(t, s.mustType("jobs --draft no-such-draft"), "There are no such jobs.")
}

// Columns stand below each other, whatever stands in them.
func TestJobsAreAligned(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	s.failed("a lighthouse", editorial.StageUpload)
	s.submitted("a ferry")
	lines := strings.Split(strings.TrimSpace(s.mustType("jobs")), "\n")
	state := strings.Index(lines[0], "STATE")
	for _, line := range lines[1:] {
		if !regexp.MustCompile(`^ [a-z]`).MatchString(line[state-1:]) {
			t.Errorf("%q has no state below STATE in %q", line, lines[0])
		}
	}
}

// A row's text comes from servers and may hold anything.
func TestJobsCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	job := s.submitted("a ferry")
	d := s.dispatch()
	img, _, err := d.ClaimGenerate(t.Context(), job.Images[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	evil := editorial.NewFailure("refused", editorial.StageGenerate, editorial.Terminal, "sdcpp", "no\x1b[2J\r\nroot:~# ")
	if err := d.GiveUp(t.Context(), img, evil); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"jobs", "retry --plan --all"} {
		if out := s.mustType(line); strings.ContainsAny(out, "\x1b\r") || strings.Contains(out, "\nroot") {
			t.Errorf("%s passes control characters on: %q", line, out)
		}
	}
}

func TestJobsJSON(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	same(t, "no jobs", "[]\n", s.mustType("jobs --json"))
	failed := s.failed("a lighthouse", editorial.StageUpload)
	queued := s.submitted("a ferry")
	var jobs []struct {
		ID          string  `json:"id"`
		State       string  `json:"state"`
		FinalizedAt *string `json:"finalized_at"`
		Images      []struct {
			State         string             `json:"state"`
			NextAttemptAt *string            `json:"next_attempt_at"`
			Failure       *editorial.Failure `json:"failure"`
		} `json:"images"`
	}
	if err := json.Unmarshal([]byte(s.mustType("jobs --json")), &jobs); err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 2 || len(jobs[0].Images) != 1 || len(jobs[1].Images) != 1 {
		t.Fatalf("listed %+v", jobs)
	}
	same(t, "ids", []string{queued.ID, failed.ID}, []string{jobs[0].ID, jobs[1].ID})
	if jobs[0].Images[0].NextAttemptAt == nil || jobs[0].FinalizedAt != nil {
		t.Errorf("a live job says when its next try is and no end: %+v", jobs[0])
	}
	if jobs[1].Images[0].NextAttemptAt != nil || jobs[1].FinalizedAt == nil || jobs[1].Images[0].Failure.Code != "access_denied" {
		t.Errorf("a failed job has an end, a reason and no next try: %+v", jobs[1])
	}
}
