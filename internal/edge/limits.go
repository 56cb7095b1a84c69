package edge

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// What an address may have, in bytes. No path of ours comes near.
const (
	maxPath  = 2048
	maxQuery = 4096
)

// limitAddress refuses addresses that no client of ours sends: too long, with
// control characters, or with a step upwards, which the router would resolve
// and a handler of files must never see. The path is looked at as it is after
// decoding, so that no spelling hides anything.
func limitAddress(fail ErrorFunc) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch path := r.URL.Path; {
			case len(path) > maxPath:
				fail(w, r, editorial.Invalidf("path", "must be at most %d bytes long", maxPath))
			case len(r.URL.RawQuery) > maxQuery:
				fail(w, r, editorial.Invalidf("query", "must be at most %d bytes long", maxQuery))
			case strings.ContainsFunc(path, isControl):
				fail(w, r, editorial.Invalidf("path", "must not contain NUL or other control characters"))
			case stepsUp(path):
				fail(w, r, editorial.Invalidf("path", `must not contain ".."`))
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// stepsUp takes a backslash for a separator, as some file systems do.
func stepsUp(path string) bool {
	segments := strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '\\' })
	return slices.Contains(segments, "..")
}

// limitBody bounds a request's body in bytes, which its reader meets as an
// *http.MaxBytesError, and in the time that it may take to arrive. The time is
// lifted with the last byte, so that a handler may wait afterwards; for a body
// that nobody reads it bounds what the server does to get rid of it.
func limitBody(maxBytes int64, timeout time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(r.TransferEncoding) > 0 {
				// A proxy before us may have read its length otherwise, and what
				// follows would be somebody's request in another's name.
				w.Header().Set("Connection", "close")
			}
			if r.ContentLength != 0 {
				rc := http.NewResponseController(w)
				// A writer without deadlines is a test's.
				_ = rc.SetReadDeadline(time.Now().Add(timeout))
				r.Body = &timedBody{ReadCloser: http.MaxBytesReader(w, r.Body, maxBytes), rc: rc}
			}
			next.ServeHTTP(w, r)
		})
	}
}

type timedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}
