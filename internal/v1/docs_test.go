package v1_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/v1"
)

// The file in docs/ is what clients generate their types from; this test keeps
// it what the program serves.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *v1.Config) { c.Version = "" })
	a := w.do("GET", "/openapi.json", nil)
	compare(t, filepath.Join("..", "..", "docs", "openapi.json"), string(a.body))
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		if bytes.Contains(a.body, []byte(name)) {
			t.Errorf("the description speaks of huma's own %s", name)
		}
	}
}

func TestEveryReferenceInOpenAPIResolves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var spec struct {
		OpenAPI    string `json:"openapi"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	a := w.do("GET", "/openapi.json", nil)
	a.decode(t, &spec)
	if !strings.HasPrefix(spec.OpenAPI, "3.1.") {
		t.Errorf("openapi %q, want 3.1", spec.OpenAPI)
	}
	refs := regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(a.body, -1)
	if len(refs) == 0 {
		t.Fatal("no references")
	}
	for _, ref := range refs {
		if spec.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
}

func TestDocsNeedNoNetworkAndNoScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.do("GET", "/docs", nil)
	page := string(a.body)
	for _, forbidden := range []string{"<script", "style=", "<style", "http://", "https://", "src="} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page contains %s", forbidden)
		}
	}
	for _, wanted := range []string{"/v1/jobs/{id}/events", "Idempotency-Key", "3 to 500 characters", `id="object-Problem"`, "picture_failed"} {
		if !strings.Contains(page, wanted) {
			t.Errorf("the page lacks %s", wanted)
		}
	}
	ids := make(map[string]bool)
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("id %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads to #%s, which is nowhere", m[1])
		}
	}
	if css := w.do("GET", "/docs/style.css", nil); css.StatusCode != 200 || !strings.HasPrefix(css.Header.Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: %d %s", css.StatusCode, css.Header.Get("Content-Type"))
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	golden(t, "capabilities", newWorld(t).do("GET", "/v1/capabilities", nil))
}
