package dispatch_test

import (
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// A picture that nobody rang stands behind many that wait in a long queue, as
// after a flush that hit while a thousand were queued: it does not have to wait
// until they are done.
func TestALongQueueHidesNobody(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const jobs = 130 // of five pictures: more than one look at the rows takes
		b.queue.states = map[string]dispatch.TaskState{}
		var last editorial.Image
		for range jobs {
			for _, img := range b.submit(b.draft("Waiting", nil), 5).Images {
				b.queue.states[img.ID+".0"] = dispatch.TaskWaiting
				last = img
			}
		}
		delete(b.queue.states, last.ID+".0")
		_, err := b.store.DB().ExecContext(t.Context(), `UPDATE images SET updated_at = '2026-01-02T03:04:05.678Z'`)
		b.must(err)
		b.queue.rung = nil
		r, err := b.Reconcile(t.Context())
		if err != nil || r.Due != 5*jobs || r.Rung != 1 {
			t.Fatalf("Reconcile = %+v, %v; want %d due and the one rung that nobody had", r, err, 5*jobs)
		}
		if rung := b.queue.rung; len(rung) != 1 || rung[0].Payload.TaskID() != last.ID+".1" {
			t.Errorf("rung %v, want %s.1", rung, last.ID)
		}
	})
}
