package webhook_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/webhook"
)

func TestRevalidateSendsTheSitesForm(t *testing.T) {
	t.Parallel()
	var body map[string][]string
	var secret, method string
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		secret, method = r.Header.Get("x-revalidate-secret"), r.Method
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("body: %v", err)
		}
	}))
	defer site.Close()
	r := webhook.NewRevalidator(site.URL+"/api/revalidate", "s3cret")
	if err := r.Revalidate(t.Context(), webhook.PathsOf("why-lighthouses-blink")); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"paths": {"/", "/archive", "/posts/why-lighthouses-blink"}}
	if diff := cmp.Diff(want, body); diff != "" || secret != "s3cret" || method != http.MethodPost {
		t.Errorf("%s with secret %q, body (-want +got):\n%s", method, secret, diff)
	}
}

func TestRevalidateTellsWhatIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"refused":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"broken":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"redirected": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := httptest.NewServer(answer)
			defer site.Close()
			err := webhook.NewRevalidator(site.URL, "s3cret").Revalidate(t.Context(), []string{"/"})
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want an error without the secret", err)
			}
		})
	}
}
