package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/repair"
	"github.com/glad-labs/frontispiece/internal/store"
)

type backfillCmd struct {
	Plan     bool     `help:"List what would be changed and why, and change nothing; with --undo, what would be put back."`
	Probe    bool     `help:"With --plan: ask the other servers whether their pictures are still there."`
	Generate bool     `help:"Ask the generators for pictures that nobody can copy, which may cost money."`
	Posts    []string `name:"post" help:"Only these posts, by slug or id." placeholder:"SLUG"`
	Undo     string   `help:"Put everything back as it was before a run." placeholder:"RUN"`
	Runs     bool     `help:"List the runs there have been, newest first."`
	JSON     bool     `help:"Print JSON, for programs."`
}

// Help is what --help says below the usage.
func (*backfillCmd) Help() string {
	return `Examples:

    frontispiece backfill --plan --probe
    frontispiece backfill --generate
    frontispiece backfill --runs
    frontispiece backfill --undo 01a216aa-313d-711a-84f1-f5922156777d --plan`
}

// Validate is called by kong.
func (c *backfillCmd) Validate() error {
	switch {
	case c.Probe && !c.Plan:
		return errors.New("--probe goes with --plan: a run finds dead links by itself")
	case c.Undo != "" && (c.Generate || len(c.Posts) > 0 || c.Runs):
		return errors.New("--undo takes a whole run and no other flag but --plan and --json")
	case c.Runs && (c.Plan || c.Generate || len(c.Posts) > 0):
		return errors.New("--runs only lists; leave the other flags out")
	default:
		return nil
	}
}

// Run plans, mends, undoes or lists.
func (c *backfillCmd) Run(ctx context.Context, s *session) error {
	o, cfg, err := s.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // what was committed is committed
	switch {
	case c.Runs:
		return c.list(ctx, s, o)
	case c.Undo != "":
		return c.undo(ctx, s, o)
	}
	options := repair.BackfillOptions{Generate: c.Generate, Caller: operatorName()}
	if options.Only, err = c.ids(ctx, o); err != nil {
		return err
	}
	if c.Plan {
		return c.plan(ctx, s, o, options)
	}
	return c.mend(ctx, s, o, cfg.Embedded(), options)
}

// ids are the posts that the flags name.
func (c *backfillCmd) ids(ctx context.Context, o *app.Operator) ([]string, error) {
	var ids []string
	for _, name := range c.Posts {
		p, err := o.Store.PostBySlug(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			p, err = o.Store.Post(ctx, name)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("--post %s: there is no post with this slug or id", oneLine(name))
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, p.ID)
	}
	return ids, nil
}

// proposalJSON is the machine's form of one post's plan.
type proposalJSON struct {
	PostID   string              `json:"post_id"`
	Slug     string              `json:"slug"`
	Title    string              `json:"title"`
	Findings []editorial.Finding `json:"findings"`
}

func (c *backfillCmd) plan(ctx context.Context, s *session, o *app.Operator, options repair.BackfillOptions) error {
	var probe repair.Prober
	if c.Probe {
		probe = o.Prober()
	}
	list := []proposalJSON{}
	err := repair.PlanBackfill(ctx, o.Store, o, probe, options, func(p repair.Proposal) {
		list = append(list, proposalJSON{p.Post.ID, p.Post.Slug, p.Post.Title, p.Findings})
	})
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].Slug == "" { // named by --post
			if p, err := o.Store.Post(ctx, list[i].PostID); err == nil {
				list[i].Slug, list[i].Title = p.Slug, p.Title
			}
		}
	}
	if c.JSON {
		return printJSON(s.out, list)
	}
	if len(list) == 0 {
		s.out.line("No published post lacks anything.")
		return nil
	}
	s.table("  COLUMN\tPROBLEM\tWOULD BE", func(row func(cells ...any)) {
		for _, p := range list {
			row("post " + oneLine(p.Slug))
			for _, f := range p.Findings {
				row("  "+f.Column, strings.ReplaceAll(string(f.Problem), "_", " "), oneLine(f.Would))
			}
		}
	})
	s.out.line("%s", planTotal(list))
	return nil
}

