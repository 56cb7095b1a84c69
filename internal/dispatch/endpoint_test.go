package dispatch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// endpoint adds a webhook for events; none is all of them.
func (b *bench) endpoint(events ...string) store.Endpoint {
	b.t.Helper()
	url := "https://example.com/hooks"
	e, err := b.CreateEndpoint(b.t.Context(), dispatch.EndpointChange{URL: &url, Events: events}, "olga")
	b.must(err)
	return e
}

// sent is what was queued for an endpoint, oldest first.
func (b *bench) sent(e store.Endpoint) []store.Delivery {
	b.t.Helper()
	list, err := b.store.Deliveries(b.t.Context(), store.DeliveryFilter{Target: e.ID, Limit: 100})
	b.must(err)
	slices.SortFunc(list, func(a, b store.Delivery) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func eventsOf(list []store.Delivery) string {
	names := make([]string, len(list))
	for i, d := range list {
		names[i] = d.Event
	}
	return strings.Join(names, " ")
}

func TestEventsAreWrittenForWhoeverAskedForThem(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		all, posts := b.endpoint(), b.endpoint("post.published")
		draft := b.draft("A quiet harbour", nil)
		job := b.submit(draft, 2)
		b.fail(job.Images[0].ID)
		_, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Reviewer: "jane", Feedback: "more sky"})
		b.must(err)
		b.approve(draft)
		b.must(b.storeImage(job.Images[1].ID))

		got := b.sent(all)
		if want := "image.failed draft.rejected draft.approved image.stored post.published"; eventsOf(got) != want {
			t.Fatalf("events %s, want %s", eventsOf(got), want)
		}
		if want := "post.published"; eventsOf(b.sent(posts)) != want {
			t.Errorf("who asked for posts is told %s, want %s", eventsOf(b.sent(posts)), want)
		}
		ids := make(map[string]bool)
		for _, d := range got {
			data, _ := d.Payload["data"].(map[string]any)
			if d.EventID() == "" || d.Payload["type"] != d.Event || d.Payload["timestamp"] == nil || data["draft_id"] != draft {
				t.Errorf("payload of %s is %v", d.Event, d.Payload)
			}
			ids[d.EventID()] = true
		}
		if len(ids) != len(got) {
			t.Errorf("%d ids for %d events", len(ids), len(got))
		}
		if other := b.sent(posts)[0]; other.EventID() != got[4].EventID() || other.ID == got[4].ID {
			t.Error("an event has two ids, or two deliveries have one")
		}
		if n := len(b.queue.told()); n != 7 { // the site's own front end is told of the post
			t.Errorf("%d deliveries were rung, want 7", n)
		}
	})
}

// What was rolled back was never told.
func TestADecisionThatFailsTellsNobody(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		e := b.endpoint()
		draft := b.draft("A quiet harbour", nil)
		b.can.none = true // the round that an approval would start cannot be answered
		if _, err := b.Decide(t.Context(), dispatch.Decision{DraftID: draft, Approved: true, Reviewer: "jane"}); err == nil {
			t.Fatal("approved without any generator")
		}
		if got := b.sent(e); len(got) != 0 {
			t.Errorf("told %s", eventsOf(got))
		}
	})
}

func TestADisabledEndpointIsToldNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		e := b.endpoint()
		b.must(b.DisableEndpoint(t.Context(), e.ID, "it answers 410"))
		b.must(b.DisableEndpoint(t.Context(), uuid.NewString(), "gone meanwhile"))
		b.fail(b.submit("", 1).Images[0].ID)
		if got := b.sent(e); len(got) != 0 {
			t.Errorf("told %s", eventsOf(got))
		}
		if _, err := b.Ping(t.Context(), e.ID); codeOf(err) != "webhook_disabled" {
			t.Errorf("Ping = %v, want webhook_disabled", err)
		}
		yes := true
		e, err := b.ChangeEndpoint(t.Context(), e.ID, dispatch.EndpointChange{Enabled: &yes})
		b.must(err)
		if !e.Enabled || e.DisabledReason != "" || len(e.Events) != len(dispatch.Events) {
			t.Errorf("enabled again it is %+v", e)
		}
		b.fail(b.submit("", 1).Images[0].ID)
		if want := "image.failed"; eventsOf(b.sent(e)) != want {
			t.Errorf("told %s, want %s", eventsOf(b.sent(e)), want)
		}
	})
}

