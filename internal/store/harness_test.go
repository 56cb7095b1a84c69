package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

// bench is a real database with short ways to make rows.
type bench struct {
	*store.Store
	t *testing.T
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) { test(t, &bench{s, t}) })
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// tx runs fn in a transaction that has to succeed.
func (b *bench) tx(fn func(tx *store.Tx) error) {
	b.t.Helper()
	b.must(b.InTx(b.t.Context(), fn))
}

// exec changes rows behind the store's back; it takes no arguments, so that the
// text is the same for both databases.
func (b *bench) exec(query string) {
	b.t.Helper()
	_, err := b.DB().ExecContext(b.t.Context(), query)
	b.must(err)
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func (b *bench) job(kind editorial.JobKind, draftID string, round, count int) editorial.Job {
	b.t.Helper()
	job := editorial.Job{
		ID: newID(), Kind: kind, DraftID: draftID, Round: round, CreatedBy: "tester",
		Request: editorial.Request{Prompt: "a lighthouse", Count: count},
	}
	for n := range count {
		job.Images = append(job.Images, editorial.Image{ID: newID(), Number: n + 1, Seed: int64(n)})
	}
	b.tx(func(tx *store.Tx) error { return tx.InsertJob(b.t.Context(), &job) })
	return b.readJob(job.ID)
}

func (b *bench) readJob(id string) editorial.Job {
	b.t.Helper()
	job, err := b.Job(b.t.Context(), id)
	b.must(err)
	return job
}

// image is a queued image of a job of its own.
func (b *bench) image() editorial.Image {
	b.t.Helper()
	return b.job(editorial.KindGenerate, "", 0, 1).Images[0]
}

func (b *bench) read(id string) editorial.Image {
	b.t.Helper()
	img, err := b.Image(b.t.Context(), id)
	b.must(err)
	return img
}

const lease = time.Minute

// spent is a lease that has run out when it begins: no test has to wait.
const spent = -time.Second

type claimFunc func(*store.Tx, context.Context, string, string, time.Duration) (editorial.Image, error)

func (b *bench) claim(take claimFunc, id, token string, lease time.Duration) (img editorial.Image, err error) {
	b.t.Helper()
	err = b.InTx(b.t.Context(), func(tx *store.Tx) error {
		img, err = take(tx, b.t.Context(), id, token, lease)
		return err
	})
	return img, err
}

func (b *bench) generating(token string) editorial.Image {
	b.t.Helper()
	img, err := b.claim((*store.Tx).ClaimGenerate, b.image().ID, token, lease)
	b.must(err)
	return img
}

func (b *bench) uploading(token string) editorial.Image {
	b.t.Helper()
	img := b.generating("generating " + token)
	img.SpoolID, img.RawSHA256, img.Key = "spool", "raw", "generated/"+img.ID+".png"
	b.tx(func(tx *store.Tx) error { return tx.Spooled(b.t.Context(), img) })
	img, err := b.claim((*store.Tx).ClaimUpload, img.ID, token, lease)
	b.must(err)
	return img
}

// together runs fn many times at once and counts the nil errors; every other
// error has to be one of those expected.
func (b *bench) together(n int, expected error, fn func(i int) error) (won int) {
	b.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			err := fn(i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, expected):
				b.t.Errorf("%d: %v, want nil or %v", i, err, expected)
			}
		})
	}
	all.Wait()
	return won
}
