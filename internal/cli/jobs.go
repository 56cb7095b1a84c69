package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

type jobsCmd struct {
	State string `enum:"queued,generating,uploading,stored,failed,canceled,superseded," default:"" help:"Only jobs in this state: queued, generating, uploading, stored, failed, canceled or superseded." placeholder:"STATE"`
	Draft string `help:"Only jobs of the draft with this task id." placeholder:"TASK-ID"`
	Limit int    `default:"20" help:"How many at most, up to 1000."`
	JSON  bool   `help:"Print JSON, for programs."`
}

const maxJobs = 1000

// Help is what --help says below the usage.
func (*jobsCmd) Help() string {
	return `Examples:

    frontispiece jobs --state failed
    frontispiece jobs --draft 4f1c… --json`
}

// Validate is called by kong.
func (c *jobsCmd) Validate() error {
	if c.Limit < 1 || c.Limit > maxJobs {
		return fmt.Errorf("--limit must be between 1 and %d, got %d", maxJobs, c.Limit)
	}
	return nil
}

// Run lists jobs.
func (c *jobsCmd) Run(ctx context.Context, s *session) error {
	o, _, err := s.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // nothing was written
	jobs, err := o.Store.Jobs(ctx, store.JobFilter{State: editorial.JobState(c.State), DraftID: c.Draft, Limit: c.Limit})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJobsJSON(s.out, jobs)
	}
	if len(jobs) == 0 {
		if c.State == "" && c.Draft == "" {
			s.out.line("There are no jobs yet.")
		} else {
			s.out.line("There are no such jobs.")
		}
		return nil
	}
	s.printJobs(jobs)
	if len(jobs) == c.Limit {
		s.out.line("These are the newest %d; --limit shows more.", c.Limit)
	}
	return nil
}

func (s *session) printJobs(jobs []editorial.Job) {
	now := s.now()
	s.table("JOB\tSTATE\tAGE\tPICTURES\tDRAFT\tWHY", func(row func(cells ...any)) {
		for _, j := range jobs {
			stored := 0
			for _, img := range j.Images {
				if img.State == editorial.StateStored {
					stored++
				}
			}
			row(j.ID, j.State, age(now.Sub(j.CreatedAt)), fmt.Sprintf("%d/%d", stored, len(j.Images)), oneLine(orDash(j.DraftID)), oneLine(story(j, now)))
		}
	})
}

// story is the one thing to know about a job: its last error, and when the next
// try is due.
func story(j editorial.Job, now time.Time) string {
	failure := j.Failure
	next := ""
	for _, img := range j.Images {
		if img.Failure != nil && (failure == nil || img.Failure.At.After(failure.At)) {
			failure = img.Failure
		}
		if img.Failure != nil && !img.State.IsFinal() {
			next = "next try " + until(img.NextAttemptAt.Sub(now)) + ", after "
		}
	}
	switch {
	case failure != nil:
		return next + fmt.Sprintf("%s %s at %s: %s", failure.Provider, failure.Code, failure.Stage, failure.Message)
	case j.SupersededBy != "":
		return "superseded by " + j.SupersededBy
	default:
		return "-"
	}
}

// until is when something is due.
func until(d time.Duration) string {
	if d <= 0 {
		return "now"
	}
	return "in " + age(d)
}

// age is a duration in its largest unit: nobody counts the minutes of days.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// The machine's form. Names and meanings stay; members may be added.
type jobJSON struct {
	ID           string             `json:"id"`
	State        editorial.JobState `json:"state"`
	Kind         editorial.JobKind  `json:"kind"`
	DraftID      string             `json:"draft_id,omitempty"`
	Round        int                `json:"round,omitempty"`
	SupersededBy string             `json:"superseded_by,omitempty"`
	CreatedAt    time.Time          `json:"created_at"`
	FinalizedAt  *time.Time         `json:"finalized_at,omitempty"`
	Images       []imageJSON        `json:"images"`
}

type imageJSON struct {
	ID            string               `json:"id"`
	State         editorial.ImageState `json:"state"`
	Attempt       int                  `json:"attempt"`
	NextAttemptAt *time.Time           `json:"next_attempt_at,omitempty"`
	URL           string               `json:"url,omitempty"`
	Failure       *editorial.Failure   `json:"failure,omitempty"`
}

func printJobsJSON(w *printer, jobs []editorial.Job) error {
	list := make([]jobJSON, len(jobs))
	for i, j := range jobs {
		list[i] = jobJSON{
			ID: j.ID, State: j.State, Kind: j.Kind, DraftID: j.DraftID, Round: j.Round, SupersededBy: j.SupersededBy,
			CreatedAt: j.CreatedAt, FinalizedAt: orNull(j.FinalizedAt), Images: make([]imageJSON, len(j.Images)),
		}
		for n, img := range j.Images {
			list[i].Images[n] = imageJSON{ID: img.ID, State: img.State, Attempt: img.Attempt, URL: img.URL, Failure: img.Failure}
			if !img.State.IsFinal() {
				list[i].Images[n].NextAttemptAt = orNull(img.NextAttemptAt)
			}
		}
	}
	return printJSON(w, list)
}

func printJSON(w *printer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
