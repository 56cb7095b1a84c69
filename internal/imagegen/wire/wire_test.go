package wire_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

func client(t *testing.T, h http.HandlerFunc) *wire.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return clientOf(t, srv.URL, nil)
}

func clientOf(t *testing.T, raw string, header http.Header) *wire.Client {
	t.Helper()
	e, err := wire.ParseEndpoint(raw)
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewClient(e, header)
}

// asError is err as the worker reads it, which must never be empty.
func asError(t *testing.T, err error) *imagegen.Error {
	t.Helper()
	e := imagegen.AsError(err)
	if e == nil || e.Code == "" || e.Message == "" || e.Class == "" {
		t.Fatalf("error = %#v, want a code, a class and a message", e)
	}
	return e
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	const tr, te = editorial.Transient, editorial.Terminal
	tests := []struct {
		status int
		body   string
		after  string
		class  editorial.Class
		code   string
		wait   time.Duration
		says   string
	}{
		{302, "", "", te, "redirected", 0, "GENERATORS"},
		{400, `{"error":"bad width"}`, "", te, "refused", 0, "bad width"},
		{401, "", "", te, "unauthorized", 0, "check the user"},
		{403, `<html>Forbidden</html>`, "", te, "unauthorized", 0, "403 Forbidden"},
		{404, `{"detail":"Not Found"}`, "", te, "not_found", 0, "Not Found"},
		{408, "", "", tr, "unavailable", 0, "408"},
		{410, "", "", te, "not_found", 0, "410"},
		{422, `{"detail":[{"loc":["body","width"],"msg":"too wide"}]}`, "", te, "refused", 0, "too wide"},
		{425, "", "", tr, "unavailable", 0, "425"},
		{429, `{"error":{"message":"slow down","code":"rate"}}`, "7", tr, "rate_limited", 7 * time.Second, "slow down"},
		{429, "", "999999", tr, "rate_limited", time.Hour, "429"},
		{429, "", "-5", tr, "rate_limited", 0, "429"},
		{429, "", "NaN", tr, "rate_limited", 0, "429"},
		{429, "", "Wed, 21 Oct 2015 07:28:00 GMT", tr, "rate_limited", 0, "429"},
		{500, `{"error":"server_error","message":"out of memory"}`, "", tr, "unavailable", 0, "out of memory"},
		{502, "upstream\r\n\x00gone", "", tr, "unavailable", 0, "upstream gone"},
		{503, strings.Repeat("é", 5000), "soon", tr, "unavailable", 0, "é…"},
		{504, "[[[[[[[\"deep\"]]]]]]]", "", tr, "unavailable", 0, "504"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, " ", tt.after), func(t *testing.T) {
			t.Parallel()
			c := client(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tt.after)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			err := c.JSON(t.Context(), wire.Call{Path: "x"}, nil)
			e := asError(t, err)
			got := []any{e.Class, e.Code, e.RetryAfter, e.Unreachable, wire.Status(err)}
			if diff := cmp.Diff([]any{tt.class, tt.code, tt.wait, false, tt.status}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.Contains(e.Message, tt.says) || len(e.Message) > 1000 || strings.ContainsAny(e.Message, "\r\n\x00") {
				t.Errorf("message = %q, want one short line with %q", e.Message, tt.says)
			}
		})
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	tests := []struct {
		name        string
		client      *wire.Client
		call        wire.Call
		code        string
		class       editorial.Class
		unreachable bool
	}{
		{"refused", clientOf(t, gone.URL, nil), wire.Call{}, "unreachable", editorial.Transient, true},
		{"no such name", clientOf(t, "http://gpu.invalid:1234", nil), wire.Call{}, "unreachable", editorial.Transient, true},
		{
			"cut before the answer",
			client(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
			wire.Call{In: 1},
			"connection_lost", editorial.Transient, false,
		},
		{
			"cut in the answer",
			client(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				io.WriteString(w, `{"a":`)
			}),
			wire.Call{},
			"connection_lost", editorial.Transient, false,
		},
		{
			"slow",
			client(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
			wire.Call{Timeout: 20 * time.Millisecond},
			"timeout", editorial.Transient, false,
		},
		{
			"never ends",
			client(t, func(w http.ResponseWriter, _ *http.Request) {
				for _, err := w.Write(make([]byte, 1<<16)); err == nil; _, err = w.Write(make([]byte, 1<<16)) {
				}
			}),
			wire.Call{},
			"too_large", editorial.Terminal, false,
		},
		{
			"a web page",
			client(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>welcome") }),
			wire.Call{},
			"bad_answer", editorial.Transient, false,
		},
		{"nothing", client(t, func(http.ResponseWriter, *http.Request) {}), wire.Call{}, "bad_answer", editorial.Transient, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out map[string]any
			e := asError(t, tt.client.JSON(t.Context(), tt.call, &out))
			got := []any{e.Code, e.Class, e.Unreachable}
			if diff := cmp.Diff([]any{tt.code, tt.class, tt.unreachable}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", e.Message, diff)
			}
		})
	}
}

func TestTheCallersEndIsNoFaultOfTheServers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := client(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	err := c.JSON(ctx, wire.Call{Timeout: time.Minute}, nil)
	if !errors.Is(err, context.Canceled) || asError(t, err).Class != editorial.Canceled {
		t.Errorf("error = %v, want ctx's", err)
	}
}

func TestTheRequest(t *testing.T) {
	t.Parallel()
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(b))
		io.WriteString(w, `{"ok":true}`)
	}))
	defer srv.Close()
	c := clientOf(t, srv.URL+"/behind/", http.Header{"Authorization": {"Bearer sk-1"}})
	element, _ := wire.PathElement("a b?c")
	var out struct{ OK bool }
	if err := c.JSON(t.Context(), wire.Call{Path: "/v1/" + element, In: map[string]int{"n": 1}}, &out); err != nil || !out.OK {
		t.Fatalf("JSON: %v, %v", err, out)
	}
	if err := c.JSON(t.Context(), wire.Call{Path: "v1", Query: map[string][]string{"q": {"ä&b"}}}, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST", "/behind/v1/a%20b%3Fc", "Bearer sk-1", "application/json", `{"n":1}`,
		"GET", "/behind/v1?q=%C3%A4%26b", "Bearer sk-1", "", "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A server that repeats what it was sent must not put a key into our log.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	const key, password = "sk-proj-abcdef", "p@ss/word"
	for _, leak := range []string{key, "Bearer " + key, password, "p%40ss%2Fword", base64.StdEncoding.EncodeToString([]byte(password))} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":{"message":"Incorrect API key provided: %s"}}`, leak)
		}))
		c := clientOf(t, strings.Replace(srv.URL, "http://", "http://u:p%40ss%2Fword@", 1), http.Header{"Authorization": {"Bearer " + key}})
		err := c.JSON(t.Context(), wire.Call{}, nil)
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), leak) {
				t.Errorf("error repeats %q: %v", leak, e)
			}
		}
		asError(t, err)
		srv.Close()
		if err := c.JSON(t.Context(), wire.Call{}, nil); strings.Contains(err.Error(), "p@ss") || strings.Contains(err.Error(), "p%40") {
			t.Errorf("error repeats the password: %v", err)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	e, err := wire.ParseEndpoint("http://u:pw@gpu:1234/base?model=x", "model")
	if err != nil || e.Base.String() != "http://gpu:1234/base" || e.Query.Get("model") != "x" || e.User.Username() != "u" {
		t.Fatalf("got %+v, %v", e, err)
	}
	for _, raw := range []string{
		"", "gpu:1234", "ftp://gpu", "http://", "http://u:secret@", "http://u:secret@gpu?colour=x", "http://u:secret@gpu#x",
		"http://u:secret@gpu?a=%zz", "http://u:sec%zzret@gpu", "http://[::1",
	} {
		if _, err := wire.ParseEndpoint(raw, "model"); err == nil || strings.Contains(err.Error(), "sec") {
			t.Errorf("ParseEndpoint(%q) = %v, want an error without the password", raw, err)
		}
	}
}

