package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/tasks"
)

// TargetRevalidate is the site's own front end, which drops its cached pages.
const TargetRevalidate = "revalidate"

func deliveryBell(id string, epoch int64) Bell {
	return Bell{Type: tasks.TypeNotify, Queue: tasks.QueueNotify, Payload: tasks.NewPayload(id, epoch)}
}

// queueDeliveries writes, with the post, what has to be told to whom: an event
// is told at least once, and exactly when it became true.
func (d *Dispatch) queueDeliveries(ctx context.Context, tx *store.Tx, eventID, event string, post editorial.Post, draftID string, after *aftermath) error {
	for _, target := range d.Targets {
		delivery := store.Delivery{
			ID: newID(), Event: event, Target: target, DraftID: draftID, PostID: post.ID,
			Payload: map[string]any{"id": eventID, "type": event, "post_id": post.ID, "slug": post.Slug, "image_url": post.FeaturedImageURL},
		}
		if err := tx.InsertDelivery(ctx, delivery); err != nil {
			return err
		}
		after.bells = append(after.bells, deliveryBell(delivery.ID, 0))
	}
	return nil
}

// ClaimDelivery takes a delivery, or returns ErrNotDue. It needs no heartbeat:
// one call is shorter than the lease.
func (d *Dispatch) ClaimDelivery(ctx context.Context, id string) (store.Delivery, error) {
	delivery, err := d.Store.ClaimDelivery(ctx, id, rand.Text(), d.Lease)
	if errors.Is(err, store.ErrNotFound) {
		return delivery, ErrNotDue
	}
	return delivery, err
}

// EndDelivery reports that a delivery arrived, or with a failure that it never
// will.
func (d *Dispatch) EndDelivery(ctx context.Context, delivery store.Delivery, f *editorial.Failure) error {
	return d.Store.EndDelivery(ctx, delivery, stamped(f))
}

// PostponeDelivery gives a delivery back, to be tried again after delay.
func (d *Dispatch) PostponeDelivery(ctx context.Context, delivery store.Delivery, f *editorial.Failure, delay time.Duration) error {
	return d.Store.PostponeDelivery(ctx, delivery, stamped(f), delay)
}

// reringDeliveries is reringDue for deliveries.
func (d *Dispatch) reringDeliveries(ctx context.Context, r *Report) error {
	due, err := d.Store.DueDeliveries(ctx, Quiet, reconcileBatch)
	if err != nil || len(due) == 0 {
		return err
	}
	bells := make([]Bell, len(due))
	for i, delivery := range due {
		bells[i] = deliveryBell(delivery.ID, delivery.Epoch)
	}
	states, err := d.Ringer.States(ctx, bells)
	if err != nil {
		return fmt.Errorf("look up deliveries: %w", err)
	}
	for i, delivery := range due {
		if states[i] == TaskWaiting {
			continue
		}
		won, err := d.Store.ReepochDelivery(ctx, delivery.ID, delivery.Epoch)
		if err != nil {
			return err
		}
		if !won {
			continue
		}
		if err := d.Ringer.Ring(ctx, deliveryBell(delivery.ID, delivery.Epoch+1)); err != nil {
			return fmt.Errorf("ring: %w", err)
		}
		r.Rung++
	}
	return nil
}
