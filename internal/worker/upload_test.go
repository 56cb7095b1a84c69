package worker_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/worker"
)

// slow is a bucket that answers nobody before an hour has passed.
type slow struct{ blob.Bucket }

func (slow) Put(ctx context.Context, _ blob.Object) error {
	select {
	case <-ctx.Done():
		return blob.ContextError(ctx)
	case <-time.After(time.Hour):
		return nil
	}
}

// troubled is a bucket that fails as long as it is told to.
type troubled struct {
	blob.Bucket
	*trouble
}

type trouble struct {
	mu  sync.Mutex
	err error
}

func (tr *trouble) set(err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.err = err
}

func (tr *trouble) now() error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.err
}

func (b troubled) Put(ctx context.Context, o blob.Object) error {
	if err := b.now(); err != nil {
		return err
	}
	return b.Bucket.Put(ctx, o)
}

func (b troubled) Check(ctx context.Context) error {
	if err := b.now(); err != nil {
		return err
	}
	return b.Bucket.Check(ctx)
}

// uploadBench is a spooled picture before a bucket that may be in trouble.
func uploadBench(t *testing.T) (s *site, p *process, img editorial.Image, tr *trouble) {
	s = newSite(t, newBelfry())
	tr = &trouble{}
	p = s.open(t.Context(), &life{}, func(c *worker.Config) { c.Bucket = troubled{c.Bucket, tr} })
	img = s.submit("", 1).Images[0]
	s.must(p.generate(img.ID))
	return s, p, img, tr
}

func TestOutcomesOfUploading(t *testing.T) {
	t.Parallel()
	down := blob.Transientf(blob.CodeUnavailable, nil, "the store answers 503")
	tests := []struct {
		name    string
		trouble error
		tries   int
		want    outcome
	}{
		{name: "stored", want: outcome{State: "stored", Attempt: 1}},
		{
			name: "transient, however often", trouble: down, tries: 40,
			want: outcome{Again: true, State: "uploading", Attempt: 40, Code: "unavailable", Stage: "upload", Class: "transient"},
		},
		{
			name: "terminal", trouble: blob.Terminalf(blob.CodeKeyTaken, nil, "the key holds another picture"),
			want: outcome{State: "failed", Attempt: 1, Code: "key_taken", Stage: "upload", Class: "terminal"},
		},
		{
			name: "an error of no class", trouble: errAway,
			want: outcome{Again: true, State: "uploading", Attempt: 1, Code: "upload_failed", Stage: "upload", Class: "transient"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, p, img, trouble := uploadBench(t)
				trouble.set(tt.trouble)
				var err error
				for range max(1, tt.tries) {
					err = p.upload(img.ID)
				}
				if diff := cmp.Diff(tt.want, s.outcome(img.ID, err)); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				if found, err := p.spool.Find(img.ID); err != nil || (len(found) > 0) == (tt.want.State == "stored") {
					t.Errorf("the spool holds %d entries of a picture that is %s, %v", len(found), tt.want.State, err)
				}
			})
		})
	}
}

// A bucket that an operator has to mend: uploads stop before they claim
// anything, the bytes are kept, and a canary that works lets them go on.
func TestAConfigurationErrorKeepsTheBytesAndTheAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p, img, trouble := uploadBench(t)
		p.running.Go(func() { p.work.Run(p.ctx, nil) })
		trouble.set(blob.Configf(blob.CodeAccessDenied, nil, "the credentials may not put objects"))
		want := outcome{Again: true, State: "uploading", Attempt: 1, Code: "access_denied", Stage: "upload", Class: "transient"}
		for range 5 {
			if diff := cmp.Diff(want, s.outcome(img.ID, p.upload(img.ID))); diff != "" {
				t.Fatalf("outcome (-want +got):\n%s", diff)
			}
			pass(20 * time.Second)
		}
		if p.work.UploadsPaused() == nil {
			t.Error("uploads are not paused")
		}
		trouble.set(nil)
		pass(20 * time.Second)
		if diff := cmp.Diff(outcome{State: "stored", Attempt: 2}, s.outcome(img.ID, p.upload(img.ID))); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
		if n := s.painter.count(img.ID); n != 1 {
			t.Errorf("the generator was asked %d times, want once", n)
		}
	})
}

