package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

// everything is all rows that a late report could change.
func (s *site) everything() map[string][]map[string]any {
	s.t.Helper()
	all := map[string][]map[string]any{}
	for _, table := range []string{
		"image_jobs", "images", "job_events", "draft_images", "approvals", "content_tasks", "posts", "post_tags", "webhook_deliveries",
	} {
		rows, err := s.store.DB().QueryxContext(s.t.Context(), "SELECT * FROM "+table)
		s.must(err)
		for rows.Next() {
			row := map[string]any{}
			s.must(rows.MapScan(row))
			all[table] = append(all[table], row)
		}
		s.must(rows.Err())
	}
	return all
}

// report is one thing that a worker says of its image.
type report struct {
	name string
	say  func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error
}

var failed = editorial.NewFailure("late", editorial.StageUpload, editorial.Terminal, "worker", "a frozen worker woke up")

var reports = []report{
	{"started", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		return d.Started(ctx, img, "late", "late-1")
	}},
	{"moved on", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		img.Steps = []editorial.ChainStep{{Backend: "late", Failure: *failed}}
		return d.MovedOn(ctx, img)
	}},
	{"spooled", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		img.SpoolID, img.RawSHA256, img.Backend, img.Key = "late", "late", "late", dispatch.NewKey(img, "png")
		return d.Spooled(ctx, img)
	}},
	{"finished", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		img.SHA256 = "late"
		return d.Finished(ctx, img)
	}},
	{"stored", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		img.URL, img.Source = "https://late.test/", "late"
		return d.Stored(ctx, img)
	}},
	{"postponed", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		return d.Postpone(ctx, img, failed, time.Hour, true)
	}},
	{"given up", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		return d.GiveUp(ctx, img, failed)
	}},
	{"bytes lost", func(ctx context.Context, d *dispatch.Dispatch, img editorial.Image) error {
		return d.Replace(ctx, img, failed)
	}},
}

// A worker claims an image and freezes; its claim runs out and another worker
// goes on. Whatever the frozen one says when it wakes up, in whichever stage it
// fell asleep and however far the other has come, changes nothing (P6).
func TestAFrozenWorkerChangesNothing(t *testing.T) {
	t.Parallel()
	for _, stage := range []editorial.ImageState{editorial.StateGenerating, editorial.StateUploading} {
		for _, other := range []string{"claimed", "stored", "canceled"} {
			t.Run(string(stage)+", "+other+" meanwhile", func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { frozenIn(t, stage, other) })
			})
		}
	}
}

func frozenIn(t *testing.T, stage editorial.ImageState, other string) {
	s := newSite(t, newBelfry())
	draft := s.draft("A quiet harbour")
	img := s.submit(draft, 1).Images[0]
	p := s.open(t.Context(), &life{}, nil)
	claim := p.rows.ClaimGenerate
	if stage == editorial.StateUploading {
		s.must(p.generate(img.ID))
		claim = p.rows.ClaimUpload
	}
	frozen, _, err := claim(t.Context(), img.ID)
	s.must(err)
	pass(lease + time.Second)
	switch other {
	case "claimed":
		_, _, err = claim(t.Context(), img.ID)
	case "stored":
		s.approve(draft)
		err = p.allTheWay(img.ID)
	case "canceled":
		_, err = s.api.Cancel(t.Context(), img.JobID, "ann")
	}
	s.must(err)
	before := s.everything()
	for _, r := range reports {
		if err := r.say(t.Context(), s.api, frozen); !errors.Is(err, dispatch.ErrLostClaim) {
			t.Errorf("%s: %v, want ErrLostClaim", r.name, err)
		}
		if diff := cmp.Diff(before, s.everything()); diff != "" {
			t.Errorf("%s changed the rows (-before +after):\n%s", r.name, diff)
		}
	}
	if lost, err := s.api.Extend(t.Context(), []string{frozen.Claim}); err != nil || len(lost) != 1 {
		t.Errorf("Extend = %v, %v; want the frozen worker's claim to be lost", lost, err)
	}
}

