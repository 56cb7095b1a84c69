// Package edge is what stands around every route of the program: request ids,
// the client's address, the access log, recovery from panics, security headers, CORS, limits of
// address and body, slow clients, compression, and a server that drains.
//
// Each is a small middleware that knows no route and no caller; [Handler] puts
// them in the one order that works. Who may do what is auth's, how often is
// for the rate limits of each API.
//
// The trap: a middleware that wraps the ResponseWriter hides what the server's
// own can do. Wrappers here have Unwrap, and handlers must use
// http.ResponseController instead of asserting http.Flusher.
package edge

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// Middleware adds something to a handler.
type Middleware = func(http.Handler) http.Handler

// ErrorFunc answers with an error in the envelope of the API that was called.
type ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)

// Config is what [Handler] needs.
type Config struct {
	Log            *slog.Logger
	AllowedOrigins []string       // whose pages may call from a browser; empty for none
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed; empty for none
	Fail           ErrorFunc      // answers what is refused here, and panics
	MaxBody        int64          // bytes of a request's body. 0: 2 MiB
	BodyTimeout    time.Duration  // for a body to arrive. 0: 30 s
	WriteTimeout   time.Duration  // for a client to take what was written. 0: 1 min
}

// Handler puts everything around h, outermost first: whatever is answered has
// an id and a line in the log, a panic is recovered where its status can still
// be logged, and a refusal carries the headers that let a browser read it.
func Handler(h http.Handler, c Config) http.Handler {
	if c.MaxBody == 0 {
		c.MaxBody = 2 << 20
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = 30 * time.Second
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = time.Minute
	}
	around := []Middleware{
		identify,
		findClient(c.TrustedProxies, c.Log),
		accessLog(c.Log),
		recoverPanic(c.Log, c.Fail),
		dropSlowClients(c.WriteTimeout),
		secure,
		cors(c.AllowedOrigins),
		limitAddress(c.Fail),
		limitBody(c.MaxBody, c.BodyTimeout),
		compress(),
	}
	for i := len(around) - 1; i >= 0; i-- {
		h = around[i](h)
	}
	return h
}
