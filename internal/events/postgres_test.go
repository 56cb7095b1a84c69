package events_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/store/storetest"
)

// PostgreSQL gives ids away before it commits. A transaction that is slow to
// commit is seen in its place, before the quick one that was given the next id.
func TestASlowTransactionIsNotMissed(t *testing.T) {
	t.Parallel()
	db := storetest.Postgres(t)
	hub := events.NewHub(nil, slog.New(slog.DiscardHandler))
	j := events.NewJournal(hub, db, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })

	job := editorial.Job{ID: uuid.Must(uuid.NewV7()).String(), Kind: editorial.KindGenerate, CreatedBy: "tester"}
	job.Images = []editorial.Image{{ID: uuid.Must(uuid.NewV7()).String(), Number: 1}}
	add := func(kind string, meanwhile func()) {
		t.Helper()
		err := db.InTx(t.Context(), func(tx *store.Tx) error {
			if kind == "job.queued" {
				if err := tx.InsertJob(t.Context(), &job); err != nil {
					return err
				}
			}
			err := tx.AddEvents(t.Context(), editorial.JobEvent{JobID: job.ID, Type: kind})
			meanwhile()
			return err
		})
		if err != nil {
			t.Error(err)
		}
		hub.Notify(t.Context(), dispatch.Note{JobID: job.ID, Type: kind})
	}
	add("job.queued", func() {})
	w, err := j.Follow(t.Context(), job.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	_, begun, _ := j.Since(0, func(*editorial.JobEvent) bool { return false })
	add("image.generating", func() { // has its id, and is not committed
		add("image.spooled", func() {})
	})
	var got []string
	deadline := time.After(10 * time.Second)
	for at := begun; len(got) < 2; {
		select {
		case <-w.C():
		case <-deadline:
			t.Fatalf("told of %v", got)
		}
		list, head, _ := j.Since(at, func(*editorial.JobEvent) bool { return true })
		for _, e := range list {
			got = append(got, e.Type)
		}
		at = head
	}
	if want := []string{"image.generating", "image.spooled"}; !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}
