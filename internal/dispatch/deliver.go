package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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

// tidings is an event for those outside: the site's own front end and whoever
// has an endpoint.
type tidings struct {
	id, kind        string
	draftID, postID string
	data            map[string]any
}

// tell has an event written for everybody who asked for it, in the transaction
// that makes it true, and returns its id.
func (a *aftermath) tell(t tidings) (eventID string) {
	t.id = newID()
	a.told = append(a.told, t)
	return t.id
}

func (t tidings) delivery(target string) store.Delivery {
	if t.id == "" {
		t.id = newID()
	}
	return store.Delivery{
		ID: newID(), Event: t.kind, Target: target, DraftID: t.draftID, PostID: t.postID,
		Payload: map[string]any{"id": t.id, "type": t.kind, "timestamp": time.Now().UTC().Truncate(time.Millisecond), "data": t.data},
	}
}

// queueDeliveries writes what has to be told to whom: an event is told at
// least once, and exactly when it became true.
func (d *Dispatch) queueDeliveries(ctx context.Context, tx *store.Tx, after *aftermath) error {
	if len(after.told) == 0 {
		return nil
	}
	endpoints, err := tx.Endpoints(ctx)
	if err != nil {
		return err
	}
	for _, t := range after.told {
		var targets []string
		if t.postID != "" {
			targets = slices.Clone(d.Targets)
		}
		for i := range endpoints {
			if endpoints[i].Wants(t.kind) {
				targets = append(targets, endpoints[i].ID)
			}
		}
		for _, target := range targets {
			if err := queueDelivery(ctx, tx, t.delivery(target), after); err != nil {
				return err
			}
		}
	}
	return nil
}

func queueDelivery(ctx context.Context, tx *store.Tx, delivery store.Delivery, after *aftermath) error {
	after.bells = append(after.bells, deliveryBell(delivery.ID, 0))
	return tx.InsertDelivery(ctx, delivery)
}

// postTidings is what is told of a post that readers see.
func postTidings(kind string, post editorial.Post, img editorial.Image) tidings {
	return tidings{kind: kind, draftID: img.DraftID, postID: post.ID, data: map[string]any{
		"post_id": post.ID, "slug": post.Slug, "title": post.Title, "draft_id": img.DraftID,
		"image_url": post.FeaturedImageURL, "image": PictureFacts(img),
	}}
}

// imageTidings is what is told of a picture that has ended.
func imageTidings(kind string, img editorial.Image) tidings {
	data := map[string]any{"job_id": img.JobID, "image_id": img.ID, "number": img.Number}
	if img.DraftID != "" {
		data["draft_id"], data["round"] = img.DraftID, img.Round
	}
	return tidings{kind: kind, draftID: img.DraftID, data: data}
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
