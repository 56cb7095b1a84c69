package edge

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	rscors "github.com/rs/cors"
)

// csp allows our own scripts and styles from files and none inline. Pictures
// may come from any CDN, which is the operator's choice and changes, and from
// data: URLs, which placeholders are.
var csp = strings.Join([]string{
	"default-src 'self'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: https: http:",
	"object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
}, "; ")

// careful is what every answer says, by canonical names. The values are shared by
// all answers: a handler's Set or Add replaces them and does not change them.
var careful = http.Header{
	"X-Content-Type-Options":     {"nosniff"},
	"X-Frame-Options":            {"DENY"}, // for browsers that do not know frame-ancestors
	"Referrer-Policy":            {"strict-origin-when-cross-origin"},
	"Content-Security-Policy":    {csp},
	"Cross-Origin-Opener-Policy": {"same-origin"},
	// Pictures are embedded by other origins' pages; that is their purpose.
	"Cross-Origin-Resource-Policy": {"cross-origin"},
	"Permissions-Policy":           {"camera=(), geolocation=(), microphone=()"},
}

// secure sets the headers that make browsers careful. A handler may
// set its own instead: they are there before it runs.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), careful)
		next.ServeHTTP(w, r)
	})
}

// corsMaxAge is how long a browser may remember a preflight, in seconds.
const corsMaxAge = 600

// cors lets the pages of origins call from a browser, with credentials. An
// origin of "*" allows any page, and therefore no credentials.
func cors(origins []string) Middleware {
	if len(origins) == 0 {
		// rs/cors would take an empty list for "anybody".
		return func(next http.Handler) http.Handler { return next }
	}
	return rscors.New(rscors.Options{
		AllowedOrigins:   origins,
		AllowedMethods:   []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions},
		AllowedHeaders:   []string{"*"},
		ExposedHeaders:   []string{"ETag", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", HeaderRequestID},
		AllowCredentials: !slices.Contains(origins, "*"),
		MaxAge:           corsMaxAge,
	}).Handler
}

// minCompressed is the size under which compressing costs more than it saves:
// the answer fits one packet anyway. In bytes.
const minCompressed = 1024

// compress compresses JSON and text for clients that accept gzip. Pictures are
// compressed already, and an event stream would be held back.
func compress() Middleware {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(minCompressed), gzhttp.EnableZstd(false), gzhttp.ContentTypeFilter(isCompressible),
	)
	if err != nil {
		panic(err) // unreachable: the options are constants
	}
	return func(next http.Handler) http.Handler { return wrap(next) }
}

var compressible = []string{
	"application/json", "application/problem+json", "application/openapi+json", "text/html", "text/css",
	"text/javascript", "application/javascript", "text/plain", "image/svg+xml",
}

func isCompressible(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return slices.Contains(compressible, strings.ToLower(strings.TrimSpace(mediaType)))
}
