package cli

import (
	"context"
)

type reconcileCmd struct {
	JSON bool `help:"Print JSON, for programs."`
}

// Run reconciles once, as every worker does every few seconds. It is for those
// times when no worker can be started yet.
func (c *reconcileCmd) Run(ctx context.Context, s *session) error {
	o, cfg, err := s.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // what was committed is committed
	r, err := o.Reconcile(ctx)
	if err != nil {
		return err
	}
	unrung, _ := o.Unrung()
	rung := max(0, r.Rung-unrung)
	if c.JSON {
		return printJSON(s.out, map[string]int{
			"due": r.Due, "rung": rung, "unrung": unrung, "settled": r.Settled, "published": r.Published, "replaced": r.Replaced, "overdue": r.Overdue,
		})
	}
	s.out.line("%s due, %d rung anew; %s settled; %s published late.",
		plural(r.Due, "picture is", "pictures are"), rung, plural(r.Settled, "job", "jobs"), plural(r.Published, "post", "posts"))
	if r.Overdue > 0 {
		s.out.line("%s up: longer in line than asked for.", plural(r.Overdue, "picture was given", "pictures were given"))
	}
	if r.Replaced > 0 {
		s.out.line("%s on a disk that is lost and made again.", plural(r.Replaced, "picture was", "pictures were"))
	}
	if cfg.Embedded() {
		s.out.line("The queue is inside the API's process: the API itself rings what is due, every few seconds.")
	} else if unrung > 0 {
		s.out.line("Redis did not take %s: the workers ring what is due as soon as it answers.", plural(unrung, "task", "tasks"))
	}
	return nil
}
