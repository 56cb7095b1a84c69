package v1

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Webhook is somebody outside who is told of events.
type Webhook struct {
	ID             string      `json:"id" format:"uuid"`
	URL            string      `json:"url"`
	Description    string      `json:"description,omitempty"`
	Events         []string    `json:"events" enum:"image.stored,image.failed,draft.approved,draft.rejected,post.published,post.updated" nullable:"false"`
	Enabled        bool        `json:"enabled"`
	DisabledReason string      `json:"disabled_reason,omitempty" doc:"Why it was disabled, when nobody did it: it answered 410"`
	Secret         string      `json:"secret,omitempty" doc:"Signs what is sent. Only in the answers that made it: keep it" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	OldSecretUntil *time.Time  `json:"old_secret_until,omitempty" doc:"Until then the secret before the last rotation signs as well"`
	CreatedBy      string      `json:"created_by"`
	CreatedAt      time.Time   `json:"created_at"`
	UpdatedAt      time.Time   `json:"updated_at"`
	URLs           WebhookURLs `json:"urls"`
}

// WebhookURLs are the paths to go on with.
type WebhookURLs struct {
	Self       string `json:"self"`
	Rotate     string `json:"rotate"`
	Ping       string `json:"ping"`
	Deliveries string `json:"deliveries"`
}

// NewWebhook is the body of POST /v1/webhooks.
type NewWebhook struct {
	URL         string   `json:"url" minLength:"1" maxLength:"2000" doc:"With https, of a public host; WEBHOOK_PRIVATE_NETWORKS allows others"`
	Description string   `json:"description,omitempty" maxLength:"200"`
	Events      []string `json:"events,omitempty" enum:"image.stored,image.failed,draft.approved,draft.rejected,post.published,post.updated" minItems:"1" nullable:"false" doc:"Left out: all of them"`
}

// WebhookChange is the body of PATCH /v1/webhooks/{id}: what is left out stays.
type WebhookChange struct {
	URL         *string  `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Description *string  `json:"description,omitempty" maxLength:"200"`
	Events      []string `json:"events,omitempty" enum:"image.stored,image.failed,draft.approved,draft.rejected,post.published,post.updated" minItems:"1" nullable:"false"`
	Enabled     *bool    `json:"enabled,omitempty"`
}

// Rotation is the body of POST /v1/webhooks/{id}/rotate.
type Rotation struct {
	OverlapSeconds *int `json:"overlap_seconds,omitempty" minimum:"0" maximum:"604800" default:"86400" doc:"How long the old secret signs as well. 0: it was stolen, and ends at once"`
}

// defaultOverlap gives a receiver a day to change over.
const defaultOverlap = 24 * time.Hour

func viewWebhook(e store.Endpoint) Webhook {
	self := "/v1/webhooks/" + e.ID
	v := Webhook{
		ID: e.ID, URL: e.URL, Description: e.Description, Events: e.Events, Enabled: e.Enabled, DisabledReason: e.DisabledReason,
		CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
		URLs: WebhookURLs{Self: self, Rotate: self + "/rotate", Ping: self + "/ping", Deliveries: self + "/deliveries"},
	}
	if e.OldSecret != "" && time.Now().Before(e.OldSecretUntil) {
		v.OldSecretUntil = &e.OldSecretUntil
	}
	return v
}

type webhookOutput struct {
	Status       int
	CacheControl string `header:"Cache-Control"`
	Location     string `header:"Location"`
	Body         Webhook
}

// webhookAnswer is never stored on the way: it may hold a secret.
func webhookAnswer(e store.Endpoint, status int, withSecret bool) *webhookOutput {
	out := &webhookOutput{Status: status, CacheControl: "no-store", Body: viewWebhook(e)}
	if withSecret {
		out.Body.Secret = e.Secret
	}
	return out
}

type createWebhookInput struct{ Body NewWebhook }

func (a *API) createWebhook(ctx context.Context, in *createWebhookInput) (*webhookOutput, error) {
	e, err := a.Dispatch.CreateEndpoint(ctx, dispatch.EndpointChange{
		URL: &in.Body.URL, Description: &in.Body.Description, Events: in.Body.Events,
	}, caller(ctx))
	if err != nil {
		return nil, err
	}
	out := webhookAnswer(e, 201, true)
	out.Location = out.Body.URLs.Self
	return out, nil
}

type webhookIDInput struct {
	ID string `path:"id" doc:"The webhook's id"`
}

func (a *API) getWebhook(ctx context.Context, in *webhookIDInput) (*webhookOutput, error) {
	e, err := a.readWebhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return webhookAnswer(e, 200, false), nil
}

func (a *API) readWebhook(ctx context.Context, id string) (store.Endpoint, error) {
	e, err := a.Store.Endpoint(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return e, editorial.NotFoundf("there is no webhook with this id")
	}
	return e, err
}

// WebhookList is every webhook, oldest first.
type WebhookList struct {
	Items []Webhook `json:"items" nullable:"false"`
}

type listWebhooksOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         WebhookList
}

func (a *API) listWebhooks(ctx context.Context, _ *struct{}) (*listWebhooksOutput, error) {
	list, err := a.Store.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	out := &listWebhooksOutput{CacheControl: "no-store", Body: WebhookList{Items: []Webhook{}}}
	for _, e := range list {
		out.Body.Items = append(out.Body.Items, viewWebhook(e))
	}
	return out, nil
}

