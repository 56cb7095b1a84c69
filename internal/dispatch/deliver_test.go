package dispatch_test

import (
	"errors"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/tasks"
)

// told returns the bells of deliveries, in the order in which they were rung.
func (q *queueBook) told() []tasks.Payload {
	q.mu.Lock()
	defer q.mu.Unlock()
	var payloads []tasks.Payload
	for _, b := range q.rung {
		if b.Type == tasks.TypeNotify {
			payloads = append(payloads, b.Payload)
		}
	}
	return payloads
}

func TestAPublishedPostIsToldOnceAndAgainUntilItArrives(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		img := b.submit(draft, 1).Images[0]
		b.must(b.storeImage(img.ID))
		b.approve(draft)
		b.approve(draft) // the front end sends it twice
		told := b.queue.told()
		if len(told) != 1 {
			t.Fatalf("%d deliveries were rung, want 1", len(told))
		}
		id := told[0].ID
		d, err := b.ClaimDelivery(t.Context(), id)
		b.must(err)
		data, _ := d.Payload["data"].(map[string]any)
		if d.Event != "post.published" || d.Target != dispatch.TargetRevalidate || data["slug"] != "a-quiet-harbour" {
			t.Errorf("delivery is %+v", d)
		}
		if _, err := b.ClaimDelivery(t.Context(), id); !errors.Is(err, dispatch.ErrNotDue) {
			t.Errorf("a second worker: %v, want not due", err)
		}
		f := editorial.NewFailure("not_delivered", editorial.StageNotify, editorial.Transient, d.Target, "503")
		b.must(b.PostponeDelivery(t.Context(), d, f, 0))
		again, err := b.ClaimDelivery(t.Context(), id)
		b.must(err)
		if again.Attempt != 2 {
			t.Errorf("attempt %d, want 2", again.Attempt)
		}
		if err := b.EndDelivery(t.Context(), d, nil); !errors.Is(err, dispatch.ErrLostClaim) {
			t.Errorf("the first worker's late report: %v, want a lost claim", err)
		}
		b.must(b.EndDelivery(t.Context(), again, nil))
		if _, err := b.ClaimDelivery(t.Context(), id); !errors.Is(err, dispatch.ErrNotDue) {
			t.Errorf("after it arrived: %v, want not due", err)
		}
	})
}

func TestADeliveryWhoseTaskIsLostIsRungAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		draft := b.draft("A quiet harbour", nil)
		img := b.submit(draft, 1).Images[0]
		b.must(b.storeImage(img.ID))
		b.queue.down = true
		b.approve(draft)
		b.queue.down = false
		if n := len(b.queue.told()); n != 0 {
			t.Fatalf("%d deliveries were rung on a queue that is down", n)
		}
		waiting, err := b.store.DueDeliveries(t.Context(), -time.Minute, 10) // due by now, whatever the clock
		b.must(err)
		if len(waiting) != 1 {
			t.Fatalf("%d deliveries are due, want 1", len(waiting))
		}
		_, err = b.store.DB().ExecContext(t.Context(), `UPDATE webhook_deliveries SET next_attempt_at = '2000-01-01T00:00:00.000Z'`)
		b.must(err)
		for range 2 {
			_, err := b.Reconcile(t.Context())
			b.must(err)
			b.queue.wait(tasks.NewPayload(waiting[0].ID, 1))
		}
		if told := b.queue.told(); len(told) != 1 || told[0].Epoch != 1 {
			t.Fatalf("rung %+v, want once, under a new epoch", told)
		}
	})
}

// wait has a task wait in the queue, as a look-up would find it.
func (q *queueBook) wait(p tasks.Payload) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.states == nil {
		q.states = make(map[string]dispatch.TaskState)
	}
	q.states[p.TaskID()] = dispatch.TaskWaiting
}
