package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"code.dny.dev/ssrf"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/importer"
)

// site is a stranger's server. It stands on loopback, which is let through;
// 127.0.0.2 is loopback as well and stands for a private address.
func site(t *testing.T, handler http.HandlerFunc) (*importer.Importer, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return importer.NewWithControl(onlyFirstLoopback), server.URL
}

func onlyFirstLoopback(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if at.Addr() != netip.MustParseAddr("127.0.0.1") {
		return fmt.Errorf("%w: %s", ssrf.ErrProhibitedIP, address)
	}
	return nil
}

func fetch(t *testing.T, i *importer.Importer, url string) (imagegen.Result, *imagegen.Error) {
	t.Helper()
	result, err := i.Generate(t.Context(), imagegen.Request{SourceURL: url, Seed: 7})
	var e *imagegen.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%s: %v is no imagegen.Error", url, err)
	}
	return result, e
}

func TestACopyKeepsItsSource(t *testing.T) {
	t.Parallel()
	i, url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Cookie") != "" {
			t.Errorf("%s with cookies %q", r.Method, r.Header.Get("Cookie"))
		}
		w.Write([]byte("the bytes"))
	})
	secret := strings.Replace(url, "http://", "http://ann:sekret@", 1)
	got, e := fetch(t, i, secret+"/a.png")
	if e != nil || string(got.Bytes) != "the bytes" || got.Seed != 7 {
		t.Fatalf("%q, %v", got.Bytes, e)
	}
	if said := fmt.Sprint(got.Params, got.Credit); strings.Contains(said, "sekret") || !strings.Contains(said, "/a.png") {
		t.Errorf("recorded as %s", said)
	}
}

func TestWhatIsNotAFetchableURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "/images/a.png", "ftp://example.com/a.png", "file:///etc/passwd", "data:image/png;base64,AA==", "http://", "https:///a.png",
		"javascript:alert(1)", "gopher://127.0.0.1/", "http://exa mple.com/", "http://[::1", "//example.com/a.png",
	} {
		if _, e := fetch(t, importer.New(), url); e == nil || e.Code != "bad_url" || e.Class != editorial.Terminal {
			t.Errorf("%q: %v, want bad_url", url, e)
		}
	}
}

// The real guard: no name and no number leads to this machine or this network.
func TestPrivateAddressesAreNotFetched(t *testing.T) {
	t.Parallel()
	asked := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was asked") }))
	t.Cleanup(asked.Close)
	_, port, err := net.SplitHostPort(asked.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"127.0.0.1:" + port, "localhost:" + port, "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "172.16.0.1",
		"192.168.1.1", "169.254.169.254", "100.64.0.1", "[fd00::1]", "[fe80::1]", "[64:ff9b::7f00:1]", "224.0.0.1", "255.255.255.255",
	} {
		_, e := fetch(t, importer.New(), "http://"+host+"/latest/meta-data")
		if e == nil || e.Code != "private_address" || e.Class != editorial.Terminal {
			t.Errorf("%s: %v, want private_address", host, e)
		}
	}
}

// An address can be spelled as a number, which some resolvers read and others
// do not. Whichever this machine has, and whatever a name resolves to when it is
// dialled, nothing on this machine is asked.
func TestAddressesInOtherSpellingsAreNotFetched(t *testing.T) {
	t.Parallel()
	asked := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("this machine was asked") }))
	t.Cleanup(asked.Close)
	_, port, err := net.SplitHostPort(asked.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "0177.0.0.1", "0", "[::127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]", "[::ffff:7f00:1]"} {
		if got, e := fetch(t, importer.New(), "http://"+host+":"+port+"/"); e == nil {
			t.Errorf("%s was fetched: %q", host, got.Bytes)
		}
	}
}