type changeWebhookInput struct {
	ID   string `path:"id" doc:"The webhook's id"`
	Body WebhookChange
}

func (a *API) changeWebhook(ctx context.Context, in *changeWebhookInput) (*webhookOutput, error) {
	e, err := a.Dispatch.ChangeEndpoint(ctx, in.ID, dispatch.EndpointChange{
		URL: in.Body.URL, Description: in.Body.Description, Events: in.Body.Events, Enabled: in.Body.Enabled,
	})
	if err != nil {
		return nil, err
	}
	return webhookAnswer(e, 200, false), nil
}

func (a *API) deleteWebhook(ctx context.Context, in *webhookIDInput) (*struct{}, error) {
	return nil, a.Dispatch.RemoveEndpoint(ctx, in.ID)
}

type rotateInput struct {
	ID   string `path:"id" doc:"The webhook's id"`
	Body *Rotation
}

func (a *API) rotateWebhook(ctx context.Context, in *rotateInput) (*webhookOutput, error) {
	overlap := defaultOverlap
	if in.Body != nil && in.Body.OverlapSeconds != nil {
		overlap = time.Duration(*in.Body.OverlapSeconds) * time.Second
	}
	e, err := a.Dispatch.RotateSecret(ctx, in.ID, overlap)
	if err != nil {
		return nil, err
	}
	return webhookAnswer(e, 200, true), nil
}

// WebhookDelivery is one event on its way to one webhook.
type WebhookDelivery struct {
	ID            string             `json:"id" format:"uuid"`
	EventID       string             `json:"event_id" format:"uuid" doc:"The webhook-id header: one for an event, however often it is sent"`
	Event         string             `json:"event" example:"image.stored"`
	State         string             `json:"state" enum:"pending,delivered,failed"`
	Attempt       int                `json:"attempt" doc:"Tries so far"`
	Status        int                `json:"status,omitempty" doc:"HTTP status of the last answer; absent when none came"`
	Failure       *editorial.Failure `json:"failure,omitempty" doc:"What was wrong with the last try"`
	NextAttemptAt *time.Time         `json:"next_attempt_at,omitempty" doc:"While it is pending"`
	CreatedAt     time.Time          `json:"created_at"`
	FinalizedAt   *time.Time         `json:"finalized_at,omitempty"`
	Payload       map[string]any     `json:"payload" doc:"The body that is sent"`
	URLs          DeliveryURLs       `json:"urls"`
}

// DeliveryURLs are the paths to go on with.
type DeliveryURLs struct {
	Resend string `json:"resend"`
}

func viewDelivery(d store.Delivery) WebhookDelivery {
	v := WebhookDelivery{
		ID: d.ID, EventID: d.EventID(), Event: d.Event, State: string(d.State), Attempt: d.Attempt, Status: d.Status,
		Failure: d.Failure, CreatedAt: d.CreatedAt, FinalizedAt: timeOrNil(d.FinalizedAt), Payload: d.Payload,
		URLs: DeliveryURLs{Resend: "/v1/webhooks/" + d.Target + "/deliveries/" + d.ID + "/resend"},
	}
	if d.State == store.DeliveryPending {
		v.NextAttemptAt = timeOrNil(d.NextAttemptAt)
	}
	return v
}

type deliveryOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         WebhookDelivery
}

func (a *API) pingWebhook(ctx context.Context, in *webhookIDInput) (*deliveryOutput, error) {
	d, err := a.Dispatch.Ping(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &deliveryOutput{CacheControl: "no-store", Body: viewDelivery(d)}, nil
}

type resendInput struct {
	ID       string `path:"id" doc:"The webhook's id"`
	Delivery string `path:"delivery" doc:"The delivery's id"`
}

func (a *API) resendDelivery(ctx context.Context, in *resendInput) (*deliveryOutput, error) {
	d, err := a.Dispatch.Resend(ctx, in.ID, in.Delivery)
	if err != nil {
		return nil, err
	}
	return &deliveryOutput{CacheControl: "no-store", Body: viewDelivery(d)}, nil
}

type listDeliveriesInput struct {
	ID     string `path:"id" doc:"The webhook's id"`
	State  string `query:"state" enum:"pending,delivered,failed"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before, with the same filter"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// DeliveryList is a page of deliveries, newest first.
type DeliveryList struct {
	Items      []WebhookDelivery `json:"items" nullable:"false"`
	NextCursor string            `json:"next_cursor,omitempty" doc:"Absent on the last page"`
}

type listDeliveriesOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         DeliveryList
}

func (a *API) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*listDeliveriesOutput, error) {
	e, err := a.readWebhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	scope := fmt.Sprintf("deliveries %q %q", e.ID, in.State)
	at, err := a.openCursor(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.Store.Deliveries(ctx, store.DeliveryFilter{
		Target: e.ID, State: store.DeliveryState(in.State), Before: at.Before, BeforeID: at.ID, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listDeliveriesOutput{CacheControl: "no-store", Body: DeliveryList{Items: []WebhookDelivery{}}}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := list[in.Limit-1]
		out.Body.NextCursor = a.sealCursor(scope, cursor{Before: last.CreatedAt, ID: last.ID})
	}
	for _, d := range list {
		out.Body.Items = append(out.Body.Items, viewDelivery(d))
	}
	return out, nil
}
