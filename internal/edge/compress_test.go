package edge_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCompression(t *testing.T) {
	t.Parallel()
	long := `{"text":"` + strings.Repeat("a lighthouse ", 500) + `"}`
	for name, test := range map[string]struct {
		contentType, accept, body string
		compressed                bool
	}{
		"JSON":                    {"application/json", "gzip", long, true},
		"JSON with a charset":     {"application/json; charset=utf-8", "gzip, br", long, true},
		"a problem":               {"application/problem+json", "gzip", long, true},
		"a page":                  {"text/html; charset=utf-8", "gzip", long, true},
		"a short answer":          {"application/json", "gzip", `{"ok":true}`, false},
		"a client that cannot":    {"application/json", "", long, false},
		"a client that will not":  {"application/json", "gzip;q=0", long, false},
		"a PNG":                   {"image/png", "gzip", long, false},
		"a WebP":                  {"image/webp", "gzip", long, false},
		"an event stream":         {"text/event-stream", "gzip", long, false},
		"something without words": {"application/octet-stream", "gzip", long, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := around(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.Header().Set("ETag", `W/"1"`)
				_, _ = io.WriteString(w, test.body)
			})
			resp := get(t, h, "/", "Accept-Encoding", test.accept)
			if got := resp.Header.Get("Content-Encoding") == "gzip"; got != test.compressed {
				t.Fatalf("compressed %v, want %v", got, test.compressed)
			}
			if resp.Header.Get("ETag") != `W/"1"` {
				t.Errorf("ETag %q", resp.Header.Get("ETag"))
			}
			body := io.Reader(resp.Body)
			if test.compressed {
				zipped, err := gzip.NewReader(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				body = zipped
			}
			if b, err := io.ReadAll(body); err != nil || string(b) != test.body {
				t.Errorf("the body changed: %d bytes, %v", len(b), err)
			}
		})
	}
}

func TestEventStreamsAreNotHeldBack(t *testing.T) {
	t.Parallel()
	read := make(chan struct{})
	h, _ := around(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-read
	})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(read) })
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	event := make([]byte, 9)
	if _, err := io.ReadFull(resp.Body, event); err != nil || string(event) != "data: 1\n\n" {
		t.Errorf("read %q, %v", event, err)
	}
}
