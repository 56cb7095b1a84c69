package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/edge"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/imagegen"
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

// handler is every route of the program. drain ends when the server drains:
// whoever waits for a picture then gets the answer so far.
func (a *App) handler(drain context.Context) (http.Handler, error) {
	mux := http.NewServeMux()
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
	site.Register(mux)
	jobs := v1.New(drain, v1.Config{
		Dispatch: a.dispatch, Store: a.store, Wait: waiter, Watch: a.watch, Journal: a.journal, Auth: callers,
		Progress: a.progress, WatchProgress: a.watchProgress,
		Generators: a.generatorList(), Health: a.inspector.health, Log: a.log, Version: Version(), CursorKey: a.cursorKey(),
	})
	for _, path := range []string{"/v1/", "/openapi.json", "/docs", "/docs/"} {
		mux.Handle(path, jobs)
	}
	pages := a.newDesk(drain, callers)
	a.mountDesk(mux, pages)
	login := a.loginHandler(pages.Login)
	mux.Handle(auth.LoginPath, login)
	mux.Handle(auth.LogoutPath, login)
	mux.Handle("GET "+cdn.LocalPrefix, a.images)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", a.inspector.ready)
	room := a.room(callers)
	mux.Handle("/ops", room)
	mux.Handle("/ops/", room)
	mux.Handle("GET /metrics", a.scrapes(callers))
	if err := a.mountRest(mux, site, callers); err != nil {
		return nil, err
	}
	around := edge.Config{
		Log: a.log, AllowedOrigins: a.cfg.AllowedOrigins, TrustedProxies: a.cfg.TrustedProxies,
		Fail: func(w http.ResponseWriter, r *http.Request, err error) {
			if strings.HasPrefix(r.URL.Path, "/v1/") {
				jobs.WriteError(w, r, err)
				return
			}
			site.Fail(w, r, err)
		},
	}
	return edge.Handler(telemetry.Requests(a.metrics, a.tracing, mux), around), nil
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
