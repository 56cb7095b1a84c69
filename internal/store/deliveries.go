package store

import (
	"context"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Delivery is one event on its way to one target.
type Delivery struct {
	ID        string
	Event     string // post.published, post.updated
	Target    string // "revalidate" or an endpoint's id
	DraftID   string
	PostID    string
	Payload   map[string]any
	Epoch     int64
	Attempt   int
	Claim     string
	CreatedAt time.Time
}

type deliveryRow struct {
	ID        string                   `db:"id"`
	Event     string                   `db:"event"`
	Target    string                   `db:"target"`
	DraftID   text                     `db:"draft_id"`
	PostID    text                     `db:"post_id"`
	Payload   document[map[string]any] `db:"payload"`
	Epoch     int64                    `db:"epoch"`
	Attempt   int                      `db:"attempt"`
	Claim     text                     `db:"claim"`
	CreatedAt stamp                    `db:"created_at"`
}

const deliveryColumns = `id, event, target, draft_id, post_id, payload, epoch, attempt, claim, created_at`

func (r *deliveryRow) delivery() Delivery {
	return Delivery{
		ID: r.ID, Event: r.Event, Target: r.Target, DraftID: string(r.DraftID), PostID: string(r.PostID),
		Payload: r.Payload.V, Epoch: r.Epoch, Attempt: r.Attempt, Claim: string(r.Claim), CreatedAt: r.CreatedAt.Time,
	}
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

// ClaimDelivery takes a pending delivery for token, for as long as lease.
// ErrNotFound: delivered, given up, or somebody else's.
func (s *Store) ClaimDelivery(ctx context.Context, id, token string, lease time.Duration) (Delivery, error) {
	var row deliveryRow
	err := s.InTx(ctx, func(t *Tx) error {
		return t.one(ctx, &row, `UPDATE webhook_deliveries SET claim = ?, claim_expires_at = {now+?}, attempt = attempt + 1
			WHERE id = ? AND state = 'pending' AND (claim IS NULL OR claim_expires_at < {now})
			RETURNING `+deliveryColumns, token, lease.Seconds(), id)
	})
	if err != nil {
		return Delivery{}, fmt.Errorf("claim delivery %s: %w", id, err)
	}
	return row.delivery(), nil
}

// EndDelivery ends a claimed delivery: as delivered when f is nil, else as
// failed for that reason.
func (s *Store) EndDelivery(ctx context.Context, d Delivery, f *editorial.Failure) error {
	state := "delivered"
	if f != nil {
		state = "failed"
	}
	return fenced(s.exec(ctx, `UPDATE webhook_deliveries SET state = ?, claim = NULL, claim_expires_at = NULL,
		failure = ?, finalized_at = {now} WHERE id = ? AND claim = ?`, state, doc(f), d.ID, d.Claim))
}

// PostponeDelivery gives a claimed delivery back, to be tried after delay.
func (s *Store) PostponeDelivery(ctx context.Context, d Delivery, f *editorial.Failure, delay time.Duration) error {
	return fenced(s.exec(ctx, `UPDATE webhook_deliveries SET claim = NULL, claim_expires_at = NULL,
		failure = ?, next_attempt_at = {now+?} WHERE id = ? AND claim = ?`, doc(f), delay.Seconds(), d.ID, d.Claim))
}

// DueDeliveries returns pending deliveries that nobody owns and that have been
// due for quiet.
func (r *Reader) DueDeliveries(ctx context.Context, quiet time.Duration, limit int) ([]Delivery, error) {
	var rows []deliveryRow
	err := r.all(ctx, &rows, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE state = 'pending'
		AND next_attempt_at <= {now+?} AND (claim IS NULL OR claim_expires_at < {now})
		ORDER BY next_attempt_at LIMIT ?`, -quiet.Seconds(), limit)
	if err != nil {
		return nil, fmt.Errorf("list due deliveries: %w", err)
	}
	list := make([]Delivery, len(rows))
	for i := range rows {
		list[i] = rows[i].delivery()
	}
	return list, nil
}

// ReepochDelivery raises a delivery's epoch if it is still the given one and
// nobody owns it.
func (s *Store) ReepochDelivery(ctx context.Context, id string, epoch int64) (bool, error) {
	n, err := s.exec(ctx, `UPDATE webhook_deliveries SET epoch = epoch + 1 WHERE id = ? AND epoch = ?
		AND state = 'pending' AND (claim IS NULL OR claim_expires_at < {now})`, id, epoch)
	if err != nil {
		return false, fmt.Errorf("raise epoch of delivery %s: %w", id, err)
	}
	return n == 1, nil
}
