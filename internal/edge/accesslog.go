package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// maxLogged bounds what a client can write into a line of the log, in bytes.
const maxLogged = 256

// accessLog writes one line a request when it ends: errors of ours as errors,
// the probes of orchestrators at debug level. What a client did not wait for is
// no error, whatever its status would have been. A request whose connection was
// taken ends when that is closed. It logs no query values, no headers but the
// user agent and no bodies: prompts, keys and tokens are in those. Whatever the
// client chose is cut short, and quoting it is slog's.
func accessLog(log *slog.Logger) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := record(w)
			begun := time.Now()
			// The router strips prefixes off the request that it passes on.
			method, path := cut(r.Method), cut(r.URL.Path)
			client, agent, id := remote(r), cut(r.UserAgent()), RequestID(r.Context())
			ctx := r.Context() // and not r, which would be kept for as long as a taken connection
			rec.ended = func() {
				status := rec.status
				if status == 0 {
					status = http.StatusOK
				}
				log.LogAttrs(ctx, levelOf(ctx, path, status), "request",
					slog.String("method", method), slog.String("path", path), slog.Int("status", status),
					slog.Int64("bytes", rec.bytes), slog.Duration("took", time.Since(begun).Round(time.Microsecond)),
					slog.String("remote", client), slog.String("agent", agent), slog.String("request_id", id))
			}
			defer func() {
				if !rec.taken {
					rec.ended()
				}
			}()
			next.ServeHTTP(rec, r)
		})
	}
}

func levelOf(ctx context.Context, path string, status int) slog.Level {
	switch {
	case status >= http.StatusInternalServerError && !errors.Is(ctx.Err(), context.Canceled):
		return slog.LevelError
	case path == "/healthz" || path == "/readyz" || path == "/metrics":
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}

func cut(s string) string {
	if len(s) > maxLogged {
		s = s[:maxLogged] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// remote is the client's address, without the port, which says nothing and
// breaks grouping.
func remote(r *http.Request) string {
	if addr := ClientAddr(r); addr.IsValid() {
		return addr.String()
	}
	return cut(r.RemoteAddr)
}

// errPanic is what a client's API makes of a panic; the log has the rest.
var errPanic = errors.New("a handler panicked")

// recoverPanic answers 500 when a handler panics and logs where. An answer that had
// begun is broken off instead, so that nobody takes half of it for the whole.
func recoverPanic(log *slog.Logger, fail ErrorFunc) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := record(w)
			defer func() { //nolint:contextcheck // the request has it
				v := recover()
				if v == nil {
					return
				}
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v) // somebody's wish, not a fault
				}
				log.ErrorContext(r.Context(), "a handler panicked", "panic", v, "method", r.Method,
					"path", cut(r.URL.Path), "request_id", RequestID(r.Context()), "stack", string(debug.Stack()))
				if rec.status != 0 || rec.taken {
					panic(http.ErrAbortHandler)
				}
				fail(rec, r, errPanic)
			}()
			next.ServeHTTP(rec, r)
		})
	}
}
