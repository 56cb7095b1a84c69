package siteapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

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
	if isMock(r.URL.Query().Get("code")) || isMock(codeIn(body, r.Header.Get("Content-Type"))) {
		return &editorial.Error{
			Kind: editorial.Forbidden, Code: "mock_sign_in",
			Message: "mock sign-in codes are for development and are not passed on to the site's backend",
		}
	}
	return nil
}

func codeIn(body []byte, contentType string) string {
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err == nil {
			return form.Get("code")
		}
	}
	var signIn struct {
		Code string `json:"code"`
	}
	var wrongType *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &signIn); err != nil && !errors.As(err, &wrongType) {
		return ""
	}
	return signIn.Code
}

func isMock(code string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(code)), "mock_auth_code")
}
