package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

func TestLoopbackAnswersOnlyToThisMachine(t *testing.T) {
	t.Parallel()
	type change func(*http.Request)
	host := func(h string) change { return func(r *http.Request) { r.Host = h } }
	header := func(name, value string) change { return func(r *http.Request) { r.Header.Set(name, value) } }
	peer := func(addr string) change { return func(r *http.Request) { r.RemoteAddr = addr } }
	tests := []struct {
		name    string
		change  []change
		refused string // part of the reason, empty when let in
	}{
		{"localhost", []change{host("localhost:8000")}, ""},
		{"any case", []change{host("LocalHost")}, ""},
		{"127.0.0.1", []change{host("127.0.0.1:1")}, ""},
		{"IPv6", []change{host("[::1]:8000")}, ""},
		{"IPv6 without a port", []change{host("[::1]")}, ""},
		{"IPv6 peer", []change{peer("[::1]:4711")}, ""},
		{"a Unix socket", []change{peer("@")}, ""},
		{"the site's front end on another port", []change{header("Origin", "http://localhost:3000"), header("Sec-Fetch-Site", "same-site")}, ""},
		{"a listed origin", []change{header("Origin", "https://desk.example"), header("Sec-Fetch-Site", "cross-site")}, ""},
		{"curl with an ordinary header", []change{header("Accept", "*/*")}, ""},

		{"DNS rebinding", []change{host("evil.example:8000")}, "answers only as localhost"},
		{"a name that begins so", []change{host("localhost.evil.example")}, "answers only as localhost"},
		{"a name that ends so", []change{host("evil-localhost:8000")}, "answers only as localhost"},
		{"an address that begins so", []change{host("127.0.0.1.nip.io")}, "answers only as localhost"},
		{"another loopback address", []change{host("127.0.0.2")}, "answers only as localhost"},
		{"the address as one number", []change{host("2130706433")}, "answers only as localhost"},
		{"all addresses", []change{host("0.0.0.0:8000")}, "answers only as localhost"},
		{"IPv6 without brackets", []change{host("::1")}, "answers only as localhost"},
		{"mapped IPv6", []change{host("[::ffff:127.0.0.1]:8000")}, "answers only as localhost"},
		{"a port that is none", []change{host("localhost:8000@evil")}, "answers only as localhost"},
		{"no host", []change{host("")}, "answers only as localhost"},
		{"the LAN", []change{peer("192.168.1.9:4711")}, "only to this machine"},
		{"another site's page", []change{header("Sec-Fetch-Site", "cross-site")}, "another site's page"},
		{"an old browser's", []change{header("Origin", "https://evil.example")}, "another site's page"},
		{"a page without an origin", []change{header("Origin", "null"), header("Sec-Fetch-Site", "cross-site")}, "another site's page"},
		{"a name that begins like ours in Origin", []change{header("Origin", "http://localhost.evil.example")}, "another site's page"},
	}
	for _, name := range []string{
		"Forwarded", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "x-forwarded-anything",
		"X-Real-IP", "Via", "CF-Connecting-IP", "CF-Ray", "True-Client-IP", "Tailscale-User-Login", "CDN-Loop",
	} {
		tests = append(tests, struct {
			name    string
			change  []change
			refused string
		}{"forwarded by " + name, []change{header(name, "127.0.0.1")}, "proxy or tunnel"})
	}
	method := Loopback("https://desk.example")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "http://localhost:8000/", nil)
			r.RemoteAddr = "127.0.0.1:50000"
			for _, c := range tt.change {
				c(r)
			}
			id, err := method(r)
			if tt.refused == "" {
				if err != nil || !id.May(Operator) {
					t.Fatalf("Loopback() = %+v, %v, want an operator", id, err)
				}
				return
			}
			var e *editorial.Error
			if id != nil || !errors.As(err, &e) || e.Kind != editorial.Forbidden {
				t.Fatalf("Loopback() = %+v, %v, want Forbidden", id, err)
			}
			if !strings.Contains(e.Message, tt.refused) || !strings.Contains(e.Message, "JWT_SECRET_KEY") {
				t.Errorf("%q lacks %q, or how to add authentication", e.Message, tt.refused)
			}
		})
	}
}

func TestLoopbackRefusesAnEmptyForwardingHeader(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	r.Header["X-Forwarded-For"] = nil
	if id, err := Loopback()(r); err == nil {
		t.Errorf("a header without a value was overlooked: %+v", id)
	}
}

func TestAnOperatorOfOneRequestIsNotShared(t *testing.T) {
	t.Parallel()
	method := Loopback()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	first, err := method(r)
	if err != nil {
		t.Fatal(err)
	}
	first.Role = Nobody
	if second, _ := method(r); !second.May(Operator) {
		t.Error("changing one identity changed the next")
	}
}

func FuzzLocalHost(f *testing.F) {
	for _, s := range []string{"localhost", "127.0.0.1:80", "[::1]:80", "[::1]", "localhost:", "[localhost]:80", "::1", "[::1]x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !isLocalHost(host) {
			return
		}
		u, err := url.Parse("http://" + host + "/")
		if err != nil || u.Host != host || u.Path != "/" {
			t.Fatalf("%q passes for this machine and is no host: %v", host, err)
		}
		if name := u.Hostname(); !strings.EqualFold(name, "localhost") && name != "127.0.0.1" && name != "::1" {
			t.Fatalf("%q passes for this machine", host)
		}
	})
}
