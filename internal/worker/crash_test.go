package worker_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/tasks"
)

// within is promise P1 for the embedded program.
const within = 60 * time.Second

// crash is one way to die.
type crash struct {
	step     int // 0: not at all
	name     string
	before   bool
	embedded bool   // the next process starts alone with the folder and an empty queue
	approve  string // "early", "between", "late"
}

func (c crash) String() string {
	when, how := "after", "another worker"
	if c.before {
		when = "before"
	}
	if c.embedded {
		how = "restart"
	}
	return fmt.Sprintf("%02d %s %s, %s, approved %s", c.step, when, c.name, how, c.approve)
}

// A process dies right before and right after every single step of generating
// and uploading, and another one goes on: one picture, one object a key, one
// post, and no picture is paid for twice once its bytes are in the spool.
func TestDyingAtEveryStep(t *testing.T) {
	t.Parallel()
	var steps []string
	t.Run("no death", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { steps = dieAndGoOn(t, crash{approve: "late"}) })
	})
	want := []string{
		"row: generating", "spool: find", "generator", "spool: put raw", "row: spooled", "ring image:upload",
		"row: claimed for upload", "spool: read", "spool: write", "spool: write", "spool: keep", "row: finished",
		"put", "fetch back", "put", "fetch back", "row: stored", "spool: remove",
	}
	if !slices.Equal(steps, want) {
		t.Fatalf("the steps of a picture are\n%q, want\n%q", steps, want)
	}
	approvals := []string{"early", "between", "late"}
	for i, name := range steps {
		for k, c := range []crash{
			// Before a step is mostly after the one before it: once is enough.
			{step: i + 1, name: name, before: true, embedded: i%2 == 0},
			{step: i + 1, name: name, embedded: true},
			{step: i + 1, name: name},
		} {
			c.approve = approvals[(i+k)%len(approvals)]
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { dieAndGoOn(t, c) })
			})
		}
	}
}

// dieAndGoOn takes one picture through a death, and returns its first process's steps.
func dieAndGoOn(t *testing.T, c crash) []string {
	bells := newBelfry()
	s := newSite(t, bells)
	draft := s.draft("A quiet harbour")
	job := s.submit(draft, 1)
	img := job.Images[0]
	if c.approve == "early" {
		s.approve(draft)
	}
	first := &life{dieAt: c.step, before: c.before}
	s.start(first, true)
	pass(8 * time.Second)
	if died := !first.alive(); died != (c.step > 0) {
		t.Fatalf("died: %v at step %d of %q", died, c.step, first.steps)
	}
	if c.approve == "between" {
		s.approve(draft)
	}
	if c.step > 0 {
		if c.embedded {
			bells.flush()
		}
		s.start(&life{}, c.embedded)
		s.waitFor(job.ID, within)
	}
	if c.approve == "late" {
		s.approve(draft)
	}
	if got := s.job(job.ID); got.State != editorial.JobStored || len(got.Images) != 1 {
		t.Fatalf("after %s the job is %s with %d images", within, got.State, len(got.Images))
	}
	steps := slices.Clone(first.steps)
	settled := 3 * checkEvery
	if c.step > 0 && !c.embedded {
		settled += recoverAfter // the dead worker's task comes back
	}
	s.ringEverythingAgain(bells, img.ID, settled)
	for _, wrong := range s.broken() {
		t.Error(wrong)
	}
	s.checkBill(c, img.ID, draft)
	return steps
}

// ringEverythingAgain is every late recovery and every button of the dashboard.
func (s *site) ringEverythingAgain(b *belfry, imageID string, settled time.Duration) {
	img, err := s.store.Image(s.t.Context(), imageID)
	s.must(err)
	b.everyBellAgain(tasks.TypeGenerate, tasks.QueueGenerate, imageID, img.Epoch)
	b.everyBellAgain(tasks.TypeUpload, tasks.UploadQueue(img.SpoolID), imageID, img.Epoch)
	pass(settled)
	after, err := s.store.Image(s.t.Context(), imageID)
	s.must(err)
	if !after.UpdatedAt.Equal(img.UpdatedAt) || after.State != img.State {
		s.t.Errorf("a task that came late changed the row: %s at %s, was %s at %s", after.State, after.UpdatedAt, img.State, img.UpdatedAt)
	}
}

// checkBill counts, exactly, what was paid and what was published.
func (s *site) checkBill(c crash, imageID, draft string) {
	calls := 1
	if c.step > 0 && (c.name == "generator" && !c.before || c.name == "spool: put raw" && c.before) {
		calls = 2 // paid, and the bytes died with the process
	}
	if got := s.painter.count(imageID); got != calls {
		s.t.Errorf("the generator was asked %d times, want %d", got, calls)
	}
	check := &checker{site: s}
	if n := check.events(draft, "post.published"); n != 1 {
		s.t.Errorf("%d publish events, want 1", n)
	}
	files, err := os.ReadDir(s.dir + "/images/generated")
	s.must(err)
	if len(files) != 2 {
		s.t.Errorf("%d objects, want the picture and its rendition: %v", len(files), files)
	}
	entries, err := os.ReadDir(s.dir + "/spool")
	s.must(err)
	// What a dead process was writing goes with the next sweep.
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".part-") })
	if len(entries) > 1 && c.name != "row: stored" && c.name != "spool: remove" {
		s.t.Errorf("the spool still holds %v", entries)
	}
}

// The API dies between its commit and the ring: the row is in, nobody was told.
func TestARingThatNeverHappened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		draft := s.draft("A quiet harbour")
		s.apiLife.dieAt, s.apiLife.before = len(s.apiLife.steps)+1, true
		job := s.submit(draft, 3)
		s.start(&life{}, false)
		pass(within)
		if got := s.job(job.ID); got.State != editorial.JobStored {
			t.Errorf("after %s the job is %s", within, got.State)
		}
		pass(time.Minute)
		for _, wrong := range s.broken() {
			t.Error(wrong)
		}
	})
}
