package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"time"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

type retryCmd struct {
	Jobs   []string      `arg:"" optional:"" name:"job-id" help:"The jobs to retry."`
	Failed bool          `help:"Retry failed jobs, as narrowed by --stage and --since."`
	All    bool          `help:"Retry every failed job."`
	Stage  string        `enum:"generate,upload," default:"" help:"With --failed: only those that would go on at this stage: generate or upload." placeholder:"STAGE"`
	Since  time.Duration `help:"With --failed: only those that failed within this time, such as 72h." placeholder:"DURATION"`
	Plan   bool          `help:"Say what would be retried, and do nothing."`
	JSON   bool          `help:"Print JSON, for programs."`
}

// Help is what --help says below the usage.
func (*retryCmd) Help() string {
	return `Examples:

    frontispiece retry --failed --stage upload --plan
    frontispiece retry --failed --stage upload --since 72h
    frontispiece retry 01a216aa-313d-711a-84f1-f5922156777d

Exit code: 0 all were retried, 1 some were left alone.`
}

// Validate is called by kong.
func (c *retryCmd) Validate() error {
	ways := 0
	for _, given := range []bool{len(c.Jobs) > 0, c.Failed, c.All} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return errors.New("name the jobs to retry, or give one of --failed and --all")
	case !c.Failed && (c.Stage != "" || c.Since != 0):
		return errors.New("--stage and --since narrow --failed")
	case c.Since < 0:
		return errors.New("--since must be a time that has passed, such as 72h")
	default:
		return nil
	}
}

// candidate is a job to retry and what that would do.
type candidate struct {
	job            string
	draft          string
	uploads, again int // pictures whose bytes are there, and those made again
	failure        *editorial.Failure
}

// Run retries jobs, one transaction each: what was done before an interruption
// stays done.
func (c *retryCmd) Run(ctx context.Context, s *session) error {
	o, cfg, err := s.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // what was committed is committed
	list, err := c.candidates(ctx, o, s.now())
	if err != nil {
		return err
	}
	switch {
	case c.Plan && c.JSON:
		return printJSON(s.out, planned(list))
	case c.Plan:
		s.planRetry(list)
		return nil
	default:
		return s.retry(ctx, o, cfg, list, c.JSON)
	}
}

