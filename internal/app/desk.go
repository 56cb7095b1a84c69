package app

import (
	"context"
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/desk"
	"github.com/glad-labs/frontispiece/internal/events"
)

// newDesk is the editors' pages over the same rows and the same dispatch as
// both APIs.
func (a *App) newDesk(drain context.Context, callers auth.Authenticator) *desk.Desk {
	var names []string
	for _, g := range a.chain.Generators() {
		names = append(names, g.Name())
	}
	return desk.New(drain, desk.Config{
		Dispatch: a.dispatch, Store: a.store, Watch: a.watchDesk, Progress: a.progress, Auth: callers, Generators: names, Log: a.log,
		Samples: a.cfg.Embedded(), Site: a.siteName(),
	})
}

// watchDesk watches a draft, a job or everything, and how far its pictures are.
func (a *App) watchDesk(topic string) (<-chan struct{}, func()) {
	w := a.hub.Watch(topic, events.ProgressOf(topic))
	return w.C(), w.Close
}

// siteName is what previews call the public site: the host that is told of
// published posts; empty when there is none.
func (a *App) siteName() string {
	if a.cfg.RevalidateURL.IsZero() {
		return ""
	}
	return a.cfg.RevalidateURL.Host()
}

// mountDesk mounts the desk, and leads a browser there from the root unless the
// site's present backend answers that.
func (a *App) mountDesk(r *router, d *desk.Desk) {
	r.mount("/desk", d, d.Routes()...)
	r.mount("/desk/", d)
	if !a.cfg.SiteBackendURL.IsZero() {
		return
	}
	toDesk := func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, "/desk", http.StatusSeeOther)
	}
	r.mount("GET /{$}", http.HandlerFunc(toDesk), auth.Route{
		Section: desk.Section, Method: http.MethodGet, Path: "/", Summary: "Lead a browser to the desk",
	})
}
