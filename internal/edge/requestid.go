package edge

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

// HeaderRequestID names a request, in answers, logs and error bodies.
const HeaderRequestID = "X-Request-ID"

// canonicalRequestID is how headers spell it; any other spelling is made into
// this one, again for every request.
var canonicalRequestID = http.CanonicalHeaderKey(HeaderRequestID)

type requestIDKey struct{}

// RequestID is the id of the request under way, "" outside one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// identify gives every request an id: the caller's own, when it is one that can
// stand in a log, else a UUID. It is in the answer's header before any other
// handler runs, in the request's, for whoever passes that on, and in the context.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(canonicalRequestID)
		if !isSane(id) {
			id = uuid.NewString()
		}
		r.Header.Set(canonicalRequestID, id)
		w.Header().Set(canonicalRequestID, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// maxRequestID is the length of the longest id that proxies are known to make,
// with room.
const maxRequestID = 128

func isSane(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '=', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}
