package worker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/internal/webhook"
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

// Target is somebody who is told of events. It is told at least once and may
// hear the same event, with the same id, again. status is that of its answer, 0
// when none came; a [webhook.Final] ends the delivery at once.
type Target interface {
	Deliver(ctx context.Context, d store.Delivery) (status int, err error)
}

// Notifier handles tasks.TypeNotify.
type Notifier struct {
	Rows    DeliveryRows
	Targets map[string]Target
	// Endpoints is told of what no target of that name is there for; nil for
	// nobody.
	Endpoints Target
	MaxWait   time.Duration // longest back-off of a target
	Log       *slog.Logger
	Metrics   *telemetry.Metrics // nil: nothing is counted
}

// endpointWait is the longest back-off of an endpoint, whoever runs it: with it
// a receiver that is away hears of an event some 40 times in its 24 hours, at
// first after 1, 2, 4, 8 and 16 seconds.
const endpointWait = time.Hour

// Notify tells one target of one event.
func (n *Notifier) Notify(ctx context.Context, p tasks.Payload) error {
	d, err := n.Rows.ClaimDelivery(ctx, p.ID)
	if errors.Is(err, dispatch.ErrNotDue) {
		return nil // told already, or another worker is telling it
	}
	if err != nil {
		return &queue.RetryAfter{Delay: queue.Backoff(3, n.MaxWait), Reason: "the database did not answer"}
	}
	target, name, wait := n.Targets[d.Target], d.Target, n.MaxWait
	if target == nil {
		target, name, wait = n.Endpoints, "webhook", endpointWait // one series for all of them
	}
	if target == nil {
		f := editorial.NewFailure("no_target", editorial.StageNotify, editorial.Terminal, d.Target, "this target is not configured any more")
		return n.end(ctx, d, f)
	}
	begun := time.Now()
	d.Status, err = target.Deliver(ctx, d)
	n.Metrics.Took(telemetry.StageNotify, name, time.Since(begun))
	if err == nil {
		n.Metrics.Ended(telemetry.StageNotify, name, telemetry.OutcomeOK)
		return n.end(ctx, d, nil)
	}
	f := editorial.NewFailure("not_delivered", editorial.StageNotify, editorial.Transient, d.Target, err.Error())
	var final *webhook.Final
	if errors.As(err, &final) {
		f.Code, f.Class = final.Code, editorial.Terminal
	}
	n.Metrics.Ended(telemetry.StageNotify, name, string(f.Class))
	n.Log.WarnContext(ctx, "not delivered", "event", d.Event, "target", d.Target, "post", d.PostID, "attempt", d.Attempt, "error", f.Message)
	if final != nil || time.Since(d.CreatedAt) > notifyFor {
		return n.end(ctx, d, f)
	}
	delay := n.delay(d, err, wait)
	if err := n.Rows.PostponeDelivery(context.WithoutCancel(ctx), d, f, delay); err != nil && !errors.Is(err, dispatch.ErrLostClaim) {
		n.Log.WarnContext(ctx, "the rows could not be written; the delivery comes back", "error", err)
	}
	return &queue.RetryAfter{Delay: delay, Reason: f.Error()}
}

// courtesy is how soon a receiver that names a time may at the earliest be told
// again, once our own waits have grown beyond it: one that always says "in a
// second" hears of an event some 1,500 times a day.
const courtesy = time.Minute

// delay is how long a delivery waits after err: as long as the receiver asks,
// but for no flood and not beyond the end of the tries, which is the last of
// them; else as long as its back-off says, with wait as its limit. Whoever is
// asked for the same time by the same receiver comes within a tenth of it.
func (n *Notifier) delay(d store.Delivery, err error, wait time.Duration) time.Duration {
	backoff := queue.Backoff(d.Attempt, wait)
	var later *webhook.Later
	if !errors.As(err, &later) {
		return backoff
	}
	asked := later.After + rand.N(later.After/10+1)
	left := max(notifyFor-time.Since(d.CreatedAt), 0)
	return min(max(asked, min(backoff, courtesy)), left)
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