func TestRotatingKeepsTheOldSecretForAWhile(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		e := b.endpoint()
		rotated, err := b.RotateSecret(t.Context(), e.ID, time.Hour)
		b.must(err)
		now := time.Now()
		if got := rotated.Secrets(now); len(got) != 2 || got[0] == e.Secret || got[1] != e.Secret {
			t.Errorf("secrets %v, want a new one and %s", got, e.Secret)
		}
		read, err := b.store.Endpoint(t.Context(), e.ID)
		b.must(err)
		if got := read.Secrets(now.Add(61 * time.Minute)); len(got) != 1 || got[0] != rotated.Secret {
			t.Errorf("after the overlap %v, want the new one alone", got)
		}
		stolen, err := b.RotateSecret(t.Context(), e.ID, 0)
		b.must(err)
		if got := stolen.Secrets(now); len(got) != 1 || got[0] == rotated.Secret {
			t.Errorf("without an overlap %v, want a new one alone", got)
		}
	})
}

func TestResend(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		e, other := b.endpoint(), b.endpoint()
		_, err := b.Ping(t.Context(), e.ID)
		b.must(err)
		first := b.sent(e)[0]
		if first.Event != dispatch.EventPing || first.State != store.DeliveryPending {
			t.Errorf("the ping is %+v", first)
		}
		hastened, err := b.Resend(t.Context(), e.ID, first.ID)
		b.must(err)
		if hastened.ID != first.ID || hastened.Epoch != 1 {
			t.Errorf("a pending delivery became %s at epoch %d, want itself at 1", hastened.ID, hastened.Epoch)
		}
		claimed, err := b.ClaimDelivery(t.Context(), first.ID)
		b.must(err)
		claimed.Status = 500
		b.must(b.EndDelivery(t.Context(), claimed, editorial.NewFailure("not_delivered", editorial.StageNotify, editorial.Transient, e.ID, "500")))
		again, err := b.Resend(t.Context(), e.ID, first.ID)
		b.must(err)
		if again.ID == first.ID || again.EventID() != first.EventID() || again.State != store.DeliveryPending || again.Attempt != 0 || again.Failure != nil {
			t.Errorf("sent again it is %+v, want a new delivery of the same event", again)
		}
		kept, err := b.store.Delivery(t.Context(), first.ID)
		b.must(err)
		if kept.State != store.DeliveryFailed || kept.Status != 500 || kept.Failure == nil {
			t.Errorf("what came of the first is %+v", kept)
		}
		told := b.queue.told()
		if last := told[len(told)-1]; last.ID != again.ID {
			t.Errorf("rung %+v, want the new delivery", last)
		}
		if _, err := b.Resend(t.Context(), other.ID, first.ID); kindOf(err) != editorial.NotFound {
			t.Errorf("another webhook's delivery: %v, want not found", err)
		}
		b.must(b.RemoveEndpoint(t.Context(), e.ID))
		if _, err := b.Resend(t.Context(), e.ID, first.ID); kindOf(err) != editorial.NotFound {
			t.Errorf("a deleted webhook: %v, want not found", err)
		}
	})
}

func TestWebhookURLs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for url, good := range map[string]bool{
			"https://example.com/hooks?x=1": true, "https://[2001:db8::1]:8443/": true,
			"http://example.com": false, "ftp://example.com": false, "https://": false, "https:///x": false, "example.com": false,
			"https://user:pw@example.com": false, "https://example.com/#x": false, "": false, "javascript:alert(1)": false,
			"https://" + strings.Repeat("x", dispatch.MaxEndpointURL): false,
		} {
			_, err := b.CreateEndpoint(t.Context(), dispatch.EndpointChange{URL: &url}, "olga")
			if good && err != nil || !good && kindOf(err) != editorial.Invalid {
				t.Errorf("%.60q: %v, want good %v", url, err, good)
			}
		}
		for range dispatch.MaxEndpoints - 2 {
			b.endpoint()
		}
		url := "https://example.com/"
		if _, err := b.CreateEndpoint(t.Context(), dispatch.EndpointChange{URL: &url}, "olga"); codeOf(err) != "too_many_webhooks" {
			t.Errorf("number %d: %v, want too_many_webhooks", dispatch.MaxEndpoints+1, err)
		}
	})
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		e := b.endpoint()
		for range 2 {
			_, err := b.Ping(t.Context(), e.ID)
			b.must(err)
		}
		d, err := b.ClaimDelivery(t.Context(), b.sent(e)[0].ID)
		b.must(err)
		b.must(b.EndDelivery(t.Context(), d, nil))
		n, err := b.store.ForgetDeliveries(t.Context(), -time.Minute)
		if n != 1 || err != nil || len(b.sent(e)) != 1 {
			t.Errorf("forgot %d (%v) and kept %s; want the one that has ended to go", n, err, fmt.Sprint(eventsOf(b.sent(e))))
		}
	})
}
