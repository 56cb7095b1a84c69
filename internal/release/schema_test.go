package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The list of contents is what CycloneDX's own schema allows; the schema comes
// with the module that writes it.
func TestContentsFitTheSchemaOfCycloneDX(t *testing.T) {
	t.Parallel()
	dir, bin := tree(t)
	file := filepath.Join(dir, "a.json")
	if err := writeContents(file, bin, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	list := decoded(t, read(t, file))
	schema := schemaOf(t, list.(map[string]any)["specVersion"].(string))
	if err := schema.Validate(list); err != nil {
		t.Error(err)
	}
	wrong := bytes.Replace(read(t, file), []byte(`"type": "library"`), []byte(`"type": "bookshelf"`), 1)
	if schema.Validate(decoded(t, wrong)) == nil {
		t.Error("a component of no known type is taken, so this test looks at nothing")
	}
}

func schemaOf(t *testing.T, version string) *jsonschema.Schema {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	const at = "http://cyclonedx.org/schema/"
	c := jsonschema.NewCompiler()
	for name, file := range map[string]string{
		"bom-" + version + ".schema.json": "bom-" + version + ".schema.json",
		"jsf-0.82.schema.json":            "jsf-0.82.schemax.json",
		"spdx.schema.json":                "spdx.schema.json",
	} {
		b := read(t, filepath.Join(strings.TrimSpace(string(out)), "schema", file))
		if err := c.AddResource(at+name, decoded(t, b)); err != nil {
			t.Fatal(err)
		}
	}
	// The module leaves out the names of ciphers, and we list none.
	ciphers := decoded(t, []byte(`{"definitions":{"algorithmFamiliesEnum":false,"ellipticCurvesEnum":false}}`))
	if err := c.AddResource(at+"cryptography-defs.schema.json", ciphers); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(at + "bom-" + version + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func decoded(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