// candidates are the jobs that the arguments mean, the oldest first, so that
// whoever waits longest is served first.
func (c *retryCmd) candidates(ctx context.Context, o *app.Operator, now time.Time) ([]candidate, error) {
	if len(c.Jobs) > 0 {
		return c.named(ctx, o)
	}
	const page = 200
	var list []candidate
	filter := store.JobFilter{State: editorial.JobFailed, Limit: page}
	for {
		jobs, err := o.Store.Jobs(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, j := range jobs {
			if found := candidateOf(j); c.wants(j, found, now) {
				list = append(list, found)
			}
		}
		if len(jobs) < page {
			slices.Reverse(list)
			return list, nil
		}
		last := jobs[len(jobs)-1]
		filter.Before, filter.BeforeID = last.CreatedAt, last.ID
	}
}

func (c *retryCmd) named(ctx context.Context, o *app.Operator) ([]candidate, error) {
	var list []candidate
	for _, id := range c.Jobs {
		job, err := o.Store.Job(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			list = append(list, candidate{job: id}) // refused like the others, in its turn
		case err != nil:
			return nil, err
		default:
			list = append(list, candidateOf(job))
		}
	}
	return list, nil
}

func (c *retryCmd) wants(j editorial.Job, found candidate, now time.Time) bool {
	switch {
	case c.Since > 0 && j.FinalizedAt.Before(now.Add(-c.Since)):
		return false
	case c.Stage == string(editorial.StageUpload):
		return found.uploads > 0
	case c.Stage == string(editorial.StageGenerate):
		return found.again > 0
	default:
		return true
	}
}

// candidateOf tells at which stage a retry would go on, as dispatch decides it.
func candidateOf(j editorial.Job) candidate {
	c := candidate{job: j.ID, draft: j.DraftID, failure: j.Failure}
	for _, img := range j.Images {
		if img.State != editorial.StateFailed {
			continue
		}
		c.failure = cmp.Or(img.Failure, c.failure)
		if img.RawSHA256 != "" && img.SpoolID != "" {
			c.uploads++
		} else {
			c.again++
		}
	}
	return c
}

func (s *session) planRetry(list []candidate) {
	if len(list) > 0 {
		s.table("JOB\tWOULD BE\tWHY", func(row func(cells ...any)) {
			for _, c := range list {
				row(oneLine(c.job), c.what(), oneLine(c.why()))
			}
		})
	}
	s.out.line("%s would be retried. Without --plan they are.", plural(len(list), "job", "jobs"))
}

// why is the last thing that went wrong.
func (c candidate) why() string {
	if c.failure == nil {
		return "not failed, or unknown"
	}
	return fmt.Sprintf("%s %s: %s", c.failure.Provider, c.failure.Code, c.failure.Message)
}

// The machine's forms. Names and meanings stay; members may be added.
type plannedJSON struct {
	ID       string             `json:"id"`
	DraftID  string             `json:"draft_id,omitempty"`
	Uploads  int                `json:"uploads"`  // pictures whose bytes are there
	Generate int                `json:"generate"` // pictures made again
	Failure  *editorial.Failure `json:"failure,omitempty"`
}

type retriedJSON struct {
	Jobs     int      `json:"jobs"`
	Uploads  int      `json:"uploads"`
	Generate int      `json:"generate"`
	Left     []string `json:"left_alone"` // with the reason
	Unrung   int      `json:"unrung"`     // tasks that the workers ring later
}

func planned(list []candidate) []plannedJSON {
	out := make([]plannedJSON, len(list))
	for i, c := range list {
		out[i] = plannedJSON{c.job, c.draft, c.uploads, c.again, c.failure}
	}
	return out
}

// what is what a retry costs.
func (c candidate) what() string {
	switch {
	case c.uploads > 0 && c.again > 0:
		return fmt.Sprintf("%d uploaded, %d generated again", c.uploads, c.again)
	case c.uploads > 0:
		return "uploaded, nothing is generated"
	case c.again > 0:
		return "generated again"
	default:
		return "nothing to retry"
	}
}

// tally is what a run of retries came to.
type tally struct {
	jobs, uploads, again int
	left                 []string // one line each
}

func (s *session) retry(ctx context.Context, o *app.Operator, cfg config.Config, list []candidate, machine bool) error {
	if len(list) == 0 && !machine {
		s.out.line("No failed jobs of that kind.")
		return nil
	}
	bar := newProgress(ctx, s, "retrying", len(list))
	t, err := retryEach(ctx, o, list, bar)
	bar.done()
	if machine {
		unrung, _ := o.Unrung()
		err = errors.Join(err, printJSON(s.out, retriedJSON{t.jobs, t.uploads, t.again, append([]string{}, t.left...), unrung}))
	} else {
		s.sum(t)
	}
	if err != nil {
		return fmt.Errorf("stopped after %d of %d, run it again for the rest: %w", t.jobs+len(t.left), len(list), err)
	}
	if t.jobs > 0 && !machine {
		s.whoRings(o, cfg)
	}
	if len(t.left) > 0 {
		return code(exitFailed)
	}
	return nil
}

func retryEach(ctx context.Context, o *app.Operator, list []candidate, bar *progress) (t tally, err error) {
	caller := operatorName()
	for _, c := range list {
		_, err := o.Retry(ctx, c.job, caller)
		var refused *editorial.Error
		switch {
		case errors.As(err, &refused):
			t.left = append(t.left, c.job+": "+refused.Message)
		case err != nil:
			return t, err
		default:
			t.jobs, t.uploads, t.again = t.jobs+1, t.uploads+c.uploads, t.again+c.again
		}
		bar.step()
	}
	return t, nil
}

func (s *session) sum(t tally) {
	if t.jobs > 0 {
		s.out.line("%s retried: %s uploaded from the spool, %d generated again.",
			plural(t.jobs, "job", "jobs"), plural(t.uploads, "picture is", "pictures are"), t.again)
	}
	for _, line := range t.left {
		s.out.line("left alone  %s", oneLine(line))
	}
}

// whoRings says what happens next, and when.
func (s *session) whoRings(o *app.Operator, cfg config.Config) {
	unrung, within := o.Unrung()
	switch {
	case cfg.Embedded():
		s.out.line("The queue is inside the API's process: a running API notices within %s, any other when it starts.", within)
	case unrung > 0:
		s.out.line("Redis did not take %s: the workers ring them within %s, once it answers.", plural(unrung, "task", "tasks"), within)
	}
}

// operatorName is who did it, for the jobs' histories.
func operatorName() string {
	u, err := user.Current()
	if err != nil {
		return "operator"
	}
	return "operator " + u.Username
}
