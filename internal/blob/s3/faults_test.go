package s3_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/blob/s3"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// store is an S3 server that misbehaves as told.
type store struct {
	*httptest.Server
	puts atomic.Int64
}

func newStore(t testing.TB, handle http.HandlerFunc) *store {
	t.Helper()
	s := &store{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.puts.Add(1)
		handle(w, r)
	}))
	// A server with an unread body does not notice that its client has left, so
	// the handlers that hang are released by the end of the test.
	s.Config.BaseContext = func(net.Listener) context.Context { return t.Context() }
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *store) config() s3.Config {
	return s3.Config{
		Bucket: "pictures", Endpoint: s.URL, AccessKeyID: "id", SecretAccessKey: "secret",
	}
}

func refuse(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		if code != "" {
			fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, code)
		}
	}
}

func hangBeforeHeaders(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// hangInBody takes the headers and not the bytes. More bytes than the sockets
// buffer are needed for the client to notice.
func hangInBody(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func reset(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		handle http.HandlerFunc
		code   string
		config bool
		puts   int64 // how often the SDK may ask by itself
	}{
		{"503 SlowDown", refuse(503, "SlowDown"), blob.CodeSlowDown, false, 3},
		{"429 without a code", refuse(429, ""), blob.CodeSlowDown, false, 1},
		{"500", refuse(500, "InternalError"), blob.CodeUnavailable, false, 3},
		{"502 from a proxy", refuse(502, ""), blob.CodeUnavailable, false, 3},
		{"403", refuse(403, "AccessDenied"), blob.CodeAccessDenied, true, 1},
		{"403 without a code", refuse(403, ""), blob.CodeAccessDenied, true, 1},
		{"401", refuse(401, ""), blob.CodeAccessDenied, true, 1},
		{"expired token", refuse(400, "ExpiredToken"), blob.CodeBadCredentials, true, 1},
		{"404 bucket", refuse(404, "NoSuchBucket"), blob.CodeNoSuchBucket, true, 1},
		{"404 of something that is no S3 server", refuse(404, ""), blob.CodeNoSuchBucket, true, 1},
		{"301 other region", refuse(301, "PermanentRedirect"), blob.CodeWrongRegion, true, 1},
		{"409", refuse(409, "ConditionalRequestConflict"), blob.CodeConflict, false, 1},
		{"400 damaged", refuse(400, "BadDigest"), blob.CodeBadDigest, false, 1},
		{"400 unheard of", refuse(400, "Mystery"), blob.CodeRefused, false, 1},
		{"507", refuse(507, ""), blob.CodeFull, false, 1},
		{"501 whatever we try", refuse(501, "NotImplemented"), blob.CodeNotSupported, true, 2},
		{"reset", reset, blob.CodeUnreachable, false, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newStore(t, test.handle)
			err := s3.New(srv.config()).Put(t.Context(), blobtest.NewObject(t, []byte("x")))
			blobtest.WantError(t, err, test.code, editorial.Transient)
			if e := blob.AsError(err); e.Config != test.config {
				t.Errorf("configuration error = %v, want %v: %v", e.Config, test.config, e)
			}
			if got := srv.puts.Load(); got != test.puts {
				t.Errorf("%d puts, want %d", got, test.puts)
			}
		})
	}
}

// When many puts fail at once the SDK runs out of tries and adds a remark about
// that. What people read is the network's answer, as always.
func TestNoAnswerReadsTheSameForEveryPut(t *testing.T) {
	t.Parallel()
	srv := newStore(t, reset)
	srv.Close()
	bucket := s3.New(srv.config())
	var all sync.WaitGroup
	for range 150 {
		all.Go(func() {
			err := bucket.Put(t.Context(), blobtest.NewObject(t, []byte("x")))
			if got, want := blob.AsError(err).Message, "no answer from "+srv.Listener.Addr().String()+": connection refused"; got != want {
				t.Errorf("a put says %q, want %q", got, want)
			}
		})
	}
	all.Wait()
}