// generate and upload are one task each; allTheWay is both, as far as needed.
func (p *process) generate(imageID string) error {
	return p.work.Generate(p.ctx, tasks.NewPayload(imageID, 0))
}

func (p *process) upload(imageID string) error {
	return p.work.Upload(p.ctx, tasks.NewPayload(imageID, 0))
}

func (p *process) allTheWay(imageID string) error {
	return errors.Join(p.generate(imageID), p.upload(imageID))
}

// A worker that wakes up in the middle of generating hears at its next
// heartbeat that another has its image, and stops.
func TestTheKeeperEndsWorkWhoseClaimIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		s.painter.takes = 45 * time.Second
		img := s.submit(s.draft("A quiet harbour"), 1).Images[0]
		a := s.open(t.Context(), &life{}, nil)
		a.running.Go(func() { a.work.Run(a.ctx, nil) })
		done := make(chan error, 1)
		go func() { done <- a.generate(img.ID) }()
		pass(time.Second)
		a.life.freeze()
		pass(lease + time.Second)

		b := s.open(t.Context(), &life{}, nil)
		b.running.Go(func() { b.work.Run(b.ctx, nil) })
		stored := make(chan error, 1)
		go func() { stored <- b.allTheWay(img.ID) }()
		pass(time.Second)
		woke := time.Now()
		a.life.unfreeze()
		if err := <-done; err != nil {
			t.Errorf("the frozen worker's task: %v, want it done with", err)
		}
		if took := time.Since(woke); took > lease/4 {
			t.Errorf("the frozen worker went on for %s, want at most a heartbeat", took)
		}
		s.must(<-stored)
		if got, err := s.store.Image(t.Context(), img.ID); err != nil || got.State != editorial.StateStored || got.Attempt != 1 {
			t.Errorf("image %+v, %v; want it stored by the other worker", got, err)
		}
		for _, wrong := range s.bill.wrongs {
			t.Error(wrong)
		}
	})
}

// Heartbeats without an answer: a claim holds until it runs out, and not longer.
func TestTheKeeperEndsWorkWhenTheDatabaseStaysAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		s.painter.takes = time.Hour
		img := s.submit(s.draft("A quiet harbour"), 1).Images[0]
		away := &sometimesAway{}
		p := s.open(t.Context(), &life{}, func(c *worker.Config) { away.Claims, c.Claims = c.Claims, away; c.GenerateTimeout = 2 * time.Hour })
		p.running.Go(func() { p.work.Run(p.ctx, nil) })
		ended := make(chan time.Time, 1)
		go func() { _ = p.generate(img.ID); ended <- time.Now() }()
		pass(5 * time.Minute)
		away.gone.Store(true)
		from := time.Now()
		if held := (<-ended).Sub(from); held < lease-lease/4 || held > lease+lease/2 {
			t.Errorf("worked on for %s without a heartbeat's answer, want about the lease of %s", held, lease)
		}
	})
}

type sometimesAway struct {
	worker.Claims
	gone atomic.Bool
}

func (a *sometimesAway) Extend(ctx context.Context, tokens []string) ([]string, error) {
	if a.gone.Load() {
		return nil, errAway
	}
	return a.Claims.Extend(ctx, tokens)
}

// Canceling stops the generator at once, not at the next heartbeat.
func TestACancelHurriesTheKeeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		s.painter.takes = time.Hour
		img := s.submit("", 1).Images[0]
		p := s.open(t.Context(), &life{}, func(c *worker.Config) { c.GenerateTimeout = 2 * time.Hour })
		hurry := make(chan struct{}, 1)
		p.running.Go(func() { p.work.Run(p.ctx, hurry) })
		done := make(chan error, 1)
		go func() { done <- p.generate(img.ID) }()
		pass(time.Second)
		_, err := s.api.Cancel(t.Context(), img.JobID, "ann")
		s.must(err)
		hurry <- struct{}{}
		synctest.Wait()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the canceled task: %v, want it done with", err)
			}
		default:
			t.Error("the generator is still asked")
		}
		if got, _ := s.store.Image(t.Context(), img.ID); got.State != editorial.StateCanceled {
			t.Errorf("image is %s, want canceled", got.State)
		}
	})
}
