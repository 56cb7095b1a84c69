package cdn_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

const picture = "the very bytes"

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}

func serve(t testing.TB, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(handle)
	srv.Config.BaseContext = func(net.Listener) context.Context { return t.Context() }
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// flush sends what a handler has written so far.
func flush(w http.ResponseWriter) { w.(http.Flusher).Flush() }

func TestVerify(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		handle http.HandlerFunc
		code   string // empty: verified
		config bool
		says   string
	}{
		{"the picture", text(picture), "", false, ""},
		{"the picture in chunks", func(w http.ResponseWriter, r *http.Request) {
			text(picture[:5])(w, r)
			flush(w)
			text(picture[5:])(w, r)
		}, "", false, ""},
		{"not there yet", status(404), cdn.CodeNotFoundYet, false, "404"},
		{"not there yet, as CloudFront says it", status(403), cdn.CodeNotFoundYet, false, "403"},
		{"a password", status(401), cdn.CodeForbidden, true, "PUBLIC_BASE_URL"},
		{"trouble", status(503), cdn.CodeUnavailable, false, "503"},
		{"a part only", status(206), cdn.CodeUnavailable, false, "206"},
		{"other bytes of the same length", text("the VERY bytes"), cdn.CodeDigestMismatch, false, "PUBLIC_BASE_URL"},
		{"an error page with 200", text("<html>oops"), cdn.CodeDigestMismatch, false, "text/html"},
		{"nothing", text(""), cdn.CodeDigestMismatch, false, "0 bytes"},
		{"one byte more", text(picture + "!"), cdn.CodeDigestMismatch, false, "more than 14"},
		{"compressed all the same", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "\x1f\x8b...")
		}, cdn.CodeDigestMismatch, false, "gzip"},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(picture)))
			_, _ = io.WriteString(w, picture[:5])
		}, cdn.CodeUnreachable, false, "broke off"},
		{"to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/x", http.StatusFound)
		}, cdn.CodeRedirected, true, "elsewhere.example"},
		{"round and round", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, cdn.CodeRedirected, true, "sends readers"},
		{"a redirect to its own host", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "" {
				http.Redirect(w, r, r.URL.Path+"?final", http.StatusMovedPermanently)
				return
			}
			text(picture)(w, r)
		}, "", false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/prefix/"+key || r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("asked for %s with Accept-Encoding %q", r.URL.Path, r.Header.Get("Accept-Encoding"))
				}
				test.handle(w, r)
			})
			d := distribution(t, cdn.Config{PublicBaseURL: srv.URL + "/prefix", Bucket: "b"})
			wantError(t, d.Verify(t.Context(), key, sum(picture), int64(len(picture))), test.code, test.config, test.says)
		})
	}
}

func wantError(t testing.TB, err error, code string, config bool, says string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Errorf("Verify = %v, want nil", err)
		}
		return
	}
	var e *cdn.Error
	if !errors.As(err, &e) {
		t.Fatalf("Verify = %v, want a *cdn.Error with code %s", err, code)
	}
	if e.Code != code || e.Config != config || !strings.Contains(e.Message, says) || e.Class != editorial.Transient {
		t.Errorf("Verify = %+v, want %s (configuration error %v) that says %q", e, code, config, says)
	}
}

func TestVerifyPrivateBucket(t *testing.T) {
	t.Parallel()
	srv := serve(t, status(403))
	d := distribution(t, cdn.Config{Bucket: "pictures", Endpoint: srv.URL})
	err := d.Verify(t.Context(), key, sum(picture), 14)
	wantError(t, err, cdn.CodePrivateBucket, true, "the bucket is private and no CDN is configured")
}

func TestVerifyEndlessBodyIsLeft(t *testing.T) {
	t.Parallel()
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	d := distribution(t, cdn.Config{PublicBaseURL: srv.URL, Bucket: "b"})
	wantError(t, d.Verify(t.Context(), key, sum(picture), 14), cdn.CodeDigestMismatch, false, "more than 14")
}

func TestVerifyTimeouts(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"before the headers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"in the body": func(w http.ResponseWriter, r *http.Request) {
			text(picture[:5])(w, r)
			flush(w)
			<-r.Context().Done()
		},
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := distribution(t, cdn.Config{PublicBaseURL: serve(t, handle).URL, Bucket: "b", Timeout: 200 * time.Millisecond})
			wantError(t, d.Verify(t.Context(), key, sum(picture), 14), cdn.CodeTimeout, false, "PUBLIC_BASE_URL")
		})
	}
}

func TestVerifyUnreachable(t *testing.T) {
	t.Parallel()
	srv := serve(t, text(picture))
	d := distribution(t, cdn.Config{PublicBaseURL: srv.URL, Bucket: "b"})
	srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, d.Verify(t.Context(), key, sum(picture), 14), cdn.CodeUnreachable, false, u.Host)
}

func TestVerifyCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	err := distribution(t, cdn.Config{PublicBaseURL: srv.URL, Bucket: "b"}).Verify(ctx, key, sum(picture), 14)
	var e *cdn.Error
	if !errors.As(err, &e) || e.Class != editorial.Canceled || !errors.Is(err, context.Canceled) {
		t.Errorf("Verify = %v, want canceled", err)
	}
}

// TestVerifyLocal asks the handler itself; nothing listens at the public name.
func TestVerifyLocal(t *testing.T) {
	t.Parallel()
	local := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/images/"+key {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(picture))
	})
	for _, base := range []string{"", "https://nobody.invalid/blog"} {
		d := distribution(t, cdn.Config{Local: local, PublicBaseURL: base})
		wantError(t, d.Verify(t.Context(), key, sum(picture), 14), "", false, "")
		wantError(t, d.Verify(t.Context(), key, sum("other"), 14), cdn.CodeDigestMismatch, false, "local directory")
		wantError(t, d.Verify(t.Context(), key, sum(picture), 5), cdn.CodeDigestMismatch, false, "more than 5")
		wantError(t, d.Verify(t.Context(), key+"x", sum(picture), 14), cdn.CodeNotFoundYet, false, "DATA_DIR")
	}
}
