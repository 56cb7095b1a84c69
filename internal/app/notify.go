package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/webhook"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

const (
	// notifiers is how many targets are told at once: calls that mostly wait.
	notifiers = 4
	// lookForTargets is how often a worker with nobody to tell looks whether an
	// operator has named somebody.
	lookForTargets = 5 * time.Second
	// keepDeliveries is how long it can be seen what came of a delivery.
	keepDeliveries = 30 * 24 * time.Hour
)

// runNotifying tells others of events. Without anybody to tell there is no
// server either: an idle one still asks Redis for work.
func (a *App) runNotifying(ctx context.Context) error {
	if !a.awaitTargets(ctx) {
		return nil
	}
	n := &worker.Notifier{
		Rows: a.dispatch, Targets: map[string]worker.Target{}, MaxWait: a.pace.maxWait, Log: a.log, Metrics: a.metrics,
		Endpoints: &endpoints{rows: a.store, disable: a.dispatch.DisableEndpoint, sender: webhook.NewSender(a.cfg.WebhookNetworks...)},
	}
	if r := a.revalidator(); r != nil {
		n.Targets[dispatch.TargetRevalidate] = revalidation{r}
	}
	return a.serve(ctx, queue.ServerConfig{
		Queues:      map[string]int{tasks.QueueNotify: 1},
		Concurrency: notifiers,
		Handlers:    map[string]queue.HandlerFunc{tasks.TypeNotify: n.Notify},
		Grace:       a.cfg.ShutdownGrace, Log: a.log, Tracing: a.tracing,
	})
}

// awaitTargets waits until there is somebody to tell; false when ctx ends
// first.
func (a *App) awaitTargets(ctx context.Context) bool {
	if !a.cfg.RevalidateURL.IsZero() {
		return true
	}
	ticker := time.NewTicker(lookForTargets)
	defer ticker.Stop()
	for {
		list, err := a.store.Endpoints(ctx)
		if err == nil && len(list) > 0 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C: // a database that is away is looked at again
		}
	}
}

// revalidation tells the site's front end of a post by its slug.
type revalidation struct{ *webhook.Revalidator }

// Deliver implements worker.Target.
func (r revalidation) Deliver(ctx context.Context, d store.Delivery) (int, error) {
	data, _ := d.Payload["data"].(map[string]any)
	slug, _ := data["slug"].(string)
	return r.Tell(ctx, webhook.PathsOf(slug))
}

// endpoints tells whoever an operator named, as their rows say at that moment.
type endpoints struct {
	rows interface {
		Endpoint(ctx context.Context, id string) (store.Endpoint, error)
	}
	disable func(ctx context.Context, id, reason string) error
	sender  *webhook.Sender
}

// Deliver implements worker.Target.
func (e *endpoints) Deliver(ctx context.Context, d store.Delivery) (int, error) {
	row, err := e.rows.Endpoint(ctx, d.Target)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, &webhook.Final{Code: "webhook_deleted", Message: "the webhook was deleted"}
	case err != nil:
		return 0, err
	case !row.Enabled:
		return 0, &webhook.Final{Code: "webhook_disabled", Message: "the webhook is disabled"}
	}
	body, err := json.Marshal(d.Payload) // its members sorted: every try sends the same bytes
	if err != nil {
		return 0, err
	}
	status, err := e.sender.Send(ctx, row.URL, row.Secrets(time.Now()), webhook.Message{ID: d.EventID(), Body: body})
	var final *webhook.Final
	if errors.As(err, &final) && final.Code == webhook.CodeGone {
		// Before the delivery ends: should we die in between, the next try is
		// answered the same.
		if err := e.disable(ctx, row.ID, final.Message); err != nil {
			return status, err
		}
	}
	return status, err
}
