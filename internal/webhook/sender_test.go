package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	secretA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretB = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

var message = Message{ID: "0190f0c4-0000-7000-8000-000000000001", Body: []byte(`{"type":"image.stored"}`)}

// receiver is a server on loopback that counts who reaches it.
func receiver(t *testing.T, answer http.HandlerFunc) (address string, reached *atomic.Int64) {
	t.Helper()
	reached = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, reached
}

func TestSendSignsWithEverySecret(t *testing.T) {
	t.Parallel()
	var got http.Header
	var body []byte
	address, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		body, _ = io.ReadAll(r.Body)
	})
	status, err := NewSender(loopback...).Send(t.Context(), address, []string{secretA, secretB}, message)
	if status != http.StatusOK || err != nil {
		t.Fatalf("Send = %d, %v", status, err)
	}
	for _, secret := range []string{secretA, secretB} {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(body, got); err != nil {
			t.Errorf("a receiver with %s does not believe it: %v", secret, err)
		}
	}
	// As the specification has it, without its library.
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secretA, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, message.ID+"."+got.Get("Webhook-Timestamp")+"."+string(message.Body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if first, _, _ := strings.Cut(got.Get("Webhook-Signature"), " "); first != want || got.Get("Webhook-Id") != message.ID {
		t.Errorf("id %q, signature %q; want %q, %q", got.Get("Webhook-Id"), first, message.ID, want)
	}
}

func TestSendTellsWhatIsNoSuccess(t *testing.T) {
	t.Parallel()
	elsewhere, followed := receiver(t, func(http.ResponseWriter, *http.Request) {})
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		status int
		final  string // code
	}{
		"broken":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 503, ""},
		"no such": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, ""},
		"gone":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, 410, CodeGone},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}, 307, ""},
		"cut off":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, ""},
		"huge header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := receiver(t, tt.answer)
			status, err := NewSender(loopback...).Send(t.Context(), address, []string{secretA}, message)
			var final *Final
			errors.As(err, &final)
			if err == nil || status != tt.status || (final != nil) != (tt.final != "") || final != nil && final.Code != tt.final {
				t.Errorf("Send = %d, %v; want %d and final %q", status, err, tt.status, tt.final)
			}
			if err != nil && strings.Contains(err.Error(), "MfKQ") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if followed.Load() != 0 {
			t.Error("a redirect was followed")
		}
	})
}

func TestSendTellsWhenToComeAgain(t *testing.T) {
	t.Parallel()
	for status, asks := range map[int]bool{200: false, 307: false, 410: false, 429: true, 500: true, 503: true} {
		address, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(status)
		})
		_, err := NewSender(loopback...).Send(t.Context(), address, []string{secretA}, message)
		var later *Later
		if errors.As(err, &later) != asks || asks && later.After != 2*time.Minute {
			t.Errorf("%d with Retry-After: Send = %v, want that it asks for two minutes: %v", status, err, asks)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, "3600": time.Hour, "86400": 24 * time.Hour, "86401": 24 * time.Hour,
		"99999999999999999999999": 24 * time.Hour, "-5": 0, "1.5": 0, "soon": 0, "0x10": 0, "5 minutes": 0,
		"Sun, 01 Mar 2026 12:10:00 GMT":  10 * time.Minute,
		"Sunday, 01-Mar-26 12:10:00 GMT": 10 * time.Minute,
		"Sun Mar  1 12:10:00 2026":       10 * time.Minute,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
		"Sun, 01 Mar 2999 11:00:00 GMT":  24 * time.Hour,
		"2026-03-01T12:10:00Z":           0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}

// A receiver that never ends its answer costs no more than what is read of it.
func TestSendReadsNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	address, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := make([]byte, 64<<10)
		for r.Context().Err() == nil {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	if status, err := NewSender(loopback...).Send(t.Context(), address, []string{secretA}, message); status != 200 || err != nil {
		t.Errorf("Send = %d, %v", status, err)
	}
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d bytes were sent to us", n)
	}
}