// A public server must not send us where we would not go by ourselves.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var url string
	i, url := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/once":
			http.Redirect(w, r, "/a.png", http.StatusFound)
		case "/private":
			http.Redirect(w, r, "http://127.0.0.2"+r.Host[strings.LastIndex(r.Host, ":"):]+"/a.png", http.StatusMovedPermanently)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			w.Write([]byte("the bytes"))
		}
	})
	if got, e := fetch(t, i, url+"/once"); e != nil || string(got.Bytes) != "the bytes" {
		t.Errorf("one redirect: %q, %v", got.Bytes, e)
	}
	if _, e := fetch(t, i, url+"/private"); e == nil || e.Code != "private_address" || e.Class != editorial.Terminal {
		t.Errorf("a redirect to a private address: %v, want private_address", e)
	}
	for _, path := range []string{"/file", "/loop"} {
		if got, e := fetch(t, i, url+path); e == nil || len(got.Bytes) > 0 {
			t.Errorf("%s was followed: %q", path, got.Bytes)
		}
	}
}

func TestAnswersThatAreNoPicture(t *testing.T) {
	t.Parallel()
	i, url := site(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err == nil {
			w.WriteHeader(status)
			return
		}
		switch r.URL.Path {
		case "/large":
			w.Write(bytes.Repeat([]byte{1}, 30<<20+1))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("the by"))
		}
	})
	for path, want := range map[string]struct {
		class editorial.Class
		code  string
	}{
		"/404": {editorial.Terminal, "not_there"}, "/403": {editorial.Terminal, "not_there"}, "/204": {editorial.Terminal, "not_there"},
		"/408": {editorial.Transient, "unavailable"}, "/429": {editorial.Transient, "unavailable"},
		"/500": {editorial.Transient, "unavailable"}, "/503": {editorial.Transient, "unavailable"},
		"/large": {editorial.Terminal, "too_large"}, "/cut": {editorial.Transient, "unreachable"},
	} {
		if _, e := fetch(t, i, url+path); e == nil || e.Class != want.class || e.Code != want.code || e.Message == "" {
			t.Errorf("%s: %v, want %s and %s", path, e, want.class, want.code)
		}
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	url := gone.URL
	gone.Close()
	if _, e := fetch(t, importer.NewWithControl(onlyFirstLoopback), url); e == nil || e.Code != "unreachable" || e.Class != editorial.Transient {
		t.Errorf("nobody listens: %v, want unreachable", e)
	}
}

// A server that never ends its answer ends with the caller's patience.
func TestTheCallersTimeIsKept(t *testing.T) {
	t.Parallel()
	i, url := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("the by"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := i.Generate(ctx, imagegen.Request{SourceURL: url})
	if e := imagegen.AsError(err); e == nil || e.Code != "timeout" || e.Class != editorial.Transient {
		t.Errorf("%v, want timeout", err)
	}
}

func TestAHostThatTheOperatorTrustsMayBePrivate(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "http://127.0.0.2:1/a.png", http.StatusFound)
		case "/gone":
			http.NotFound(w, r)
		case "/page":
			w.Header().Set("Content-Type", "text/html")
		default:
			w.Write([]byte("the bytes"))
		}
	}))
	defer server.Close()
	if _, e := fetch(t, importer.New(), server.URL+"/a.png"); e == nil || e.Code != "private_address" {
		t.Errorf("untrusted: %v, want private_address", e)
	}
	i := importer.New(strings.TrimPrefix(server.URL, "http://"))
	if got, e := fetch(t, i, server.URL+"/a.png"); e != nil || string(got.Bytes) != "the bytes" {
		t.Errorf("trusted: %q, %v", got.Bytes, e)
	}
	if _, e := fetch(t, i, server.URL+"/away"); e == nil || e.Code != "private_address" {
		t.Errorf("redirected from it to another private host: %v, want private_address", e)
	}
	for path, want := range map[string]string{"/a.png": "", "/gone": "answers 404", "/page": "instead of a picture", "/away": "not a public address"} {
		err := i.Probe(t.Context(), server.URL+path)
		if got := fmt.Sprint(err); (err == nil) != (want == "") || !strings.Contains(got, want) && want != "" {
			t.Errorf("probe %s: %v, want %q", path, err, want)
		}
	}
}

func TestACreditThatIsKnownIsKept(t *testing.T) {
	t.Parallel()
	i, url := site(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("the bytes")) })
	credit := &editorial.Credit{Author: "Ann Lens", Provider: "Pexels"}
	got, err := i.Generate(t.Context(), imagegen.Request{SourceURL: url + "/a.png", Credit: credit})
	if err != nil || got.Credit != credit {
		t.Errorf("credit %+v, %v", got.Credit, err)
	}
}
