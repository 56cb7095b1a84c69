package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/repair"
)

type reapCmd struct {
	Delete   bool          `help:"Delete what is listed. It takes credentials that may delete objects, which the uploader's may not."`
	Plan     bool          `help:"Only list, which is also what happens without --delete."`
	Grace    time.Duration `default:"720h" help:"For how long nothing about a picture or its draft must have changed; 720h are 30 days. Failed uploads wait as long in any case."`
	Max      int           `default:"500" help:"Pictures a run, at most."`
	Unlinked bool          `help:"Also stored pictures that no draft asked for. Whoever asked for one may show it where nobody here can see it."`
	JSON     bool          `help:"Print JSON, for programs."`
}

// minGrace is the shortest grace: what was made a moment ago may be on somebody's
// screen.
const minGrace = time.Hour

// Help is what --help says below the usage.
func (*reapCmd) Help() string {
	return `Examples:

    frontispiece reap
    frontispiece reap --delete --max 100`
}

// Validate is called by kong.
func (c *reapCmd) Validate() error {
	switch {
	case c.Delete && c.Plan:
		return errors.New("--plan only lists and --delete deletes; give one of them")
	case c.Grace < minGrace:
		return fmt.Errorf("--grace must be %s or more, got %s", minGrace, c.Grace)
	case c.Max < 1 || c.Max > 100_000:
		return fmt.Errorf("--max must be between 1 and 100000, got %d", c.Max)
	default:
		return nil
	}
}

// reapedJSON is the machine's form of a plan, and of a run.
type reapedJSON struct {
	Pictures []leftoverJSON `json:"pictures"`
	Bytes    int64          `json:"bytes"`
	Kept     int            `json:"kept"` // in use
	More     bool           `json:"more"` // than --max
	Deleted  *int           `json:"deleted,omitempty"`
	Spared   *int           `json:"spared,omitempty"` // somebody used them meanwhile
}

type leftoverJSON struct {
	ImageID string `json:"image_id"`
	Key     string `json:"key"`
	DraftID string `json:"draft_id,omitempty"`
	Bytes   int64  `json:"bytes"`
	Why     string `json:"why"`
}

// Run lists leftovers, and with --delete deletes them.
func (c *reapCmd) Run(ctx context.Context, s *session) error {
	o, _, err := s.operator(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // what was committed is committed
	r := repair.Reaper{
		Rows: o.Store, Remover: o, Marker: o.Store, Bucket: o.Deleter(), Caller: operatorName(),
		Grace: c.Grace, Max: c.Max, Unlinked: c.Unlinked,
	}
	plan, err := r.Plan(ctx)
	if err != nil {
		return err
	}
	out := reapedJSON{Pictures: []leftoverJSON{}, Kept: plan.Kept, More: plan.More}
	for _, p := range plan.Pictures {
		_, size := p.Objects()
		out.Bytes += size
		out.Pictures = append(out.Pictures, leftoverJSON{p.ID, p.Key, p.DraftID, size, p.Why})
	}
	if !c.Delete {
		return c.show(s, out)
	}
	bar := newProgress(ctx, s, "deleting", len(plan.Pictures))
	did, err := r.Run(ctx, plan, bar.step)
	bar.done()
	if c.JSON {
		out.Deleted, out.Spared, out.Bytes = &did.Deleted, &did.Spared, did.Bytes
		err = errors.Join(printJSON(s.out, out), err)
	} else {
		s.out.line("%s deleted, %s freed; %d are used by somebody since and stay.", plural(did.Deleted, "picture", "pictures"), size(did.Bytes), did.Spared)
	}
	return notAllowed(err)
}

func (c *reapCmd) show(s *session, out reapedJSON) error {
	if c.JSON {
		return printJSON(s.out, out)
	}
	if len(out.Pictures) == 0 {
		s.out.line("Nothing to delete: %s in use or too young.", plural(out.Kept, "picture is", "pictures are"))
		return nil
	}
	s.table("KEY\tSIZE\tDRAFT\tWHY", func(row func(cells ...any)) {
		for _, p := range out.Pictures {
			row(p.Key, size(p.Bytes), oneLine(orDash(p.DraftID)), oneLine(p.Why))
		}
	})
	more := ""
	if out.More {
		more = fmt.Sprintf(" There are more than --max %d.", c.Max)
	}
	s.out.line("%s, %s with their renditions, would be deleted; %d are in use.%s With --delete they are.",
		plural(len(out.Pictures), "picture", "pictures"), size(out.Bytes), out.Kept, more)
	return nil
}

// notAllowed says what to do when the bucket lets nobody delete: that is how an
// uploader's credentials should be.
func notAllowed(err error) error {
	if repair.NotAllowed(err) {
		return fmt.Errorf("%w; run this command, and only it, with credentials that may: s3:DeleteObject on generated/*", err)
	}
	return err
}

// size is a number of bytes for people.
func size(n int64) string {
	const kib = 1 << 10
	switch {
	case n < kib:
		return fmt.Sprintf("%d B", n)
	case n < kib*kib:
		return fmt.Sprintf("%.0f KiB", float64(n)/kib)
	case n < kib*kib*kib:
		return fmt.Sprintf("%.1f MiB", float64(n)/kib/kib)
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/kib/kib/kib)
	}
}