// planTotal is what a plan comes to.
func planTotal(list []proposalJSON) string {
	var copies, made, columns, left int
	for _, p := range list {
		for _, f := range p.Findings {
			switch {
			case strings.HasPrefix(f.Would, "left"):
				left++
			case f.Would == dispatch.SamePicture:
			case f.IsPicture() && strings.HasPrefix(f.Would, "copied"):
				copies++
			case f.IsPicture() && strings.HasPrefix(f.Would, "generated"):
				made++
			default:
				columns++
			}
		}
	}
	text := fmt.Sprintf("%s something: %s to copy, %d to generate, %s to fill.", plural(len(list), "post lacks", "posts lack"),
		plural(copies, "picture", "pictures"), made, plural(columns, "column", "columns"))
	if left > 0 {
		text += fmt.Sprintf(" %s left.", plural(left, "column is", "columns are"))
	}
	return text + " Without --plan it is done."
}

func (c *backfillCmd) mend(ctx context.Context, s *session, o *app.Operator, embedded bool, options repair.BackfillOptions) error {
	bar := &progress{}
	resumed := false
	run := repair.Backfill{
		Posts: o.Store, Mender: o, BackfillOptions: options,
		Started: func(r editorial.BackfillRun, continued bool, posts int) {
			resumed = continued
			if continued && !c.JSON {
				s.out.line("Continuing run %s, begun by %s.", r.ID, oneLine(r.StartedBy))
			}
			if embedded && !c.JSON {
				s.out.line("The API copies and makes the pictures: it has to be running.")
			}
			bar = newProgress(ctx, s, "mending", posts)
		},
		Done: func() { bar.step() },
	}
	r, err := run.Run(ctx)
	bar.done()
	if r.ID == "" {
		return err
	}
	// The run's rows tell, also what an earlier process did; the context may have
	// ended.
	changes, readErr := o.Store.BackfillChanges(context.WithoutCancel(ctx), r.ID)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	if err := c.report(s, r, changes, resumed); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("stopped, and continued by running it again: %w", err)
	}
	return nil
}

// runJSON is the machine's form of a run.
type runJSON struct {
	Run       string       `json:"run"`
	State     string       `json:"state"`
	Continued bool         `json:"continued"`
	Applied   int          `json:"applied"`
	Kept      int          `json:"kept"`
	Waiting   int          `json:"waiting"`
	Undone    int          `json:"undone"`
	Changes   []changeJSON `json:"changes"`
}

type changeJSON struct {
	PostID string         `json:"post_id"`
	State  string         `json:"state"`
	JobID  string         `json:"job_id,omitempty"`
	Note   string         `json:"note,omitempty"`
	Was    map[string]any `json:"was,omitempty"`
	Became map[string]any `json:"became,omitempty"`
}

func summary(r editorial.BackfillRun, changes []editorial.BackfillChange, continued bool) runJSON {
	sum := runJSON{Run: r.ID, State: string(r.State), Continued: continued, Changes: []changeJSON{}}
	for _, ch := range changes {
		switch ch.State {
		case editorial.BackfillApplied:
			sum.Applied++
		case editorial.BackfillWaiting:
			sum.Waiting++
		case editorial.BackfillUndone:
			sum.Undone++
		default:
			sum.Kept++
		}
		sum.Changes = append(sum.Changes, changeJSON{ch.PostID, string(ch.State), ch.JobID, ch.Note, ch.Was, ch.Became})
	}
	return sum
}

func (c *backfillCmd) report(s *session, r editorial.BackfillRun, changes []editorial.BackfillChange, continued bool) error {
	sum := summary(r, changes, continued)
	if c.JSON {
		return printJSON(s.out, sum)
	}
	for _, ch := range sum.Changes {
		if ch.Note != "" {
			s.out.line("%-8s %s  %s", ch.State, ch.PostID, oneLine(ch.Note))
		}
	}
	if len(changes) == 0 {
		s.out.line("No published post lacks anything.")
		return nil
	}
	s.out.line("Run %s: %s mended, %d left as they were, %d waiting for their picture.", r.ID,
		plural(sum.Applied, "post", "posts"), sum.Kept, sum.Waiting)
	if sum.Applied > 0 {
		s.out.line("To put everything back: frontispiece backfill --undo %s", r.ID)
	}
	return nil
}
