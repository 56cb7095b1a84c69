package siteapi

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Pass hands requests for paths that are not served here to the site's present
// backend, unchanged, streams and WebSockets included, so that the move can be
// made path by path. The caller's own credentials go with them: they are the
// backend's to check.
//
// One thing does not pass: the backend signs in anybody whose code begins with
// mock_auth_code_, and a token minted so would be valid here.
func (a *API) Pass(backend *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.Out.Host = backend.Host
			r.SetXForwarded()
			keepOurs(r.Out.Header)
		},
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			ResponseHeaderTimeout: 5 * time.Minute, // its image and chat calls are slow and synchronous
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   32,
		},
		FlushInterval: -1, // a stream is passed on as it comes
		ErrorLog:      slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				return // the client hung up
			}
			a.Log.WarnContext(r.Context(), "the site's backend did not answer", "path", r.URL.Path, "error", err)
			a.Fail(w, r, &editorial.Error{
				Kind: editorial.Unavailable, Code: "backend_away",
				Message: "the site's backend (SITE_BACKEND_URL) does not answer; try again in a moment",
			})
		},
		// The answer has its own id and cross-origin headers from around us.
		ModifyResponse: func(res *http.Response) error {
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") || name == "X-Request-Id" {
					res.Header.Del(name)
				}
			}
			res.Header["Set-Cookie"] = slices.DeleteFunc(res.Header["Set-Cookie"], func(line string) bool {
				c, err := http.ParseSetCookie(line)
				return err == nil && auth.IsSessionCookie(c.Name)
			})
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := refuseMockSignIn(r); err != nil {
			a.Fail(w, r, err)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// keepOurs takes our own credentials out of a request that goes to the backend.
func keepOurs(h http.Header) {
	if auth.IsKey(h.Get("Authorization")) {
		h.Del("Authorization")
	}
	cookies, ours := (&http.Request{Header: h}).Cookies(), false
	for _, c := range cookies {
		ours = ours || auth.IsSessionCookie(c.Name)
	}
	if !ours {
		return // as it came: what we would write may be spelled otherwise
	}
	h.Del("Cookie")
	out := &http.Request{Header: h}
	for _, c := range cookies {
		if !auth.IsSessionCookie(c.Name) {
			out.AddCookie(c)
		}
	}
}

// maxSignIn is far more than a sign-in has to say.
const maxSignIn = 64 << 10

// refuseMockSignIn reads the body of a sign-in and puts it back.
func refuseMockSignIn(r *http.Request) error {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/api/auth/") || r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSignIn+1))
	if err != nil || len(body) > maxSignIn {
		return editorial.Invalidf("body", "a sign-in must be at most %d bytes long", maxSignIn)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), r.Body}
	if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		// The backend reads UTF-16, too; we would not see the code in it.
		return editorial.Invalidf("body", "a sign-in must be UTF-8")
	}
	if hasMock(r.URL.Query()) || mentionsMock(body) {
		return &editorial.Error{
			Kind: editorial.Forbidden, Code: "mock_sign_in",
			Message: "mock sign-in codes are for development and are not passed on to the site's backend",
		}
	}
	return nil
}

// mentionsMock looks at every text in a body, under whatever name: of two
// members with one name, or of names that differ in case, only the backend
// knows which one it takes.
func mentionsMock(body []byte) bool {
	if form, err := url.ParseQuery(string(body)); err == nil && hasMock(form) {
		return true
	}
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	for {
		token, err := decoder.Token()
		if err != nil {
			// Broken, or at its end: what is left is looked at as it stands.
			return bytes.Contains(bytes.ToLower(body), []byte(mockCode))
		}
		if text, ok := token.(string); ok && isMock(text) {
			return true
		}
	}
}

func hasMock(values url.Values) bool {
	for _, list := range values {
		if slices.ContainsFunc(list, isMock) {
			return true
		}
	}
	return false
}

// mockCode begins every code of the backend's development sign-in.
const mockCode = "mock_auth_code"

func isMock(code string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(code)), mockCode)
}