// No spelling of an address inside reaches the server there.
func TestPrivateAddressesAreRefusedWhenDialled(t *testing.T) {
	t.Parallel()
	address, reached := receiver(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := strings.Cut(strings.TrimPrefix(address, "http://"), ":")
	for _, host := range []string{
		"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fe80::1]", "[fd00::1]",
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			status, err := newSender(dialerFor(func(string) []string { return nil }), nil).
				Send(ctx, "http://"+host+":"+port+"/", []string{secretA}, message)
			if err == nil || status != 0 {
				t.Errorf("Send = %d, %v; want a refusal", status, err)
			}
			var final *Final
			if _, parseErr := netip.ParseAddr(strings.Trim(host, "[]")); parseErr == nil && (!errors.As(err, &final) || final.Code != "private_address") {
				t.Errorf("Send of an address = %v, want private_address", err)
			}
		})
	}
	t.Cleanup(func() {
		if n := reached.Load(); n != 0 {
			t.Errorf("the server inside was reached %d times", n)
		}
	})
}

// dialerFor resolves names by a table, as a name server that an attacker owns.
func dialerFor(answer func(name string) []string) *net.Dialer {
	return &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serveNames(theirs, answer)
		return ours, nil
	}}}
}

// serveNames answers DNS queries as TCP carries them, behind their length.
func serveNames(conn net.Conn, answer func(name string) []string) {
	defer conn.Close()
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		query := make([]byte, size)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		end, labels := 12, []string{}
		for query[end] != 0 {
			n := int(query[end])
			labels = append(labels, string(query[end+1:end+1+n]))
			end += 1 + n
		}
		kind := binary.BigEndian.Uint16(query[end+1:])
		question := query[12 : end+5]
		var records []byte
		count := uint16(0)
		for _, text := range answer(strings.Join(labels, ".")) {
			ip := netip.MustParseAddr(text)
			if ip.Is4() != (kind == 1) {
				continue
			}
			count++
			records = append(records, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(ip.AsSlice())))
			records = append(records, ip.AsSlice()...)
		}
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, byte(count >> 8), byte(count), 0, 0, 0, 0}, question...)
		reply = append(reply, records...)
		if binary.Write(conn, binary.BigEndian, uint16(len(reply))) != nil {
			return
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

// A name that leads to a good address when it is looked at and to ours when it
// is dialled gains nothing: only what is dialled counts.
func TestDNSRebinding(t *testing.T) {
	t.Parallel()
	address, reached := receiver(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := strings.Cut(strings.TrimPrefix(address, "http://"), ":")
	for name, leadsTo := range map[string][]string{
		"rebound.test": {"127.0.0.1"},
		"mapped.test":  {"::ffff:127.0.0.1"},
		"both.test":    {"169.254.169.254", "::1"},
		"mixed.test":   {"192.0.2.1", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := new(atomic.Int64)
			dialer := dialerFor(func(string) []string { asked.Add(1); return leadsTo })
			_, err := newSender(dialer, nil).Send(t.Context(), "http://"+name+":"+port, []string{secretA}, message)
			var final *Final
			if !errors.As(err, &final) || final.Code != "private_address" {
				t.Errorf("Send = %v, want private_address", err)
			}
			if strings.Contains(err.Error(), "127.0.0.1") || asked.Load() == 0 {
				t.Errorf("%v after %d look-ups; the error tells what the name leads to", err, asked.Load())
			}
		})
	}
	t.Run("unless it is allowed", func(t *testing.T) {
		dialer := dialerFor(func(string) []string { return []string{"127.0.0.1"} })
		if _, err := newSender(dialer, loopback).Send(t.Context(), "http://inside.test:"+port, []string{secretA}, message); err != nil {
			t.Error(err)
		}
		if n := reached.Load(); n != 1 {
			t.Errorf("the server inside was reached %d times, want once", n)
		}
	})
}
