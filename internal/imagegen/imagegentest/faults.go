package imagegentest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// hang keeps an answer back until the client goes away. The body is read
// first: only then does net/http notice that.
func hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func testHung(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	b.fail(func(_ http.ResponseWriter, r *http.Request) { hang(r) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.gen.Generate(ctx, Request())
	if e := failed(t, err); e.Class != editorial.Transient || e.Unreachable {
		t.Errorf("error = %#v, want a transient one that counts", e)
	}
}

// slowly passes the server's answer on in pieces, with a pause between them.
func slowly(b *bench) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		b.Handler.ServeHTTP(whole, r)
		maps.Copy(w.Header(), whole.Header())
		w.WriteHeader(whole.Code)
		for piece := range slices.Chunk(whole.Body.Bytes(), 1+whole.Body.Len()/4) {
			_, _ = w.Write(piece)
			_ = http.NewResponseController(w).Flush()
			<-time.After(5 * time.Millisecond)
		}
	}
}

func testSlow(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	b.fail(slowly(b))
	got, err := b.gen.Generate(within(t), Request())
	if err != nil || !bytes.Equal(got.Bytes, PNG()) {
		t.Errorf("Generate = %d bytes, %v; want the picture", len(got.Bytes), err)
	}
}

// endless is held by one test at a time: each reads as much as a picture may
// have.
var endless sync.Mutex

// The bytes stop when the client has had enough of them.
func testEndless(t *testing.T, h Harness) {
	endless.Lock()
	defer endless.Unlock()
	b := start(t, h, PNG())
	sent := make(chan int64, 100)
	b.fail(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"images":["`)
		block, total := bytes.Repeat([]byte("A"), 1<<20), int64(0)
		for r.Context().Err() == nil && total < 1<<30 {
			n, err := w.Write(block)
			total += int64(n)
			if err != nil {
				break
			}
		}
		sent <- total
	})
	_, err := b.gen.Generate(within(t), Request())
	_ = failed(t, err)
	if total := <-sent; total > 200<<20 {
		t.Errorf("%d MB were read of an answer that never ends", total>>20)
	}
}

// An address that leads elsewhere may lead to a private one, or take a key
// there.
func testRedirect(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		b.fail(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		_, err := b.gen.Generate(within(t), Request())
		if e := failed(t, err); e.Class != editorial.Terminal {
			t.Errorf("status %d: error = %#v, want a terminal one", status, e)
		}
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func testRefused(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	b.close()
	_, err := b.gen.Generate(within(t), Request())
	if e := failed(t, err); !e.Unreachable || e.Class != editorial.Transient {
		t.Errorf("error = %#v, want it transient and unreachable", e)
	}
}

func testStatuses(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	for class, statuses := range map[editorial.Class][]int{
		editorial.Transient: {408, 425, 429, 500, 502, 503, 504},
		editorial.Terminal:  {400, 401, 403, 404, 422},
	} {
		for _, status := range statuses {
			for _, body := range []string{"", `{"detail":"no","error":"no"}`, "<html>no</html>", `{"error":{"message":"no"}}`, `[1]`, "null"} {
				b.fail(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
					_, _ = io.WriteString(w, body)
				})
				_, err := b.gen.Generate(within(t), Request())
				if e := failed(t, err); e.Class != class || e.Unreachable {
					t.Errorf("status %d %s: error = %#v, want %s", status, body, e, class)
				}
			}
		}
	}
}

func testRetryAfter(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	b.fail(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := b.gen.Generate(within(t), Request())
	if e := failed(t, err); e.RetryAfter != 7*time.Second {
		t.Errorf("RetryAfter = %v, want the server's 7s", e.RetryAfter)
	}
}

func testCut(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	for name, cut := range map[string]http.HandlerFunc{
		"before the answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"in the answer": func(w http.ResponseWriter, r *http.Request) {
			whole := httptest.NewRecorder()
			b.Handler.ServeHTTP(whole, r)
			w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()+1))
			w.WriteHeader(whole.Code)
			_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		},
	} {
		b.fail(cut)
		_, err := b.gen.Generate(within(t), Request())
		if e := failed(t, err); e.Class != editorial.Transient || e.Unreachable {
			t.Errorf("cut %s: error = %#v, want a transient one that counts", name, e)
		}
	}
}

func testNonsense(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	for _, body := range []string{
		"", "null", "{}", "[]", "0", `"text"`, "<html>sign in</html>", `{"images":`, `{"images":null,"data":null,"photos":null}`,
		`{"images":[""],"data":[{}],"photos":[{}]}`, `{"id":"","filename":"","prompt_id":""}`, `{"id":"..","filename":"../..","prompt_id":".."}`,
		`{"images":[{}],"data":[7],"photos":[7]}`, "\xff\xfe\x00",
	} {
		b.fail(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		got, err := b.gen.Generate(within(t), Request())
		if err == nil {
			t.Errorf("answer %q: Generate = %d bytes, want an error", body, len(got.Bytes))
			continue
		}
		_ = failed(t, err)
	}
}

func testNoPicture(t *testing.T, h Harness) {
	for name, picture := range map[string][]byte{"empty": {}, "a web page": []byte("<html>no</html>")} {
		b := start(t, h, picture)
		got, err := b.gen.Generate(within(t), Request())
		if err == nil {
			t.Errorf("%s: Generate = %d bytes, want an error", name, len(got.Bytes))
			continue
		}
		_ = failed(t, err)
	}
}

func testHealth(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	if err := b.gen.Health(within(t)); err != nil {
		t.Errorf("Health of a server that is up: %v", err)
	}
	if got := b.Asked(); len(got) != 0 {
		t.Errorf("Health paid for %v", got)
	}
	b.fail(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	_ = failed(t, b.gen.Health(within(t)))
	b.fail(func(_ http.ResponseWriter, r *http.Request) { hang(r) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = failed(t, b.gen.Health(ctx))
	b.close()
	if e := failed(t, b.gen.Health(within(t))); !e.Unreachable {
		t.Errorf("Health of a server that is down: %#v, want unreachable", e)
	}
}

func testSecret(t *testing.T, h Harness) {
	b := start(t, h, PNG())
	for _, status := range []int{200, 302, 400, 401, 500} {
		b.fail(func(w http.ResponseWriter, r *http.Request) {
			said := fmt.Sprintf(`"%s %s %s"`, Secret, r.URL, r.Header.Get("Authorization"))
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":{"message":%s,"code":%s},"detail":%s,"status":%s,"id":%s}`, said, said, said, said, said)
		})
		_, err := b.gen.Generate(within(t), Request())
		_ = failed(t, err)
	}
}
