package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/tasks"
)

// notifyFor is how long a delivery is tried before it is given up.
const notifyFor = 24 * time.Hour

// DeliveryRows is what delivering reports.
type DeliveryRows interface {
	ClaimDelivery(ctx context.Context, id string) (store.Delivery, error)
	EndDelivery(ctx context.Context, d store.Delivery, f *editorial.Failure) error
	PostponeDelivery(ctx context.Context, d store.Delivery, f *editorial.Failure, delay time.Duration) error
}

// Target is somebody who is told of posts. It is told at least once and may
// hear the same event, with the same id, again.
type Target interface {
	Deliver(ctx context.Context, d store.Delivery) error
}

// Notifier handles tasks.TypeNotify.
type Notifier struct {
	Rows    DeliveryRows
	Targets map[string]Target
	MaxWait time.Duration // longest back-off
	Log     *slog.Logger
	Metrics *telemetry.Metrics // nil: nothing is counted
}

// Notify tells one target of one event.
func (n *Notifier) Notify(ctx context.Context, p tasks.Payload) error {
	d, err := n.Rows.ClaimDelivery(ctx, p.ID)
	if errors.Is(err, dispatch.ErrNotDue) {
		return nil // told already, or another worker is telling it
	}
	if err != nil {
		return &queue.RetryAfter{Delay: queue.Backoff(3, n.MaxWait), Reason: "the database did not answer"}
	}
	target, ok := n.Targets[d.Target]
	if !ok {
		f := editorial.NewFailure("no_target", editorial.StageNotify, editorial.Terminal, d.Target, "this target is not configured any more")
		return n.end(ctx, d, f)
	}
	begun := time.Now()
	err = target.Deliver(ctx, d)
	n.Metrics.Took(telemetry.StageNotify, d.Target, time.Since(begun))
	if err == nil {
		n.Metrics.Ended(telemetry.StageNotify, d.Target, telemetry.OutcomeOK)
		return n.end(ctx, d, nil)
	}
	n.Metrics.Ended(telemetry.StageNotify, d.Target, string(editorial.Transient))
	f := editorial.NewFailure("not_delivered", editorial.StageNotify, editorial.Transient, d.Target, err.Error())
	n.Log.WarnContext(ctx, "not delivered", "event", d.Event, "target", d.Target, "post", d.PostID, "attempt", d.Attempt, "error", f.Message)
	if time.Since(d.CreatedAt) > notifyFor {
		return n.end(ctx, d, f)
	}
	delay := queue.Backoff(d.Attempt, n.MaxWait)
	if err := n.Rows.PostponeDelivery(context.WithoutCancel(ctx), d, f, delay); err != nil && !errors.Is(err, dispatch.ErrLostClaim) {
		n.Log.WarnContext(ctx, "the rows could not be written; the delivery comes back", "error", err)
	}
	return &queue.RetryAfter{Delay: delay, Reason: f.Error()}
}

// end records how it ended. When that cannot be written the claim runs out and
// the target hears the event once more, which is what it was promised.
func (n *Notifier) end(ctx context.Context, d store.Delivery, f *editorial.Failure) error {
	err := n.Rows.EndDelivery(context.WithoutCancel(ctx), d, f)
	if err == nil || errors.Is(err, dispatch.ErrLostClaim) {
		return nil
	}
	return &queue.RetryAfter{Delay: queue.Backoff(3, n.MaxWait), Reason: "the database did not answer"}
}
