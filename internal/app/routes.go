package app

import (
	"net/http"
	"slices"
	"strings"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/siteapi"
	"github.com/glad-labs/frontispiece/internal/v1"
)

// router is a mux that knows what it serves: docs/api.md is written from it,
// and a test asks each route whether it demands the role that stands there.
type router struct {
	mux    *http.ServeMux
	routes []auth.Route
	// The two faces, for errors that arise before either of them is asked.
	site *siteapi.API
	jobs *v1.API
}

// fail answers in the envelope of the face that a path belongs to.
func (r *router) fail(w http.ResponseWriter, req *http.Request, err error) {
	if strings.HasPrefix(req.URL.Path, "/v1/") {
		r.jobs.WriteError(w, req, err)
		return
	}
	r.site.Fail(w, req, err)
}

// mount serves a pattern, which the routes describe.
func (r *router) mount(pattern string, h http.Handler, routes ...auth.Route) {
	r.mux.Handle(pattern, h)
	for _, route := range routes {
		// A face that is mounted under several patterns lists all of its routes
		// with each.
		if !slices.Contains(r.routes, route) {
			r.routes = append(r.routes, route)
		}
	}
}