// After 72 hours an upload fails, and its bytes stay: an operator's retry costs
// no generation, and has as long again.
func TestAnUploadFailsAfterThreeDaysAndARetryCostsNoGeneration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p, img, trouble := uploadBench(t)
		trouble.set(blob.Transientf(blob.CodeUnavailable, nil, "the store answers 503"))
		pass(72 * time.Hour)
		if o := s.outcome(img.ID, p.upload(img.ID)); !o.Again {
			t.Fatalf("after 72 h sharp: %+v, want another try", o)
		}
		pass(time.Hour)
		want := outcome{State: "failed", Attempt: 2, Code: "unavailable", Stage: "upload", Class: "transient"}
		if diff := cmp.Diff(want, s.outcome(img.ID, p.upload(img.ID))); diff != "" {
			t.Fatalf("outcome (-want +got):\n%s", diff)
		}
		if job := s.job(img.JobID); job.State != editorial.JobFailed || job.Failure == nil || job.Failure.Stage != "upload" {
			t.Fatalf("job is %s, %v; want failed at stage upload", job.State, job.Failure)
		}

		_, err := s.api.Retry(t.Context(), img.JobID, "op")
		s.must(err)
		want = outcome{Again: true, State: "uploading", Attempt: 1, Code: "unavailable", Stage: "upload", Class: "transient"}
		if diff := cmp.Diff(want, s.outcome(img.ID, p.upload(img.ID))); diff != "" {
			t.Fatalf("the first try of the retry (-want +got):\n%s", diff)
		}
		trouble.set(nil)
		if diff := cmp.Diff(outcome{State: "stored", Attempt: 2}, s.outcome(img.ID, p.upload(img.ID))); diff != "" {
			t.Fatalf("outcome (-want +got):\n%s", diff)
		}
		if n := s.painter.count(img.ID); n != 1 {
			t.Errorf("the generator was asked %d times, want once", n)
		}
	})
}

// Bytes that are gone, or no longer what they were, are made again: as a new
// image of the same seed, under a new key.
func TestLostBytesAreMadeAgain(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, p, img, _ := uploadBench(t)
				spooled, err := s.store.Image(t.Context(), img.ID)
				s.must(err)
				s.must(harm(filepath.Join(p.spool.Dir(), img.ID+"."+spooled.RawSHA256)))
				want := outcome{State: "superseded", Attempt: 1, Code: "spool_lost", Stage: "upload", Class: "terminal"}
				if diff := cmp.Diff(want, s.outcome(img.ID, p.upload(img.ID))); diff != "" {
					t.Fatalf("outcome (-want +got):\n%s", diff)
				}
				job := s.job(img.JobID)
				if len(job.Images) != 2 || job.State != editorial.JobQueued {
					t.Fatalf("job is %s with %d images, want a second one queued", job.State, len(job.Images))
				}
				again := job.Images[1]
				s.must(p.allTheWay(again.ID))
				again, err = s.store.Image(t.Context(), again.ID)
				s.must(err)
				if again.State != "stored" || again.Seed != img.Seed || again.Number != img.Number || again.Key == spooled.Key {
					t.Errorf("made again: %+v", again)
				}
				if job := s.job(img.JobID); job.State != editorial.JobStored {
					t.Errorf("job is %s, want stored", job.State)
				}
			})
		})
	}
}

// A database that is away while a result is reported is asked again: the bytes
// are paid for.
func TestABriefOutageOfTheRowsCostsNoPicture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, newBelfry())
		outage := &shortOutage{left: 3}
		p := s.open(t.Context(), &life{}, func(c *worker.Config) { outage.GenerateRows, c.GenerateRows = c.GenerateRows, outage })
		img := s.submit("", 1).Images[0]
		if diff := cmp.Diff(outcome{State: "uploading"}, s.outcome(img.ID, p.generate(img.ID))); diff != "" {
			t.Errorf("outcome (-want +got):\n%s", diff)
		}
		if outage.left != 0 {
			t.Errorf("the outage had %d errors left", outage.left)
		}
	})
}

type shortOutage struct {
	worker.GenerateRows
	left int
}

func (o *shortOutage) Spooled(ctx context.Context, img editorial.Image) error {
	if o.left > 0 {
		o.left--
		return errAway
	}
	return o.GenerateRows.Spooled(ctx, img)
}
