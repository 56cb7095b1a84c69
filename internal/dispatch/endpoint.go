package dispatch

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// The limits of webhooks. Every endpoint costs a row for every event.
const (
	MaxEndpoints   = 20
	MaxEndpointURL = 2000               // bytes
	MaxOverlap     = 7 * 24 * time.Hour // of an old secret with the new one
)

// Events that an endpoint may ask for.
var Events = []string{
	"image.stored", "image.failed", "draft.approved", "draft.rejected", "post.published", "post.updated",
}

// EventPing is what an endpoint is sent to try it.
const EventPing = "webhook.ping"

// EndpointChange is what an operator asks of an endpoint; nil leaves a member
// as it is.
type EndpointChange struct {
	URL         *string
	Description *string
	Events      []string // nil: as they are, and all of them for a new endpoint
	Enabled     *bool
}

// CreateEndpoint adds an endpoint with a secret of its own, which the answer
// carries.
func (d *Dispatch) CreateEndpoint(ctx context.Context, c EndpointChange, caller string) (store.Endpoint, error) {
	e := store.Endpoint{ID: newID(), Events: Events, Secret: newSecret(), Enabled: true, CreatedBy: caller}
	if err := d.applyChange(&e, c); err != nil {
		return e, err
	}
	err := d.Store.InTx(ctx, func(tx *store.Tx) error {
		list, err := tx.Endpoints(ctx)
		if err != nil {
			return err
		}
		if len(list) >= MaxEndpoints {
			return editorial.Conflictf("too_many_webhooks", "there are %d webhooks already, which is the most; delete one that nobody reads", MaxEndpoints)
		}
		return tx.InsertEndpoint(ctx, &e)
	})
	return e, err
}

// ChangeEndpoint changes an endpoint. One that was disabled for its answers
// begins anew when it is enabled.
func (d *Dispatch) ChangeEndpoint(ctx context.Context, id string, c EndpointChange) (store.Endpoint, error) {
	return d.editEndpoint(ctx, id, func(e *store.Endpoint) error { return d.applyChange(e, c) })
}

// RotateSecret gives an endpoint a new secret. For as long as overlap the old
// one signs as well, so that the receiver changes over whenever it likes.
func (d *Dispatch) RotateSecret(ctx context.Context, id string, overlap time.Duration) (store.Endpoint, error) {
	return d.editEndpoint(ctx, id, func(e *store.Endpoint) error {
		e.OldSecret, e.OldSecretUntil = e.Secret, time.Now().UTC().Add(overlap)
		if overlap == 0 {
			e.OldSecret, e.OldSecretUntil = "", time.Time{}
		}
		e.Secret = newSecret()
		return nil
	})
}

// DisableEndpoint stops telling an endpoint, for a reason that its answers
// gave. An endpoint that is gone meanwhile is no error.
func (d *Dispatch) DisableEndpoint(ctx context.Context, id, reason string) error {
	_, err := d.editEndpoint(ctx, id, func(e *store.Endpoint) error {
		e.Enabled, e.DisabledReason = false, reason
		return nil
	})
	if kind(err) == editorial.NotFound {
		return nil
	}
	return err
}

// RemoveEndpoint forgets an endpoint; what is on its way to it ends.
func (d *Dispatch) RemoveEndpoint(ctx context.Context, id string) error {
	return noEndpoint(d.Store.DeleteEndpoint(ctx, id))
}

func (d *Dispatch) editEndpoint(ctx context.Context, id string, change func(*store.Endpoint) error) (e store.Endpoint, err error) {
	err = d.Store.InTx(ctx, func(tx *store.Tx) error {
		if e, err = tx.LockEndpoint(ctx, id); err != nil {
			return noEndpoint(err)
		}
		if err := change(&e); err != nil {
			return err
		}
		return tx.UpdateEndpoint(ctx, &e)
	})
	return e, err
}

func noEndpoint(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return editorial.NotFoundf("there is no webhook with this id")
	}
	return err
}

