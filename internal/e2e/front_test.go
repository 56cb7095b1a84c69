package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// front is an HTTP server before another one. It passes everything on until a
// fault is set, and it can be away altogether.
type front struct {
	t    testing.TB
	addr string
	url  string
	next http.Handler

	mu     sync.Mutex
	server *http.Server
	fault  fault
	lifted chan struct{}       // closed when the fault ends: frees those that hang
	puts   map[string][]string // key -> digests that clients signed for it
}

// fault answers a request in the place of next.
type fault func(f *front, w http.ResponseWriter, r *http.Request)

func startFront(t testing.TB, next http.Handler) *front {
	t.Helper()
	f := &front{t: t, addr: testenv.FreeAddr(t), next: next, puts: make(map[string][]string)}
	f.url = "http://" + f.addr
	f.up()
	t.Cleanup(func() { f.set(nil); f.down() })
	return f
}

func (f *front) up() {
	f.t.Helper()
	// A program that another test is starting holds every socket of this process
	// for the moment between its fork and its exec.
	var l net.Listener
	eventually(f.t, soon, func() (err error) {
		l, err = net.Listen("tcp", f.addr)
		return err
	})
	server := &http.Server{Handler: f}
	go server.Serve(l)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = server
}

// down refuses connections and breaks those there are.
func (f *front) down() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.server.Close() // the listener is gone either way
}

// set begins a fault and ends the one before; nil is none.
func (f *front) set(x fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lifted != nil {
		close(f.lifted)
		f.lifted = nil
	}
	if f.fault = x; x != nil {
		f.lifted = make(chan struct{})
	}
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if _, key, ok := strings.Cut(r.URL.Path, "/generated/"); ok && r.Method == http.MethodPut {
		f.puts["generated/"+key] = append(f.puts["generated/"+key], r.Header.Get("X-Amz-Content-Sha256"))
	}
	x := f.fault
	f.mu.Unlock()
	if x == nil {
		f.next.ServeHTTP(w, r)
		return
	}
	x(f, w, r)
}

// bodies are the digests that were ever put under each key.
func (f *front) bodies() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.puts)
}

// hang holds a request until its client gives up or the fault ends.
func (f *front) hang(r *http.Request) {
	f.mu.Lock()
	lifted := f.lifted
	f.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
	select {
	case <-lifted:
	case <-r.Context().Done():
	}
}

// s3Proxy passes on to an S3 server, with the host that was signed.
func s3Proxy(t testing.TB, endpoint string) http.Handler {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
}

func originOf(gw blobtest.Gateway) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(gw.Endpoint), UsePathStyle: true, Region: gw.Region,
		Credentials: credentials.NewStaticCredentialsProvider(gw.AccessKeyID, gw.SecretAccessKey, ""),
	})
}

// edgeOf serves a private bucket to everybody, as a CDN does: what is not there
// is a 403, since the CDN may not list.
func edgeOf(gw blobtest.Gateway) http.Handler {
	origin := originOf(gw)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		object, err := origin.GetObject(r.Context(), &s3.GetObjectInput{
			Bucket: &gw.Bucket, Key: aws.String(strings.TrimPrefix(r.URL.Path, "/")),
		})
		if err != nil {
			http.Error(w, "AccessDenied", http.StatusForbidden)
			return
		}
		defer object.Body.Close()
		w.Header().Set("Content-Type", aws.ToString(object.ContentType))
		w.Header().Set("Cache-Control", aws.ToString(object.CacheControl))
		_, _ = io.Copy(w, object.Body) // a reader that has gone
	})
}

// answers is a fault in S3's own words.
func answers(status int, code string) fault {
	return func(_ *front, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code><Message>no</Message></Error>", code)
	}
}

func hangsBeforeHeaders(f *front, _ http.ResponseWriter, r *http.Request) { f.hang(r) }

// hangsInTheBody sends a part of an answer and then nothing.
func hangsInTheBody(status int) fault {
	return func(f *front, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<?xml")
		_ = http.NewResponseController(w).Flush()
		f.hang(r)
	}
}

// resets breaks the connection off.
func resets(_ *front, w http.ResponseWriter, _ *http.Request) { reset(w) }

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset and not an orderly end
	}
	conn.Close()
}

// losesReplies has the server do everything and tells nobody.
func losesReplies(f *front, w http.ResponseWriter, r *http.Request) {
	f.next.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
	reset(w)
}

// forbidsFirst answers the first n requests of each path with 403, as a CDN does
// that has remembered an answer from before.
func forbidsFirst(n int) fault {
	var mu sync.Mutex
	asked := make(map[string]int)
	return func(f *front, w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		early := asked[r.URL.Path] <= n
		mu.Unlock()
		if early {
			http.Error(w, "AccessDenied", http.StatusForbidden)
			return
		}
		f.next.ServeHTTP(w, r)
	}
}

// servesOtherBytes flips one bit of every answer.
func servesOtherBytes(f *front, w http.ResponseWriter, r *http.Request) {
	got := httptest.NewRecorder()
	f.next.ServeHTTP(got, r)
	body := slices.Clone(got.Body.Bytes())
	if len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	maps.Copy(w.Header(), got.Header())
	w.WriteHeader(got.Code)
	_, _ = w.Write(body)
}

// gatewayHead asks the S3 server itself for an object's headers and metadata.
func (s *site) gatewayHead(key string) map[string]string {
	s.t.Helper()
	head, err := originOf(s.gateway).HeadObject(s.t.Context(), &s3.HeadObjectInput{Bucket: &s.gateway.Bucket, Key: &key})
	if err != nil {
		s.t.Fatal(err)
	}
	m := map[string]string{"content-type": aws.ToString(head.ContentType), "cache-control": aws.ToString(head.CacheControl)}
	maps.Copy(m, head.Metadata)
	return m
}
