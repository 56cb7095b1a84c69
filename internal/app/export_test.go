package app

import (
	"context"
	"net/http"

	"github.com/glad-labs/frontispiece/internal/auth"
)

// Handler is every route, for tests that need no listener.
func (a *App) Handler(drain context.Context) (http.Handler, []auth.Route, error) {
	r, err := a.router(drain)
	if err != nil {
		return nil, nil, err
	}
	return a.around(r), r.routes, nil
}