func TestPathElement(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", ".", "..", "../../etc", `a\b`, "a\x00", strings.Repeat("x", 256)} {
		if got, ok := wire.PathElement(s); ok {
			t.Errorf("PathElement(%q) = %q, want it refused", s, got)
		}
	}
	if got, ok := wire.PathElement("img_1%2F.png"); !ok || got != "img_1%252F.png" {
		t.Errorf("got %q, %v", got, ok)
	}
}

func FuzzDecodePicture(f *testing.F) {
	png := "\x89PNG\r\n\x1a\nrest"
	b64 := base64.StdEncoding.EncodeToString([]byte(png))
	for _, s := range []string{
		b64, strings.TrimRight(b64, "="), "data:image/png;base64," + b64, b64[:4] + "\r\n" + b64[4:], "", "data:", "====", "<html>", "aGVsbG8=",
	} {
		f.Add(s)
	}
	for _, s := range []string{b64, strings.TrimRight(b64, "="), "data:image/png;base64," + b64, b64[:4] + "\r\n" + b64[4:]} {
		if got, err := wire.DecodePicture(s); err != nil || string(got) != png {
			f.Errorf("DecodePicture(%q) = %q, %v", s, got, err)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := wire.DecodePicture(s)
		if err == nil && wire.CheckPicture(b) != nil {
			t.Errorf("DecodePicture(%q) let %q through", s, b)
		}
		if err != nil && asError(t, err).Class != editorial.Transient {
			t.Errorf("DecodePicture(%q): %v", s, err)
		}
	})
}
