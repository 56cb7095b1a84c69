package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Delivery is one event on its way to one target.
type Delivery struct {
	ID        string
	Event     string // post.published and so on
	Target    string // "revalidate" or an endpoint's id
	DraftID   string
	PostID    string
	Payload   map[string]any
	State     DeliveryState
	Epoch     int64
	Attempt   int
	Claim     string
	Status    int // of the last answer, 0 when none came
	Failure   *editorial.Failure
	CreatedAt time.Time
	// NextAttemptAt means something while the delivery is pending.
	NextAttemptAt time.Time
	FinalizedAt   time.Time // zero while it is pending
}

// EventID is the event's own id, the same in every delivery of it.
func (d *Delivery) EventID() string {
	id, _ := d.Payload["id"].(string)
	return id
}

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery; the last two are final.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"
)

type deliveryRow struct {
	ID            string                       `db:"id"`
	Event         string                       `db:"event"`
	Target        string                       `db:"target"`
	DraftID       text                         `db:"draft_id"`
	PostID        text                         `db:"post_id"`
	Payload       document[map[string]any]     `db:"payload"`
	State         string                       `db:"state"`
	Epoch         int64                        `db:"epoch"`
	Attempt       int                          `db:"attempt"`
	Claim         text                         `db:"claim"`
	Status        sql.NullInt64                `db:"status"`
	Failure       document[*editorial.Failure] `db:"failure"`
	CreatedAt     stamp                        `db:"created_at"`
	NextAttemptAt stamp                        `db:"next_attempt_at"`
	FinalizedAt   stamp                        `db:"finalized_at"`
}

const deliveryColumns = `id, event, target, draft_id, post_id, payload, state, epoch, attempt, claim, status, failure,
	created_at, next_attempt_at, finalized_at`

func (r *deliveryRow) delivery() Delivery {
	return Delivery{
		ID: r.ID, Event: r.Event, Target: r.Target, DraftID: string(r.DraftID), PostID: string(r.PostID),
		Payload: r.Payload.V, State: DeliveryState(r.State), Epoch: r.Epoch, Attempt: r.Attempt, Claim: string(r.Claim),
		Status: int(r.Status.Int64), Failure: r.Failure.V, CreatedAt: r.CreatedAt.Time, NextAttemptAt: r.NextAttemptAt.Time,
		FinalizedAt: r.FinalizedAt.Time,
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
	state := DeliveryDelivered
	if f != nil {
		state = DeliveryFailed
	}
	return fenced(s.exec(ctx, `UPDATE webhook_deliveries SET state = ?, claim = NULL, claim_expires_at = NULL,
		status = ?, failure = ?, finalized_at = {now} WHERE id = ? AND claim = ?`,
		string(state), status(d), doc(f), d.ID, d.Claim))
}

// PostponeDelivery gives a claimed delivery back, to be tried after delay.
func (s *Store) PostponeDelivery(ctx context.Context, d Delivery, f *editorial.Failure, delay time.Duration) error {
	return fenced(s.exec(ctx, `UPDATE webhook_deliveries SET claim = NULL, claim_expires_at = NULL,
		status = ?, failure = ?, next_attempt_at = {now+?} WHERE id = ? AND claim = ?`,
		status(d), doc(f), delay.Seconds(), d.ID, d.Claim))
}

func status(d Delivery) sql.NullInt64 {
	return sql.NullInt64{Int64: int64(d.Status), Valid: d.Status != 0}
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

// Delivery returns a delivery, or ErrNotFound.
func (r *Reader) Delivery(ctx context.Context, id string) (Delivery, error) {
	if !isUUID(id) {
		return Delivery{}, fmt.Errorf("read delivery %q: %w", id, ErrNotFound)
	}
	var row deliveryRow
	if err := r.one(ctx, &row, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE id = ?`, id); err != nil {
		return Delivery{}, fmt.Errorf("read delivery %s: %w", id, err)
	}
	return row.delivery(), nil
}

// DeliveryFilter narrows a listing of one target's deliveries.
type DeliveryFilter struct {
	Target string
	State  DeliveryState // "" for all
	// Before and BeforeID are the last row of the page before: newest first.
	Before   time.Time
	BeforeID string
	Limit    int
}

// Deliveries lists a target's deliveries, newest first.
func (r *Reader) Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error) {
	where, args := []string{"target = ?"}, []any{f.Target}
	if f.State != "" {
		where, args = append(where, "state = ?"), append(args, string(f.State))
	}
	if !f.Before.IsZero() {
		where, args = append(where, "(created_at, id) < (?, ?)"), append(args, stamp{f.Before}, f.BeforeID)
	}
	var rows []deliveryRow
	err := r.all(ctx, &rows, `SELECT `+deliveryColumns+` FROM webhook_deliveries WHERE `+strings.Join(where, " AND ")+
		` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	list := make([]Delivery, len(rows))
	for i := range rows {
		list[i] = rows[i].delivery()
	}
	return list, nil
}

// HastenDelivery makes a pending delivery that nobody owns due at once and
// raises its epoch, which it returns. ErrNotFound: it has ended, or somebody is
// at it.
func (t *Tx) HastenDelivery(ctx context.Context, id string) (epoch int64, err error) {
	err = t.one(ctx, &epoch, `UPDATE webhook_deliveries SET epoch = epoch + 1, next_attempt_at = {now}
		WHERE id = ? AND state = 'pending' AND (claim IS NULL OR claim_expires_at < {now}) RETURNING epoch`, id)
	if err != nil {
		return 0, fmt.Errorf("hasten delivery %s: %w", id, err)
	}
	return epoch, nil
}

// ForgetDeliveries deletes what ended longer ago than age.
func (s *Store) ForgetDeliveries(ctx context.Context, age time.Duration) (int64, error) {
	n, err := s.exec(ctx, `DELETE FROM webhook_deliveries WHERE finalized_at < {now+?}`, -age.Seconds())
	if err != nil {
		return 0, fmt.Errorf("forget deliveries: %w", err)
	}
	return n, nil
}