// TestHangs has one short wait at a time: nothing else would end it for an hour.
func TestHangs(t *testing.T) {
	t.Parallel()
	const short = 200 * time.Millisecond
	tests := []struct {
		name                     string
		handle                   http.HandlerFunc
		header, attempt, overall time.Duration
	}{
		{"before the headers", hangBeforeHeaders, short, time.Hour, time.Hour},
		{"in the body", hangInBody, time.Hour, short, time.Hour},
		{"whatever the tries may take", hangInBody, time.Hour, time.Hour, short},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newStore(t, test.handle)
			cfg := srv.config()
			cfg.HeaderTimeout, cfg.AttemptTimeout, cfg.Timeout = test.header, test.attempt, test.overall
			err := s3.New(cfg).Put(t.Context(), blobtest.NewObject(t, make([]byte, 12<<20)))
			blobtest.WantError(t, err, blob.CodeTimeout, editorial.Transient)
			if got := srv.puts.Load(); got > 1 {
				t.Errorf("%d puts: a try that used up its time was repeated", got)
			}
		})
	}
}

// TestLongOutageKeepsItsName: the SDK's retry budget is spent after fifty of
// these, and the store's answer must still be told from the SDK's own.
func TestLongOutageKeepsItsName(t *testing.T) {
	t.Parallel()
	b := s3.New(newStore(t, refuse(503, "SlowDown")).config())
	var wg sync.WaitGroup
	for range 120 {
		wg.Go(func() {
			if e := blob.AsError(b.Check(t.Context())); e == nil || e.Code != blob.CodeSlowDown {
				t.Errorf("Check = %v, want %s", e, blob.CodeSlowDown)
			}
		})
	}
	wg.Wait()
}

func TestTooLargeIsTerminal(t *testing.T) {
	t.Parallel()
	for _, handle := range []http.HandlerFunc{refuse(400, "EntityTooLarge"), refuse(413, "")} {
		err := s3.New(newStore(t, handle).config()).Put(t.Context(), blobtest.NewObject(t, []byte("x")))
		blobtest.WantError(t, err, blob.CodeTooLarge, editorial.Terminal)
	}
}

// TestReplyLostAfterPut: the store has the object, the SDK asks again and meets
// its own put.
func TestReplyLostAfterPut(t *testing.T) {
	t.Parallel()
	var stored atomic.Bool
	srv := newStore(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == "*" && stored.Load() {
			refuse(412, "PreconditionFailed")(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		stored.Store(true)
		reset(w, r)
	})
	if err := s3.New(srv.config()).Put(t.Context(), blobtest.NewObject(t, []byte("once"))); err != nil {
		t.Errorf("Put = %v, want nil", err)
	}
	if got := srv.puts.Load(); got != 2 {
		t.Errorf("%d puts, want 2", got)
	}
}

func TestStoreWithoutConditions(t *testing.T) {
	t.Parallel()
	var (
		mu   sync.Mutex
		seen []string
	)
	srv := newStore(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen = append(seen, r.Header.Get("If-None-Match")+" "+string(body))
		mu.Unlock()
		if r.Header.Get("If-None-Match") != "" {
			refuse(501, "NotImplemented")(w, r)
		}
	})
	b := s3.New(srv.config())
	for range 2 {
		if err := b.Put(t.Context(), blobtest.NewObject(t, []byte("body"))); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"* body", " body", " body"}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("puts = %q, want %q: ask once, send the whole body again, remember", seen, want)
	}
}

func TestPutIsOnePlainRequest(t *testing.T) {
	t.Parallel()
	var got http.Header
	srv := newStore(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		_, _ = io.Copy(io.Discard, r.Body)
	})
	o := blobtest.NewObject(t, []byte("body"))
	if err := s3.New(srv.config()).Put(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Encoding":          "", // aws-chunked is what other stores choke on
		"X-Amz-Trailer":             "",
		"X-Amz-Checksum-Crc32":      "",
		"X-Amz-Checksum-Sha256":     "Iw2DWNyOiJC0xY3utikS7i8gNXrpKlzIYbmOaP4xrLU=",
		"X-Amz-Content-Sha256":      o.SHA256,
		"X-Amz-Meta-Task-Id":        "draft-1",
		"X-Amz-Meta-Generated-Date": "2023-12-17T22:13:54Z",
		"X-Amz-Acl":                 "", // a right that an uploader need not have
		"X-Amz-Tagging":             "",
		"If-None-Match":             "*",
	} {
		if got.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Get(name), want)
		}
	}
}

func TestCallerWhoLeavesIsNotKeptWaiting(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	srv := newStore(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		hangBeforeHeaders(w, r)
	})
	cfg := srv.config()
	cfg.HeaderTimeout, cfg.AttemptTimeout, cfg.Timeout = time.Hour, time.Hour, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	err := s3.New(cfg).Put(ctx, blobtest.NewObject(t, []byte("x")))
	blobtest.WantError(t, err, blob.CodeCanceled, editorial.Canceled)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
