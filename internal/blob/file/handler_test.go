package file_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/blob/file"
)

func withPicture(t testing.TB) (b *file.Bucket, path string) {
	t.Helper()
	b = open(t, t.TempDir())
	o := blobtest.NewObject(t, []byte("0123456789"))
	if err := b.Put(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return b, "/images/" + string(o.Key)
}

func TestHandlerServes(t *testing.T) {
	t.Parallel()
	b, path := withPicture(t)
	etag := get(t, b, "HEAD", path, nil).Header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) {
		t.Fatalf("ETag = %s, want a strong one", etag)
	}
	tests := []struct {
		name, method string
		header       http.Header
		status       int
		body         string
	}{
		{"whole", "GET", nil, 200, "0123456789"},
		{"head", "HEAD", nil, 200, ""},
		{"range", "GET", http.Header{"Range": {"bytes=2-4"}}, 206, "234"},
		{"range of the same bytes", "GET", http.Header{"Range": {"bytes=2-4"}, "If-Range": {etag}}, 206, "234"},
		{"range of other bytes", "GET", http.Header{"Range": {"bytes=2-4"}, "If-Range": {`"other"`}}, 200, "0123456789"},
		{"unchanged", "GET", http.Header{"If-None-Match": {etag}}, 304, ""},
		{"changed", "GET", http.Header{"If-None-Match": {`"other"`}}, 200, "0123456789"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resp := get(t, b, test.method, path, test.header)
			if got := body(t, resp); resp.StatusCode != test.status || got != test.body {
				t.Errorf("%s = %d %q, want %d %q", test.method, resp.StatusCode, got, test.status, test.body)
			}
			if cc := resp.Header.Get("Cache-Control"); cc != blob.CacheControl {
				t.Errorf("Cache-Control = %q", cc)
			}
			if test.status == 200 && resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("browsers may guess another type")
			}
		})
	}
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	b, path := withPicture(t)
	other := strings.Replace(path, "1702851234", "1702851235", 1)
	tests := []struct {
		name, method, path string
		status             int
	}{
		{"unknown key", "GET", other, 404},
		{"post", "POST", path, 405},
		{"delete", "DELETE", path, 405},
		{"the directory", "GET", "/images/generated/", 404},
		{"the root", "GET", "/images/", 404},
		{"without the prefix", "GET", strings.TrimPrefix(path, "/images"), 404},
		{"climbing", "GET", "/images/../../etc/passwd", 404},
		{"climbing, encoded slash", "GET", "/images/..%2f..%2fetc%2fpasswd", 404},
		{"climbing, encoded dots", "GET", "/images/%2e%2e/%2e%2e/etc/passwd", 404},
		{"climbing, backslashes", "GET", `/images/..%5c..%5cetc%5cpasswd`, 404},
		{"the key, once encoded", "GET", strings.Replace(path, "generated/", "generated%2f", 1), 404},
		{"the key, a letter encoded", "GET", strings.Replace(path, "generated", "%67enerated", 1), 404},
		{"the key and a NUL", "GET", path + "%00", 404},
		{"the key and a slash", "GET", path + "/", 404},
		{"double slash", "GET", strings.Replace(path, "/generated", "//generated", 1), 404},
		{"a temporary file", "GET", "/images/.part-ABC", 404},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resp := get(t, b, test.method, test.path, nil)
			if resp.StatusCode != test.status {
				t.Errorf("%s %s = %d, want %d", test.method, test.path, resp.StatusCode, test.status)
			}
			if cc := resp.Header.Get("Cache-Control"); cc != "no-store" {
				t.Errorf("Cache-Control = %q, want no-store: the key may exist in a moment", cc)
			}
		})
	}
}

func FuzzHandlerPath(f *testing.F) {
	b, path := withPicture(f)
	for _, s := range []string{path, "/images/..%2f", "/images/generated/%00", "/images//etc/passwd", `/images/\..\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		resp := get(t, b, "GET", "/"+strings.TrimLeft(p, "/"), nil)
		if resp.StatusCode == http.StatusOK && body(t, resp) != "0123456789" {
			t.Errorf("GET %q served something that was never put", p)
		}
		if resp.StatusCode >= 500 {
			t.Errorf("GET %q = %d", p, resp.StatusCode)
		}
	})
}
