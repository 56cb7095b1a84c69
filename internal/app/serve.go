package app

import (
	"context"
	"net"
	"net/http"
	"time"
)

func (a *App) around(h http.Handler) http.Handler { return h }

func (a *App) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { s.Shutdown(context.Background()) })
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}
