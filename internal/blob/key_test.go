package blob_test

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
)

const id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

func ExampleNewKey() {
	key, err := blob.NewKey(time.Unix(1702851234, 0), "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "png")
	if err != nil {
		fmt.Println(err)
		return
	}
	small, err := key.Rendition(640, "webp")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key, key.ContentType())
	fmt.Println(small, small.ContentType())
	// Output:
	// generated/1702851234-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png image/png
	// generated/1702851234-3f2504e0-4f89-41d3-9a0c-0305e82c3301.png-640.webp image/webp
}

func TestNewKeyRefuses(t *testing.T) {
	t.Parallel()
	at := time.Unix(1702851234, 0)
	tests := []struct {
		name    string
		at      time.Time
		id, ext string
	}{
		{"before 1970", time.Unix(-1, 0), id, "png"},
		{"the zero time", time.Time{}, id, "png"},
		{"no id", at, "", "png"},
		{"upper-case id, a second name on some disks", at, strings.ToUpper(id), "png"},
		{"an id that climbs", at, "../../../../../../../../../../etc/pass", "png"},
		{"no extension", at, id, ""},
		{"a dotted extension", at, id, ".png"},
		{"a type that browsers run", at, id, "svg"},
		{"an extension that makes it a rendition", at, id, "png-640.webp"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if key, err := blob.NewKey(test.at, test.id, test.ext); err == nil {
				t.Errorf("NewKey(%v, %q, %q) = %q, want an error", test.at, test.id, test.ext, key)
			}
		})
	}
}

func TestRendition(t *testing.T) {
	t.Parallel()
	key, err := blob.NewKey(time.Unix(0, 0), id, "jpg")
	if err != nil {
		t.Fatal(err)
	}
	small, err := key.Rendition(1280, "jpg")
	if err != nil {
		t.Fatal(err)
	}
	if small.Original() != key {
		t.Errorf("Original(%s) = %s, want %s", small, small.Original(), key)
	}
	if again, err := small.Rendition(640, "webp"); err != nil || again.Original() != key {
		t.Errorf("a rendition's rendition = %s, %v, want one of %s", again, err, key)
	}
	for _, width := range []int{-640, 0, 100_000} {
		if got, err := key.Rendition(width, "webp"); err == nil {
			t.Errorf("Rendition(%d) = %s, want an error", width, got)
		}
	}
	if got, err := key.Rendition(640, "png"); err == nil {
		t.Errorf("a png rendition = %s, want an error", got)
	}
}

func TestCanaryIsAKey(t *testing.T) {
	t.Parallel()
	if _, err := blob.ParseKey(string(blob.Canary)); err != nil {
		t.Error(err)
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{
		"generated/1702851234-" + id + ".png", "generated/1702851234-" + id + ".png-640.webp", string(blob.Canary),
		"generated/../" + id, "generated/01-" + id + ".png", "generated/1-" + id + ".png\n", "/generated/1-" + id + ".png",
		"generated/1-" + id + ".png%00", "generated\\1-" + id + ".png", "generated/1-" + id + ".png-640.webp-640.webp",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := blob.ParseKey(s)
		if err != nil {
			return
		}
		if string(key) != s {
			t.Fatalf("ParseKey(%q) = %q", s, key)
		}
		if path.Clean(s) != s || path.IsAbs(s) || url.PathEscape(path.Base(s)) != path.Base(s) || !strings.HasPrefix(s, "generated/") {
			t.Errorf("key %q is not fit for paths and URLs as it stands", s)
		}
		if o := key.Original(); !strings.HasPrefix(s, string(o)) || o.Original() != o {
			t.Errorf("Original(%q) = %q", s, o)
		}
		if ct := key.ContentType(); ct == "" || ct == "application/octet-stream" {
			t.Errorf("ContentType(%q) = %q", s, ct)
		}
	})
}
