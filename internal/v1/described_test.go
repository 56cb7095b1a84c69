package v1_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// description is docs/openapi.json, read by somebody who has never heard of
// huma.
type description struct {
	compiler *jsonschema.Compiler
	paths    map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Responses   map[string]struct {
			Content map[string]json.RawMessage `json:"content"`
		} `json:"responses"`
	}
}

func readDescription(t *testing.T) description {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "docs", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct{ Paths json.RawMessage }
	d := description{compiler: jsonschema.NewCompiler()}
	if err := json.Unmarshal(file, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(parsed.Paths, &d.paths); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(strings.NewReader(string(file)))
	if err != nil {
		t.Fatal(err)
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020) // OpenAPI 3.1's
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	return d
}

// schema is that of an answer, by a JSON pointer into the file.
func (d description) schema(t *testing.T, method, path, status, mediaType string) *jsonschema.Schema {
	t.Helper()
	pointer := ""
	for _, step := range []string{"paths", path, strings.ToLower(method), "responses", status, "content", mediaType, "schema"} {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~", "~0"), "/", "~1")
		pointer += "/" + url.PathEscape(step)
	}
	schema, err := d.compiler.Compile("openapi.json#" + pointer)
	if err != nil {
		t.Fatalf("%s %s answers %s with %s, which is not described: %v", method, path, status, mediaType, err)
	}
	return schema
}

// Every golden answer has the form that docs/openapi.json gives it, and every
// operation has a golden answer.
func TestGoldenAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("the answers are being written")
	}
	d := readDescription(t)
	files, err := filepath.Glob(filepath.Join("testdata", "*.golden.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	shown := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(text), "\n\n")
		lines := strings.Split(head, "\n")
		method, path, _ := strings.Cut(lines[0], " ")
		mediaType := ""
		for _, line := range lines[2:] {
			if value, ok := strings.CutPrefix(line, "Content-Type: "); ok {
				mediaType = value
			}
		}
		answer, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := d.schema(t, method, path, lines[1], mediaType).Validate(answer); err != nil {
			t.Errorf("%s is not as %s %s is described:\n%v", file, method, path, err)
		}
		if status, err := strconv.Atoi(lines[1]); err == nil && status < 300 {
			shown[d.paths[path][strings.ToLower(method)].OperationID] = true
		}
	}
	noBody := []string{"watchJob", "watchAll", "deleteWebhook"} // streams, and 204
	for path, methods := range d.paths {
		for method, operation := range methods {
			if !shown[operation.OperationID] && !slices.Contains(noBody, operation.OperationID) {
				t.Errorf("%s %s (%s) has no golden answer", strings.ToUpper(method), path, operation.OperationID)
			}
		}
	}
}

// The test above has been seen red: an answer with a member too many, one too
// few, or a wrong form is found.
func TestAWrongAnswerIsNotAsDescribed(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	schema := d.schema(t, http.MethodGet, "/v1/webhooks", "200", "application/json")
	const good = `{"id":"00000000-0000-7000-8000-000000000001","url":"u","events":[],"enabled":true,"created_by":"op",` +
		`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z","urls":{"self":"","rotate":"","ping":"","deliveries":""}}`
	for item, right := range map[string]bool{
		good: true,
		strings.Replace(good, `"enabled":true`, `"enabled":true,"more":1`, 1):              false,
		strings.Replace(good, `"enabled":true,`, ``, 1):                                    false,
		strings.Replace(good, `"events":[]`, `"events":["image.exploded"]`, 1):             false,
		strings.Replace(good, `"created_at":"2026-01-02T03:04:05Z"`, `"created_at":""`, 1): false,
		strings.Replace(good, `00000000-`, `0-`, 1):                                        false,
	} {
		answer, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"items":[` + item + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(answer); (err == nil) != right {
			t.Errorf("%s: %v, want right %v", item, err, right)
		}
	}
}

// The golden answers of routes whose tests look at other things.
func TestRejectedAndRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("draft-1", "A lighthouse at dawn")
	golden(t, "draft_rejected", w.do("POST", "/v1/drafts/draft-1/reject", map[string]any{"reason": "more sky"}))
	job := w.submit(map[string]any{"seed": 5})
	w.finish(job.Candidates[0].ID)
	golden(t, "job_repeated", w.do("POST", job.URLs.Self+"/again", map[string]any{"seed": "same"}))
}
