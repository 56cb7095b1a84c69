package repair

import (
	"context"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Posts reads what a backfill goes through.
type Posts interface {
	PublishedPosts(ctx context.Context, after string, limit int) ([]editorial.Post, error)
	CountPublished(ctx context.Context) (int, error)
	WaitingBackfill(ctx context.Context, runID string) ([]editorial.BackfillChange, error)
	BackfillChanges(ctx context.Context, runID string) ([]editorial.BackfillChange, error)
}

// Planner says what would be done to a post, without doing it.
type Planner interface {
	PlanBackfill(ctx context.Context, postID string, generate bool) ([]editorial.Finding, error)
}

// Mender mends posts, one transaction each.
type Mender interface {
	StartBackfill(ctx context.Context, generate bool, caller string) (run editorial.BackfillRun, continued bool, err error)
	Backfill(ctx context.Context, run editorial.BackfillRun, postID, caller string) (c editorial.BackfillChange, ok bool, err error)
	FinishBackfill(ctx context.Context, changeID string) (editorial.BackfillChange, error)
	EndBackfill(ctx context.Context, run editorial.BackfillRun) error
}

// Prober tells whether a picture on somebody else's server is still there.
type Prober interface {
	Probe(ctx context.Context, url string) error
}

// BackfillOptions narrow a backfill.
type BackfillOptions struct {
	Generate bool     // ask generators for what nobody can copy
	Only     []string // ids of posts; empty for every published one
	Caller   string
}

// Proposal is what a plan says of one post.
type Proposal struct {
	Post     editorial.Post
	Findings []editorial.Finding
}

// PlanBackfill goes through the posts and hands each that lacks something to
// fn. probe, when not nil, is asked whether hot-linked pictures are still there.
func PlanBackfill(ctx context.Context, posts Posts, planner Planner, probe Prober, o BackfillOptions, fn func(Proposal)) error {
	return eachPost(ctx, posts, o.Only, func(p editorial.Post) error {
		findings, err := planner.PlanBackfill(ctx, p.ID, o.Generate)
		if err != nil || len(findings) == 0 {
			return err
		}
		if probe != nil {
			markDead(ctx, probe, findings, o.Generate)
		}
		fn(Proposal{p, findings})
		return nil
	})
}

// ProblemDead is a hot-linked picture whose server does not have it any more.
const ProblemDead editorial.Problem = "dead_link"

func markDead(ctx context.Context, probe Prober, findings []editorial.Finding, generate bool) {
	for i := range findings {
		f := &findings[i]
		if f.Problem != editorial.ProblemHotlinked {
			continue
		}
		if err := probe.Probe(ctx, f.Value); err != nil {
			f.Problem, f.Would = ProblemDead, "generated: "+err.Error()
			if !generate {
				f.Would = "left: " + err.Error() + "; --generate has one made"
			}
		}
	}
}

const postPage = 200

func eachPost(ctx context.Context, posts Posts, only []string, fn func(editorial.Post) error) error {
	for _, id := range only {
		if err := fn(editorial.Post{ID: id}); err != nil {
			return err
		}
	}
	if len(only) > 0 {
		return nil
	}
	for after := ""; ; {
		list, err := posts.PublishedPosts(ctx, after, postPage)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			if err := fn(p); err != nil {
				return err
			}
		}
		after = list[len(list)-1].ID
	}
}

// Backfill mends every published post.
type Backfill struct {
	Posts  Posts
	Mender Mender
	BackfillOptions
	// Parallel bounds how many pictures are asked for and not there yet; 0: 16.
	Parallel int
	// Poll is the pause between two looks at pictures that are under way; 0: 1 s.
	Poll time.Duration
	// Started is told the run and how many posts there are; Done of every post
	// that is finished with, also of those that lack nothing. Either may be nil.
	Started func(run editorial.BackfillRun, continued bool, posts int)
	Done    func()

	waiting []string // ids of changes
}

// Run goes through all posts and returns the run when each is finished with. A
// run that was stopped is continued by the next.
func (b *Backfill) Run(ctx context.Context) (editorial.BackfillRun, error) {
	if b.Parallel == 0 {
		b.Parallel = 16
	}
	if b.Poll == 0 {
		b.Poll = time.Second
	}
	run, err := b.begin(ctx)
	if err != nil {
		return run, err
	}
	err = eachPost(ctx, b.Posts, b.Only, func(p editorial.Post) error {
		if err := b.room(ctx, b.Parallel-1); err != nil {
			return err
		}
		c, ok, err := b.Mender.Backfill(ctx, run, p.ID, b.Caller)
		switch {
		case err != nil:
			return fmt.Errorf("post %s: %w", p.ID, err)
		case ok && c.State == editorial.BackfillWaiting:
			b.await(c.ID)
		default:
			b.done()
		}
		return nil
	})
	if err == nil {
		err = b.room(ctx, 0)
	}
	if err != nil {
		return run, err
	}
	return run, b.Mender.EndBackfill(ctx, run)
}

func (b *Backfill) begin(ctx context.Context) (editorial.BackfillRun, error) {
	total := len(b.Only)
	if total == 0 {
		var err error
		if total, err = b.Posts.CountPublished(ctx); err != nil {
			return editorial.BackfillRun{}, err
		}
	}
	run, continued, err := b.Mender.StartBackfill(ctx, b.Generate, b.Caller)
	if err != nil {
		return run, err
	}
	if b.Started != nil {
		b.Started(run, continued, total)
	}
	return run, nil
}

func (b *Backfill) await(changeID string) { b.waiting = append(b.waiting, changeID) }

func (b *Backfill) done() {
	if b.Done != nil {
		b.Done()
	}
}

// room returns when at most n pictures are still under way.
func (b *Backfill) room(ctx context.Context, n int) error {
	for len(b.waiting) > n {
		if err := b.collect(ctx); err != nil {
			return err
		}
		if len(b.waiting) <= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(b.Poll):
		}
	}
	return ctx.Err()
}

// collect finishes what has its picture.
func (b *Backfill) collect(ctx context.Context) error {
	var still []string
	for i, id := range b.waiting {
		c, err := b.Mender.FinishBackfill(ctx, id)
		if err != nil {
			b.waiting = append(still, b.waiting[i:]...)
			return err
		}
		if c.State == editorial.BackfillWaiting {
			still = append(still, id)
			continue
		}
		b.done()
	}
	b.waiting = still
	return nil
}
