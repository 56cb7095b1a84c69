package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/v1"
)

const newHook = `{"url":"https://example.com/hooks","description":"The shop","events":["image.stored","post.published"]}`

func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.do("POST", "/v1/webhooks", newHook)
	var hook v1.Webhook
	created.decode(t, &hook)
	if !strings.HasPrefix(hook.Secret, "whsec_") || len(hook.Secret) < 40 {
		t.Fatalf("the secret is %q", hook.Secret)
	}
	golden(t, "webhook_created", created)
	golden(t, "webhook", w.do("GET", hook.URLs.Self, nil))
	golden(t, "webhook_list", w.do("GET", "/v1/webhooks", nil))
	for _, path := range []string{hook.URLs.Self, "/v1/webhooks"} {
		if a := w.do("GET", path, nil); strings.Contains(string(a.body), "whsec_") {
			t.Errorf("GET %s shows the secret again", path)
		}
	}
	golden(t, "webhook_changed", w.do("PATCH", hook.URLs.Self, `{"events":["image.failed"],"enabled":false}`))
	golden(t, "problem_webhook_disabled", w.do("POST", hook.URLs.Ping, nil))
	w.do("PATCH", hook.URLs.Self, `{"enabled":true}`)

	rotated := w.do("POST", hook.URLs.Rotate, nil)
	var after v1.Webhook
	rotated.decode(t, &after)
	if after.Secret == hook.Secret || after.OldSecretUntil == nil {
		t.Errorf("rotated to %q, the old one until %v", after.Secret, after.OldSecretUntil)
	}
	golden(t, "webhook_rotated", rotated)
	var stolen v1.Webhook
	w.do("POST", hook.URLs.Rotate, `{"overlap_seconds":0}`).decode(t, &stolen)
	if stolen.OldSecretUntil != nil || stolen.Secret == after.Secret {
		t.Errorf("without an overlap: %+v", stolen)
	}

	golden(t, "webhook_ping", w.do("POST", hook.URLs.Ping, nil))
	w.fail(w.submit(map[string]any{"seed": 1}).Candidates[0].ID)
	page := w.do("GET", hook.URLs.Deliveries+"?limit=1", nil)
	golden(t, "delivery_list", page)
	var list v1.DeliveryList
	page.decode(t, &list)
	if len(list.Items) != 1 || list.Items[0].Event != "image.failed" {
		t.Fatalf("deliveries %s", page.body)
	}
	golden(t, "delivery_resent", w.do("POST", list.Items[0].URLs.Resend, nil))
	var rest v1.DeliveryList
	w.do("GET", hook.URLs.Deliveries+"?limit=1&cursor="+list.NextCursor, nil).decode(t, &rest)
	if len(rest.Items) != 1 || rest.Items[0].Event != dispatch.EventPing || rest.NextCursor != "" {
		t.Errorf("the second page is %+v", rest)
	}
	w.do("GET", hook.URLs.Deliveries+"?state=failed&cursor="+list.NextCursor, nil).problem(t, 422)

	if a := w.do("DELETE", hook.URLs.Self, nil); a.StatusCode != http.StatusNoContent || len(a.body) != 0 {
		t.Errorf("deleted with %d %s", a.StatusCode, a.body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		w.do(method, hook.URLs.Self, nil).problem(t, http.StatusNotFound)
	}
	w.do("GET", hook.URLs.Deliveries, nil).problem(t, http.StatusNotFound)
	w.do("POST", hook.URLs.Rotate, nil).problem(t, http.StatusNotFound)
	w.do("POST", hook.URLs.Ping, nil).problem(t, http.StatusNotFound)
	w.do("PATCH", hook.URLs.Self, `{}`).problem(t, http.StatusNotFound)
}

func TestWebhooksRefuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, field := range map[string]string{
		`{"url":"http://example.com"}`:                                "url",
		`{"url":"https://a:b@example.com"}`:                           "url",
		`{"url":"nonsense"}`:                                          "url",
		`{"url":"https://example.com","events":["image.exploded"]}`:   "events[0]",
		`{"url":"https://example.com","events":[{}]}`:                 "events[0]",
		`{"url":"https://example.com","events":[]}`:                   "events",
		`{"url":"https://example.com","secret":"whsec_mine"}`:         "secret",
		`{"events":["image.stored"]}`:                                 "url",
		`{"url":"https://example.com","description":"a\u0000b"}`:      "description",
		`{"url":"https://` + strings.Repeat("x", 2100) + `.example"}`: "url",
	} {
		p := w.do("POST", "/v1/webhooks", body).problem(t, http.StatusUnprocessableEntity)
		if len(p.Errors) == 0 || p.Errors[0].Field != field {
			t.Errorf("%.80s blames %+v, want %s", body, p.Errors, field)
		}
	}
}

// The enum in the OpenAPI file is the list that dispatch knows.
func TestWebhookEventsAreThoseOfDispatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var hook v1.Webhook
	w.do("POST", "/v1/webhooks", map[string]any{"url": "https://example.com", "events": dispatch.Events}).decode(t, &hook)
	if len(hook.Events) != len(dispatch.Events) {
		t.Errorf("events %v, want %v", hook.Events, dispatch.Events)
	}
}
