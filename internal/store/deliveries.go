package store

import (
	"context"
	"fmt"
)

// Delivery is one event on its way to one target.
type Delivery struct {
	ID      string
	Event   string // post.published, post.updated
	Target  string // "revalidate" or an endpoint's id
	DraftID string
	PostID  string
	Payload map[string]any
}

// InsertDelivery queues an event in the transaction that made it true.
func (t *Tx) InsertDelivery(ctx context.Context, d Delivery) error {
	_, err := t.exec(ctx, `INSERT INTO webhook_deliveries (id, event, target, draft_id, post_id, payload, state, next_attempt_at, created_at)
		VALUES (?, ?, ?, ?, ?, ?, 'pending', {now}, {now})`,
		d.ID, d.Event, d.Target, text(d.DraftID), text(d.PostID), doc(d.Payload))
	if err != nil {
		return fmt.Errorf("queue %s: %w", d.Event, err)
	}
	return nil
}
