package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/edge"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/ops"
	"github.com/glad-labs/frontispiece/internal/siteapi"
	"github.com/glad-labs/frontispiece/internal/telemetry"
	"github.com/glad-labs/frontispiece/internal/v1"
)

// RunAPI answers requests until ctx ends, and then drains.
func (a *App) RunAPI(ctx context.Context, stdout io.Writer) error {
	listener, err := edge.Listen(ctx, a.cfg.ListenAddr)
	if err != nil {
		return err
	}
	h, err := a.handler(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	serving, ctx := errgroup.WithContext(ctx)
	serving.Go(func() error { return a.serveWatchers(ctx) })
	a.banner(stdout, listener.Addr())
	serving.Go(func() error { return edge.Serve(ctx, listener, h, a.cfg.ShutdownGrace, a.log) })
	return serving.Wait()
}

// handler is every route of the program, and what stands around them. drain ends
// when the server drains: whoever waits for a picture then gets the answer so far.
func (a *App) handler(drain context.Context) (http.Handler, error) {
	r, err := a.router(drain)
	if err != nil {
		return nil, err
	}
	return a.around(r), nil
}

// router mounts every route.
func (a *App) router(drain context.Context) (*router, error) {
	callers := a.authenticator()
	waiter := events.NewWaiter(a.hub, a.journal, a.store)
	deps := siteapi.Deps{
		Dispatch: a.dispatch, Store: a.store, Waiter: waiter, Progress: a.progress, Links: a.cdn, Inspector: a.inspector,
		Auth: callers, Log: a.log, SyncWait: a.cfg.SyncWait, Drain: drain, Version: Version(),
	}
	if r := a.revalidator(); r != nil {
		deps.Revalidator = r
	}
	if s := a.stockSearch(); s != nil {
		deps.Stock = s
	}
	site := siteapi.New(deps)
	jobs := v1.New(drain, v1.Config{
		Dispatch: a.dispatch, Store: a.store, Wait: waiter, Watch: a.watch, Journal: a.journal, Auth: callers,
		Progress: a.progress, WatchProgress: a.watchProgress,
		Generators: a.generatorList(), Health: a.inspector.health, Log: a.log, Version: Version(), CursorKey: a.cursorKey(),
	})
	r := &router{mux: http.NewServeMux(), site: site, jobs: jobs}
	for _, path := range []string{"/v1/", "/openapi.json", "/docs", "/docs/"} {
		r.mount(path, jobs, jobs.Routes()...)
	}
	site.Register(r.mux)
	r.routes = append(r.routes, site.Routes()...)
	pages := a.newDesk(drain, callers)
	a.mountDesk(r, pages)
	a.mountLogin(r, pages.Login)
	room := a.room(callers)
	r.mount("/ops", room, ops.Routes()...)
	r.mount("/ops/", room)
	r.mount("GET /metrics", a.scrapes(callers), auth.Route{
		Section: ops.Section, Method: http.MethodGet, Path: "/metrics", Role: auth.Operator,
		Summary: "Tell the metrics (Prometheus); METRICS_TOKEN opens it, too",
	})
	a.mountOpen(r)
	return r, a.mountRest(r.mux, site, callers)
}

// mountOpen mounts what needs no caller.
func (a *App) mountOpen(r *router) {
	const section = "Pictures and health"
	r.mount("GET "+cdn.LocalPrefix, a.images, auth.Route{
		Section: section, Method: http.MethodGet, Path: cdn.LocalPrefix + "{key...}", Summary: "Serve a stored picture, or lead to it",
	})
	r.mount("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }),
		auth.Route{Section: section, Method: http.MethodGet, Path: "/healthz", Summary: "Say that the process lives"})
	r.mount("GET /readyz", http.HandlerFunc(a.inspector.ready),
		auth.Route{Section: section, Method: http.MethodGet, Path: "/readyz", Summary: "Say whether it can do its work, 503 when not"})
}

// around puts what is the same for all routes around them.
func (a *App) around(r *router) http.Handler {
	return edge.Handler(telemetry.Requests(a.metrics, a.tracing, r.mux), edge.Config{
		Log: a.log, AllowedOrigins: a.cfg.AllowedOrigins, TrustedProxies: a.cfg.TrustedProxies, Fail: r.fail,
	})
}

// mountRest mounts what answers paths that no route serves: the site's present
// backend where there is one, else a plain refusal in the site's envelope.
func (a *App) mountRest(mux *http.ServeMux, site *siteapi.API, callers auth.Authenticator) error {
	if a.cfg.SiteBackendURL.IsZero() {
		mux.Handle("/api/", site.NotFound())
		return nil
	}
	backend, err := url.Parse(a.cfg.SiteBackendURL.Reveal())
	if err != nil {
		return errors.New("SITE_BACKEND_URL is not a URL")
	}
	pass := site.Pass(backend)
	if !a.knowsCallers {
		// Tokens are the backend's to check, but this machine's doors are ours.
		pass = callers.Middleware(site.Fail)(pass)
	}
	mux.Handle("/", pass)
	return nil
}

// cursorKey is shared by every process that serves the same callers, who have
// the site's secret in common or else the database's address with its password.
// On loopback there is one process, and its cursors end with it.
func (a *App) cursorKey() []byte {
	shared := a.cfg.JWTSecretKey.Reveal()
	switch {
	case !a.knowsCallers:
		return nil
	case shared == "":
		shared = a.cfg.DatabaseURL.Reveal()
	}
	sum := sha256.Sum256([]byte("list cursors\x00" + shared))
	return sum[:]
}

func (a *App) watch(jobID string) (<-chan struct{}, func()) {
	w := a.hub.Watch(jobID)
	return w.C(), w.Close
}

func (a *App) watchProgress(jobID string) (<-chan struct{}, func()) {
	return a.watch(events.ProgressOf(jobID))
}

func (a *App) generatorList() []v1.Generator {
	var list []v1.Generator
	for _, g := range a.chain.Generators() {
		kind := "generated"
		if imagegen.IsStock(g) {
			kind = "stock"
		}
		list = append(list, v1.Generator{Name: g.Name(), Kind: kind, Concurrency: imagegen.SettingsOf(g).Concurrency})
	}
	return list
}