func kind(err error) editorial.Kind {
	var e *editorial.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func (d *Dispatch) applyChange(e *store.Endpoint, c EndpointChange) error {
	if c.URL != nil {
		e.URL = strings.TrimSpace(*c.URL)
	}
	if c.Description != nil {
		e.Description = *c.Description
	}
	if c.Events != nil {
		e.Events = c.Events
	}
	if c.Enabled != nil {
		e.Enabled, e.DisabledReason = *c.Enabled, ""
	}
	if err := editorial.ValidText("description", e.Description, 0, editorial.MaxTitle); err != nil {
		return err
	}
	if len(e.Events) == 0 {
		return editorial.Invalidf("events", "must name at least one of %s", strings.Join(Events, ", "))
	}
	for _, event := range e.Events {
		if !slices.Contains(Events, event) {
			return editorial.Invalidf("events", "must be of %s", strings.Join(Events, ", "))
		}
	}
	return d.checkEndpointURL(e.URL)
}

// checkEndpointURL refuses what could never be called safely. Where a name
// leads is looked at when it is dialled, every time: it may lead elsewhere by
// then.
func (d *Dispatch) checkEndpointURL(address string) error {
	if err := editorial.ValidText("url", address, 1, MaxEndpointURL); err != nil {
		return err
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return editorial.Invalidf("url", "must be an absolute URL such as https://example.com/hooks")
	case u.Scheme != "https" && u.Scheme != "http":
		return editorial.Invalidf("url", "must begin with https://")
	case u.Scheme == "http" && !d.PlainWebhooks:
		return editorial.Invalidf("url", "must begin with https://; http:// is for receivers in WEBHOOK_PRIVATE_NETWORKS")
	case u.User != nil:
		return editorial.Invalidf("url", "must not carry a user or a password; the signature says who calls")
	case u.Fragment != "":
		return editorial.Invalidf("url", "must not have a fragment")
	}
	return nil
}

// newSecret is a signing secret as the Standard Webhooks specification writes
// it: 32 random bytes behind a prefix by which a leaked one is recognised.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}

// Ping sends an endpoint an event that says nothing, to try it.
func (d *Dispatch) Ping(ctx context.Context, endpointID string) (store.Delivery, error) {
	var delivery store.Delivery
	err := d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		e, err := tx.LockEndpoint(ctx, endpointID)
		if err != nil {
			return noEndpoint(err)
		}
		if !e.Enabled {
			return editorial.Conflictf("webhook_disabled", "the webhook is disabled; enable it first")
		}
		t := tidings{kind: EventPing, data: map[string]any{"webhook_id": e.ID}}
		delivery = t.delivery(e.ID)
		return queueDelivery(ctx, tx, delivery, after)
	})
	if err != nil {
		return store.Delivery{}, err
	}
	return d.Store.Delivery(ctx, delivery.ID)
}

// Resend sends an event to an endpoint again, under the event's own id: one
// that is pending at once, one that has ended as a new delivery, so that what
// came of the first stays to be seen.
func (d *Dispatch) Resend(ctx context.Context, endpointID, deliveryID string) (store.Delivery, error) {
	old, err := d.Store.Delivery(ctx, deliveryID)
	if errors.Is(err, store.ErrNotFound) || err == nil && old.Target != endpointID {
		return store.Delivery{}, editorial.NotFoundf("this webhook has no delivery with this id")
	}
	if err != nil {
		return store.Delivery{}, err
	}
	id := old.ID
	err = d.inTx(ctx, func(tx *store.Tx, after *aftermath) error {
		e, err := tx.LockEndpoint(ctx, endpointID)
		if err != nil {
			return noEndpoint(err)
		}
		if !e.Enabled {
			return editorial.Conflictf("webhook_disabled", "the webhook is disabled; enable it first")
		}
		if old.State == store.DeliveryPending {
			epoch, err := tx.HastenDelivery(ctx, old.ID)
			if errors.Is(err, store.ErrNotFound) {
				return nil // it is being sent at this moment, or has just ended
			}
			after.bells = append(after.bells, deliveryBell(old.ID, epoch))
			return err
		}
		again := old
		again.ID = newID()
		id = again.ID
		return queueDelivery(ctx, tx, again, after)
	})
	if err != nil {
		return store.Delivery{}, fmt.Errorf("resend: %w", err)
	}
	return d.Store.Delivery(ctx, id)
}
