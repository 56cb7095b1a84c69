package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// hooks is a receiver as its owner would write one with the specification's own
// library.
type hooks struct {
	mu     sync.Mutex
	secret string
	status int // answered to what is believed
	events []string
	ids    []string
	bad    []string
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	verifier, err := standardwebhooks.NewWebhook(h.secret)
	if err == nil {
		err = verifier.Verify(body, r.Header)
	}
	var event struct{ Type string }
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	if err != nil {
		h.bad = append(h.bad, err.Error())
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h.events, h.ids = append(h.events, event.Type), append(h.ids, r.Header.Get("Webhook-Id"))
	w.WriteHeader(h.status)
}

func (h *hooks) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

// wants waits until events have come, in any order, and nothing else.
func (h *hooks) wants(t *testing.T, events ...string) {
	t.Helper()
	slices.Sort(events)
	eventually(t, soon, func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if got := slices.Sorted(slices.Values(h.events)); !slices.Equal(got, events) {
			return fmt.Errorf("the receiver has %v (refused: %v), want %v", got, h.bad, events)
		}
		return nil
	})
}

func TestWebhooksArriveSigned(t *testing.T) {
	t.Parallel()
	receiver := &hooks{status: http.StatusNoContent}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	e := startEmbedded(t, "WEBHOOK_PRIVATE_NETWORKS=127.0.0.1")

	hook := e.post("/v1/webhooks", `{"url":"`+server.URL+`/hooks","events":["image.stored","post.published"]}`).want(201).object()
	receiver.mu.Lock()
	receiver.secret, _ = hook["secret"].(string)
	receiver.mu.Unlock()
	urls, _ := hook["urls"].(map[string]any)
	url := func(name string) string { s, _ := urls[name].(string); return s }

	e.post(url("ping"), "").want(202)
	receiver.wants(t, "webhook.ping")
	job := e.post("/v1/jobs", `{"prompt":"A lighthouse at dawn"}`).want(202).object()
	e.accept(job["id"].(string))
	receiver.wants(t, "webhook.ping", "image.stored")

	// A receiver that is away hears of it when it is back, under the same id.
	receiver.answer(http.StatusServiceUnavailable)
	e.post(url("ping"), "").want(202)
	receiver.wants(t, "webhook.ping", "image.stored", "webhook.ping")
	receiver.answer(http.StatusOK)
	receiver.wants(t, "webhook.ping", "image.stored", "webhook.ping", "webhook.ping")
	receiver.mu.Lock()
	if receiver.ids[2] != receiver.ids[3] || receiver.ids[1] == receiver.ids[2] {
		t.Errorf("the ids are %v", receiver.ids)
	}
	receiver.mu.Unlock()

	// The old secret is still good while the receiver changes over.
	e.post(url("rotate"), "").want(200)
	e.post(url("ping"), "").want(202)
	receiver.wants(t, "webhook.ping", "image.stored", "webhook.ping", "webhook.ping", "webhook.ping")

	// One that wants no more says so once.
	receiver.answer(http.StatusGone)
	e.post(url("ping"), "").want(202)
	eventually(t, soon, func() error {
		if now := e.get(url("self")).want(200).object(); now["enabled"] != false || now["disabled_reason"] == "" {
			return fmt.Errorf("the webhook is %v", now)
		}
		return nil
	})
	e.post(url("ping"), "").want(409)
	e.check(embeddedBound).wantAllStored(t)
}

// Without WEBHOOK_PRIVATE_NETWORKS nothing on this machine is called.
func TestWebhooksReachNothingInside(t *testing.T) {
	t.Parallel()
	receiver := &hooks{status: http.StatusOK}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	e := startEmbedded(t)
	e.post("/v1/webhooks", `{"url":"`+server.URL+`"}`).want(422)
	hook := e.post("/v1/webhooks", `{"url":"https`+server.URL[len("http"):]+`"}`).want(201).object()
	urls, _ := hook["urls"].(map[string]any)
	e.post(urls["ping"].(string), "").want(202)
	eventually(t, soon, func() error {
		list, _ := e.get(urls["deliveries"].(string)).want(200).object()["items"].([]any)
		last, _ := list[0].(map[string]any)
		failure, _ := last["failure"].(map[string]any)
		if last["state"] != "failed" || failure["code"] != "private_address" || failure["class"] != "terminal" {
			return fmt.Errorf("the delivery is %v", last)
		}
		return nil
	})
	receiver.wants(t)
}
