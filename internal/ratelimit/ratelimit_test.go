package ratelimit

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 12, 0, 43, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// request comes from an address.
func request(addr string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = net.JoinHostPort(addr, "4711")
	return r
}

func ada() *auth.Identity { return &auth.Identity{Subject: "ada", Role: auth.Author} }

// admitted counts how many of n requests pass.
func admitted(t *testing.T, p *Pace, n int, addr string, id *auth.Identity) int {
	t.Helper()
	passed := 0
	for range n {
		err := p.Admit(request(addr), id)
		if err == nil {
			passed++
			continue
		}
		var e *editorial.Error
		if !errors.As(err, &e) || e.Kind != editorial.Limited || e.Code != "rate_limited" {
			t.Fatalf("Admit() = %v, want Limited", err)
		}
	}
	return passed
}

func TestACallerHasSoManyAMinute(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := New(Config{Requests: 10, Log: quiet(), Now: c.now})
	if n := admitted(t, p, 15, "192.0.2.1", ada()); n != 10 {
		t.Errorf("%d of 15 pass, want 10", n)
	}
	if n := admitted(t, p, 1, "198.51.100.9", ada()); n != 0 {
		t.Error("from another address the caller has as many again")
	}
	if n := admitted(t, p, 1, "192.0.2.1", &auth.Identity{Subject: "bob"}); n != 1 {
		t.Error("another caller of the address is refused too")
	}
	if n := admitted(t, p, 1, "192.0.2.1", nil); n != 1 {
		t.Error("a stranger of the address is refused too")
	}
	c.pass(16 * time.Second)
	if n := admitted(t, p, 1, "192.0.2.1", ada()); n != 0 {
		t.Error("a second before the minute is over one passes")
	}
	c.pass(time.Second)
	if n := admitted(t, p, 15, "192.0.2.1", ada()); n != 10 {
		t.Errorf("in the next minute %d of 15 pass, want 10", n)
	}
}

func TestTheRefusalSaysWhenToGoOn(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := New(Config{Requests: 1, Log: quiet(), Now: c.now})
	admitted(t, p, 1, "192.0.2.1", ada())
	var e *editorial.Error
	if err := p.Admit(request("192.0.2.1"), ada()); !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Details["retry_after"] != 17 || e.Details["limit"] != 1 || !strings.Contains(e.Message, "RATE_LIMIT") || !strings.Contains(e.Message, "17 s") {
		t.Errorf("at 43 s of the minute: %q, %v", e.Message, e.Details)
	}
}

func TestTheAnswerTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := New(Config{Requests: 100, Log: quiet(), Now: c.now})
	as := func(id *auth.Identity) http.Header {
		method := auth.Paced(p, func(*http.Request) (*auth.Identity, error) { return id, nil })
		rec := httptest.NewRecorder()
		fail := func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusTeapot) }
		auth.Authenticator{method}.Optional(fail)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(rec, request("192.0.2.1"))
		return rec.Result().Header
	}
	as(ada())
	h := as(ada())
	if got, want := h.Get("RateLimit-Policy"), `"caller";q=100;w=60`; got != want {
		t.Errorf("RateLimit-Policy: %s, want %s", got, want)
	}
	if got, want := h.Get("RateLimit"), `"caller";r=98;t=17`; got != want {
		t.Errorf("RateLimit: %s, want %s", got, want)
	}
	if got, want := as(nil).Get("RateLimit"), `"address";r=99;t=17`; got != want {
		t.Errorf("a stranger's RateLimit: %s, want %s", got, want)
	}
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	p := New(Config{Log: quiet()})
	for range 1000 {
		p.Failed(request("192.0.2.1"))
	}
	if n := admitted(t, p, 1000, "192.0.2.1", nil); n != 1000 || p.Try(request("192.0.2.1")) != nil {
		t.Errorf("without a limit %d of 1000 pass, Try = %v", n, p.Try(request("192.0.2.1")))
	}
}

func TestAnIPv6NetworkIsOneAddress(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := New(Config{Requests: 2, Log: quiet(), Now: c.now})
	if n := admitted(t, p, 1, "2001:db8::1", nil) + admitted(t, p, 2, "2001:db8::ffff:2", nil); n != 2 {
		t.Errorf("one network passes %d times, want 2", n)
	}
	if n := admitted(t, p, 1, "2001:db8:0:1::1", nil); n != 1 {
		t.Error("another network is refused too")
	}
	if n := admitted(t, p, 2, "::ffff:192.0.2.1", nil) + admitted(t, p, 2, "192.0.2.1", nil); n != 2 {
		t.Errorf("an address in both spellings passes %d times, want 2", n)
	}
}

