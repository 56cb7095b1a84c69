package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Limits of a connection. There is no limit for a whole answer: long polls and
// event streams are long, and [Handler] bounds every write.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// Listen opens addr, host:port. Its errors name LISTEN_ADDR and what to do.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: another program listens there already; stop it, or set LISTEN_ADDR to another port", addr)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: this user may not open that port; set LISTEN_ADDR to one above 1023", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen on %s: this machine has no such address; set LISTEN_ADDR to one that it has, or to :port for all", addr)
	case err != nil:
		return nil, fmt.Errorf("listen on %q (LISTEN_ADDR): %w", addr, err)
	}
	return ln, nil
}

// Serve serves h on ln until ctx ends, and then drains: no new connections,
// what is being answered gets grace to finish, be it by a handler or by
// [Detach]. It returns nil after a clean drain, and an error when requests had
// to be cut off or the listener broke.
//
// The requests' contexts do not end with ctx: a request in the middle of its
// work is let finish it. What waits for long must watch ctx by itself.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, grace time.Duration, log *slog.Logger) error {
	open := &taken{conns: make(map[*takenConn]struct{})}
	server := &http.Server{
		Handler:           open.from(h),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // strangers' broken connections
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	broken := make(chan error, 1)
	go func() { broken <- server.Serve(ln) }()
	select {
	case err := <-broken:
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(drain)
	if err == nil {
		err = open.wait(drain)
	}
	if err != nil {
		_ = server.Close() // the first error is the one to tell
		open.cut()
		return fmt.Errorf("drain %s: some requests did not finish within %s and were cut off: %w", ln.Addr(), grace, err)
	}
	return nil
}
