package siteapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden.json")

// What is another on every run, and the name that it gets instead.
var (
	anyUUID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyTime   = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	anyDigest = regexp.MustCompile(`[0-9a-f]{64}`)
	anyKey    = regexp.MustCompile(`generated/\d{10}-`)
)

// steady names the ids of an answer in the order in which they come.
func steady(body []byte) []byte {
	body = anyDigest.ReplaceAll(body, []byte("<sha256>"))
	body = anyKey.ReplaceAll(body, []byte("generated/<unix>-"))
	body = anyTime.ReplaceAll(body, []byte("<time>"))
	names := make(map[string]string)
	return anyUUID.ReplaceAllFunc(body, func(id []byte) []byte {
		if names[string(id)] == "" {
			names[string(id)] = fmt.Sprintf("<id %d>", len(names)+1)
		}
		return []byte(names[string(id)])
	})
}

// golden compares an answer, order of keys and nulls included, with
// testdata/<name>.golden.json.
func (a answer) golden(t *testing.T, name string) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, steady(a.body), "", "  "); err != nil {
		t.Fatalf("%s: %v\n%s", a.what, err, a.body)
	}
	path := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s differs from %s (-want +got):\n%s", a.what, path, diff)
	}
}