func TestWrongCredentialsCloseAnAddress(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := New(Config{Failures: 3, Log: quiet(), Now: c.now})
	tries := 0
	for p.Try(request("192.0.2.1")) == nil && tries < 10 {
		tries++
		p.Failed(request("192.0.2.1"))
	}
	if tries != 3 {
		t.Errorf("%d guesses were possible, want 3", tries)
	}
	var e *editorial.Error
	if err := p.Try(request("192.0.2.1")); !errors.As(err, &e) || e.Code != "too_many_failures" || e.Details["retry_after"] != 17 {
		t.Errorf("Try() = %+v", err)
	}
	if p.Try(request("192.0.2.2")) != nil {
		t.Error("another address is closed too")
	}
	c.pass(17 * time.Second)
	if p.Try(request("192.0.2.1")) != nil {
		t.Error("the next minute is closed, too")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(5, nil)
	now := newClock().now()
	for n := range maxBuckets + 1000 {
		l.take(t.Context(), strconv.Itoa(n), now)
	}
	if n := len(l.buckets); n > maxBuckets+1 {
		t.Errorf("%d buckets", n)
	}
	if _, ok := l.take(t.Context(), "one more", now); ok {
		t.Error("whoever comes after so many others has a bucket of their own")
	}
	l.take(t.Context(), "x", now.Add(window))
	if n := len(l.buckets); n != 1 {
		t.Errorf("the next minute begins with %d buckets", n)
	}
}

// shared is a Redis and Paces of several processes on it.
func shared(t *testing.T, c *clock, processes int, config Config) (*miniredis.Miniredis, []*Pace) {
	t.Helper()
	server := miniredis.RunT(t)
	paces := make([]*Pace, processes)
	for i := range paces {
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
		t.Cleanup(func() { client.Close() })
		config.Redis, config.Log, config.Now = client, quiet(), c.now
		paces[i] = New(config)
	}
	return server, paces
}

func TestProcessesShareALimit(t *testing.T) {
	t.Parallel()
	server, paces := shared(t, newClock(), 3, Config{Requests: 100})
	passed := 0
	for range 100 {
		for _, p := range paces {
			passed += admitted(t, p, 1, "192.0.2.1", ada())
		}
	}
	if passed != 100 {
		t.Errorf("%d of 300 requests to three processes pass, want 100", passed)
	}
	for _, key := range server.Keys() {
		if strings.Contains(key, "ada") || server.TTL(key) <= 0 || server.TTL(key) > 2*window {
			t.Errorf("key %s, kept for %v", key, server.TTL(key))
		}
	}
}

// Batches are why a limit costs little; and many requests at once of one caller
// must not take one each.
func TestOneRoundTripForManyRequests(t *testing.T) {
	t.Parallel()
	server, paces := shared(t, newClock(), 1, Config{Requests: 1000})
	before := server.CommandCount()
	var passed sync.Map
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			if paces[0].Admit(request("192.0.2.1"), ada()) == nil {
				passed.Store(n, true)
			}
		})
	}
	all.Wait()
	n := 0
	passed.Range(func(any, any) bool { n++; return true })
	asked := (server.CommandCount() - before) / 2 // INCRBY and EXPIRE
	if n != 200 || asked > 200/20+2 {
		t.Errorf("%d of 200 pass with %d round trips, want all with about 10", n, asked)
	}
}

func TestFailuresAreSharedExactly(t *testing.T) {
	t.Parallel()
	_, paces := shared(t, newClock(), 2, Config{Failures: 4})
	for range 4 {
		paces[0].Failed(request("192.0.2.1"))
	}
	if paces[0].Try(request("192.0.2.1")) == nil {
		t.Error("the process that counted four is open")
	}
	// The other learns with its own first one.
	paces[1].Failed(request("192.0.2.1"))
	if paces[1].Try(request("192.0.2.1")) == nil {
		t.Error("the other process is open after its own")
	}
}

func TestWithoutRedisEachProcessCounts(t *testing.T) {
	t.Parallel()
	c := newClock()
	server, paces := shared(t, c, 1, Config{Requests: 10})
	server.Close()
	if n := admitted(t, paces[0], 15, "192.0.2.1", ada()); n != 10 {
		t.Errorf("%d of 15 pass, want 10", n)
	}
	// It is not asked again for every caller.
	counter := paces[0].callers.shared.(*redisCounter)
	if !counter.isPaused() {
		t.Error("the next caller waits for Redis again")
	}
	c.pass(pause)
	if counter.isPaused() {
		t.Error("Redis is not asked again")
	}
}

// A Redis that takes the connection and says nothing holds nobody for long.
func TestARedisThatHangs(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client := redis.NewClient(&redis.Options{Addr: ln.Addr().String(), MaxRetries: -1, ContextTimeoutEnabled: true})
	defer client.Close()
	p := New(Config{Requests: 10, Redis: client, Log: quiet()})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := p.Admit(request("192.0.2.1").WithContext(ctx), ada()); err != nil || ctx.Err() != nil {
		t.Errorf("Admit() = %v, %v", err, ctx.Err())
	}
}
