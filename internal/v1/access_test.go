package v1_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/v1"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse")
	var hook v1.Webhook
	w.do("POST", "/v1/webhooks", newHook).decode(t, &hook)
	mine := w.submit(map[string]any{}, header{"Authorization", "Bearer author"})
	theirs := w.submit(map[string]any{})
	tests := []struct {
		method, path string
		body         any
		allowed      []string // of nobody, author, editor, operator
	}{
		{"GET", "/v1/jobs", nil, []string{"author", "editor", "operator"}},
		{"GET", theirs.URLs.Self, nil, []string{"author", "editor", "operator"}},
		{"GET", theirs.URLs.History, nil, []string{"author", "editor", "operator"}},
		{"GET", "/v1/drafts", nil, []string{"author", "editor", "operator"}},
		{"GET", "/v1/drafts/draft-1", nil, []string{"author", "editor", "operator"}},
		{"GET", "/v1/capabilities", nil, []string{"author", "editor", "operator"}},
		{"POST", "/v1/jobs", map[string]any{"prompt": "A lighthouse"}, []string{"author", "editor", "operator"}},
		{"POST", theirs.URLs.Self + "/retry", nil, []string{"operator"}},
		{"POST", theirs.URLs.Again, nil, []string{"editor", "operator"}},
		{"POST", mine.URLs.Again, nil, []string{"author", "editor", "operator"}},
		{"POST", theirs.URLs.Cancel, nil, []string{"editor", "operator"}},
		{"POST", mine.URLs.Cancel, nil, []string{"author", "editor", "operator"}},
		{"POST", "/v1/drafts/draft-1/approve", nil, []string{"editor", "operator"}},
		{"POST", "/v1/drafts/draft-1/reject", map[string]any{"reason": "no"}, []string{"editor", "operator"}},
		{"POST", "/v1/drafts/draft-1/choose", map[string]any{"image_id": mine.Candidates[0].ID}, []string{"editor", "operator"}},
		{"POST", "/v1/webhooks", newHook, []string{"operator"}},
		{"GET", "/v1/webhooks", nil, []string{"operator"}},
		{"GET", hook.URLs.Self, nil, []string{"operator"}},
		{"PATCH", hook.URLs.Self, `{}`, []string{"operator"}},
		{"POST", hook.URLs.Rotate, nil, []string{"operator"}},
		{"POST", hook.URLs.Ping, nil, []string{"operator"}},
		{"GET", hook.URLs.Deliveries, nil, []string{"operator"}},
		{"POST", hook.URLs.Deliveries + "/x/resend", nil, []string{"operator"}},
		{"DELETE", hook.URLs.Self, nil, []string{"operator"}},
		{"GET", "/openapi.json", nil, []string{"nobody", "author", "editor", "operator"}},
		{"GET", "/docs", nil, []string{"nobody", "author", "editor", "operator"}},
	}
	for _, test := range tests {
		for _, role := range []string{"nobody", "author", "editor", "operator"} {
			t.Run(test.method+" "+test.path+" as "+role, func(t *testing.T) {
				var headers []header
				if role != "operator" {
					headers = append(headers, header{"Authorization", "Bearer " + role})
				}
				a := w.do(test.method, test.path, test.body, headers...)
				refused := a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusForbidden
				if allowed := slices.Contains(test.allowed, role); allowed == refused {
					t.Errorf("status %d, allowed %v: %s", a.StatusCode, allowed, a.body)
				}
				if refused && role == "nobody" && a.Header.Get("WWW-Authenticate") == "" {
					t.Error("401 without WWW-Authenticate")
				}
			})
		}
	}
}

func TestRefusedCallersSendNoBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// A body that would be refused for itself: the role is looked at first.
	a := w.do("POST", "/v1/drafts/draft-1/approve", "{", header{"Authorization", "Bearer author"})
	if p := a.problem(t, http.StatusForbidden); p.Code != "role_required" {
		t.Errorf("code %q, want role_required", p.Code)
	}
	w.do("POST", "/v1/jobs", "{", header{"Authorization", "Bearer stolen"}).problem(t, http.StatusUnauthorized)
}

// Who is not known is told how to become known.
func TestMissingCredentialsSayWhatToSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.do("GET", "/v1/jobs", nil, header{"Authorization", "Bearer nobody"}).problem(t, http.StatusUnauthorized)
	if p.Code != "missing_credentials" || !strings.Contains(p.Detail, "Authorization: Bearer") || !strings.Contains(p.Detail, "API key") {
		t.Errorf("code %q, detail %q", p.Code, p.Detail)
	}
}

func TestAMissingBodyIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1/jobs", "/v1/webhooks"} {
		p := w.do("POST", path, nil).problem(t, http.StatusBadRequest)
		if p.Code != "body_missing" || len(p.Errors) != 1 || p.Errors[0].Field != "body" || !strings.Contains(p.Detail, "JSON object") {
			t.Errorf("%s: %+v", path, p)
		}
	}
}
