package edge_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/edge"
)

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}
	tests := []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "203.0.113.7:1", nil, "203.0.113.7"},
		{"a trusted proxy", "10.0.0.1:1", []string{"203.0.113.7"}, "203.0.113.7"},
		{"two of them", "10.0.0.1:1", []string{"203.0.113.7, 10.9.9.9"}, "203.0.113.7"},
		{"a client that invents an address", "10.0.0.1:1", []string{"127.0.0.1, 203.0.113.7"}, "203.0.113.7"},
		{"a client that invents a header of its own", "10.0.0.1:1", []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		{"a stranger who claims to be a proxy", "203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		{"a trusted proxy that says nothing", "10.0.0.1:1", nil, "10.0.0.1"},
		{"a trusted proxy that says nonsense", "10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{"nonsense before what is true", "10.0.0.1:1", []string{"<script>, 203.0.113.7"}, "203.0.113.7"},
		{"a port, too", "10.0.0.1:1", []string{"203.0.113.7:4711"}, "203.0.113.7"},
		{"IPv6 with a port", "10.0.0.1:1", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"mapped IPv6", "[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"a peer with a zone", "[fe80::1%eth0]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"a Unix socket", "@", []string{"203.0.113.7"}, "203.0.113.7"},
		{"a Unix socket alone", "@", nil, "invalid IP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got netip.Addr
			h, _ := around(func(_ http.ResponseWriter, r *http.Request) { got = edge.ClientAddr(r) },
				func(c *edge.Config) { c.TrustedProxies = trusted })
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got.String() != tt.want {
				t.Errorf("ClientAddr = %v, want %s", got, tt.want)
			}
		})
	}
}

// Nobody looks for the reason why a limit hits everybody at once.
func TestAProxyThatIsNotNamedIsToldOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := edge.Handler(http.HandlerFunc(ok), edge.Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Fail: fail})
	for range 3 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if n := strings.Count(log.String(), "TRUSTED_PROXIES"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &log)
	}
}
