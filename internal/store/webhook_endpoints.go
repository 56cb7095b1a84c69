package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Endpoint is somebody outside who is told of events.
type Endpoint struct {
	ID          string
	URL         string
	Description string
	Events      []string // the types it is told of
	Secret      string
	// OldSecret is the one before the last rotation; it signs as well until
	// OldSecretUntil.
	OldSecret      string
	OldSecretUntil time.Time
	Enabled        bool
	DisabledReason string // why it is not enabled, where nobody chose it
	CreatedBy      string
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Secrets are those that sign at a moment, the present one first.
func (e *Endpoint) Secrets(at time.Time) []string {
	if e.OldSecret != "" && at.Before(e.OldSecretUntil) {
		return []string{e.Secret, e.OldSecret}
	}
	return []string{e.Secret}
}

// Wants reports whether the endpoint is to be told of an event.
func (e *Endpoint) Wants(event string) bool { return e.Enabled && slices.Contains(e.Events, event) }

type endpointRow struct {
	ID             string             `db:"id"`
	URL            string             `db:"url"`
	Description    string             `db:"description"`
	Events         document[[]string] `db:"events"`
	Secret         string             `db:"secret"`
	OldSecret      text               `db:"old_secret"`
	OldSecretUntil stamp              `db:"old_secret_until"`
	Enabled        bool               `db:"enabled"`
	DisabledReason string             `db:"disabled_reason"`
	CreatedBy      string             `db:"created_by"`
	CreatedAt      stamp              `db:"created_at"`
	UpdatedAt      stamp              `db:"updated_at"`
}

const endpointColumns = `id, url, description, events, secret, old_secret, old_secret_until, enabled, disabled_reason,
	created_by, created_at, updated_at`

func (r *endpointRow) endpoint() Endpoint {
	return Endpoint{
		ID: r.ID, URL: r.URL, Description: r.Description, Events: r.Events.V, Secret: r.Secret, OldSecret: string(r.OldSecret),
		OldSecretUntil: r.OldSecretUntil.Time, Enabled: r.Enabled, DisabledReason: r.DisabledReason,
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
}

// InsertEndpoint adds an endpoint and fills in its times.
func (t *Tx) InsertEndpoint(ctx context.Context, e *Endpoint) error {
	var now stamp
	err := t.one(ctx, &now, `INSERT INTO webhook_endpoints
		(id, url, description, events, secret, enabled, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, {now}, {now}) RETURNING created_at`,
		e.ID, e.URL, e.Description, doc(e.Events), e.Secret, e.Enabled, e.CreatedBy)
	if err != nil {
		return fmt.Errorf("insert webhook endpoint: %w", err)
	}
	e.CreatedAt, e.UpdatedAt = now.Time, now.Time
	return nil
}

// Endpoint returns an endpoint, or ErrNotFound.
func (r *Reader) Endpoint(ctx context.Context, id string) (Endpoint, error) {
	return r.endpointWhere(ctx, id, ``)
}

// LockEndpoint is Endpoint whose row is held until the transaction ends.
func (t *Tx) LockEndpoint(ctx context.Context, id string) (Endpoint, error) {
	return t.endpointWhere(ctx, id, ` {lock}`)
}

func (r *Reader) endpointWhere(ctx context.Context, id, lock string) (Endpoint, error) {
	if !isUUID(id) {
		return Endpoint{}, fmt.Errorf("read webhook endpoint %q: %w", id, ErrNotFound)
	}
	var row endpointRow
	if err := r.one(ctx, &row, `SELECT `+endpointColumns+` FROM webhook_endpoints WHERE id = ?`+lock, id); err != nil {
		return Endpoint{}, fmt.Errorf("read webhook endpoint %s: %w", id, err)
	}
	return row.endpoint(), nil
}

// Endpoints returns every endpoint, oldest first.
func (r *Reader) Endpoints(ctx context.Context) ([]Endpoint, error) {
	var rows []endpointRow
	if err := r.all(ctx, &rows, `SELECT `+endpointColumns+` FROM webhook_endpoints ORDER BY created_at, id`); err != nil {
		return nil, fmt.Errorf("list webhook endpoints: %w", err)
	}
	list := make([]Endpoint, len(rows))
	for i := range rows {
		list[i] = rows[i].endpoint()
	}
	return list, nil
}

// UpdateEndpoint writes whatever of an endpoint can change.
func (t *Tx) UpdateEndpoint(ctx context.Context, e *Endpoint) error {
	var now stamp
	err := t.one(ctx, &now, `UPDATE webhook_endpoints SET url = ?, description = ?, events = ?, secret = ?, old_secret = ?,
		old_secret_until = ?, enabled = ?, disabled_reason = ?, updated_at = {now} WHERE id = ? RETURNING updated_at`,
		e.URL, e.Description, doc(e.Events), e.Secret, text(e.OldSecret), stamp{e.OldSecretUntil}, e.Enabled, e.DisabledReason, e.ID)
	if err != nil {
		return fmt.Errorf("update webhook endpoint %s: %w", e.ID, err)
	}
	e.UpdatedAt = now.Time
	return nil
}

// DeleteEndpoint deletes an endpoint, or returns ErrNotFound. What was on its
// way to it ends as undeliverable.
func (s *Store) DeleteEndpoint(ctx context.Context, id string) error {
	if !isUUID(id) {
		return fmt.Errorf("delete webhook endpoint %q: %w", id, ErrNotFound)
	}
	n, err := s.exec(ctx, `DELETE FROM webhook_endpoints WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("delete webhook endpoint %s: %w", id, err)
	}
	if n == 0 {
		return fmt.Errorf("delete webhook endpoint %s: %w", id, ErrNotFound)
	}
	return nil
}
