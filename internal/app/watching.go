package app

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/edge"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/ops"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// openTracing has this process trace when somebody collects.
func (a *App) openTracing(ctx context.Context, part Part) error {
	if a.cfg.OTLPEndpoint.IsZero() {
		return nil
	}
	service := "frontispiece-api"
	if part == Worker {
		service = "frontispiece-worker"
	}
	endpoint := strings.TrimRight(a.cfg.OTLPEndpoint.Reveal(), "/") + "/v1/traces"
	tracing, err := telemetry.OpenTracing(ctx, endpoint, service, Version())
	if err != nil {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT %s: %w", a.cfg.OTLPEndpoint, err)
	}
	a.tracing = tracing
	a.onClose(func() error {
		// What is left is worth a moment and not the shutdown.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inspectTimeout)
		defer cancel()
		_ = tracing.Close(ctx)
		return nil
	})
	return nil
}

// scrapes answers /metrics to operators, and to whoever has the token: metrics
// tell of volumes, hosts and failures, which are nobody's but the operators',
// and a scraper has no user's account.
func (a *App) scrapes(callers auth.Authenticator) http.Handler {
	serve := a.metrics.Handler()
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		status := http.StatusUnauthorized
		var e *editorial.Error
		if errors.As(err, &e) {
			switch e.Kind {
			case editorial.Forbidden:
				status = http.StatusForbidden
			case editorial.Limited:
				status = http.StatusTooManyRequests
			}
		}
		http.Error(w, "send the bearer token of METRICS_TOKEN, or be an operator", status)
	}
	operators := callers.Middleware(fail)(auth.Require(auth.Operator, fail)(serve))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.hasMetricsToken(r) {
			serve.ServeHTTP(w, r)
			return
		}
		operators.ServeHTTP(w, r)
	})
}

// hasMetricsToken compares digests, so that neither length nor content shows in
// the time it takes.
func (a *App) hasMetricsToken(r *http.Request) bool {
	if a.cfg.MetricsToken.IsZero() {
		return false
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	want, got := sha256.Sum256([]byte(a.cfg.MetricsToken.Reveal())), sha256.Sum256([]byte(given))
	return ok && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// serveWatchers answers on METRICS_ADDR until ctx ends: a worker has no other
// port, and an API's may be open to the world. Without a token it is for this
// machine alone, and distrusts proxies and foreign names as the API does.
func (a *App) serveWatchers(ctx context.Context) error {
	if a.cfg.MetricsAddr == "" {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.MetricsAddr)
	if err != nil {
		return fmt.Errorf("listen on METRICS_ADDR %s: %w", a.cfg.MetricsAddr, err)
	}
	return edge.Serve(ctx, listener, a.watchers(), time.Second, a.log)
}

// watchers is what METRICS_ADDR answers.
func (a *App) watchers() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.scrapes(a.metricsReaders()))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", a.inspector.ready)
	return mux
}

func (a *App) metricsReaders() auth.Authenticator {
	if a.cfg.MetricsToken.IsZero() {
		return auth.Authenticator{auth.Loopback()}
	}
	return nil // the token and nothing else
}

// room is the operators' room, with its collector among the metrics.
func (a *App) room(callers auth.Authenticator) http.Handler {
	room := ops.New(ops.Config{
		Rows: a.store, Queues: a.queue, Changes: a.dispatch, Generators: a.generatorHealth, Budgets: a.budgets,
		Watchers: a.journal.Watching, Auth: callers, Log: a.log, Fail: ops.Refuse(a.log),
		SpoolLostAfter: a.cfg.SpoolLostAfter, Version: Version(),
	})
	a.metrics.Add(room.Collector())
	return room.Handler(ops.Dashboard(a.queue.ConnOpt(), a.store))
}

func (a *App) generatorHealth(ctx context.Context) []ops.Generator {
	var list []ops.Generator
	for _, g := range a.inspector.Inspect(ctx).Generators {
		detail := g.Detail
		if g.Cause != nil {
			detail = imagegen.AsError(g.Cause).Message
		}
		list = append(list, ops.Generator{Name: g.Name, Stock: g.Stock, OK: g.OK, Detail: detail})
	}
	return list
}

// budgets is what the configured generators may still use: money, where any of
// it is spent or capped, and Pexels' requests.
func (a *App) budgets(ctx context.Context) (list []ops.Budget, err error) {
	var names []string
	for _, g := range a.chain.Generators() {
		names = append(names, g.Name())
	}
	purse, err := a.dispatch.Purse(ctx, names)
	if err != nil {
		return nil, err
	}
	if purse.Cap > 0 || purse.Spent > 0 {
		list = append(list, ops.Budget{
			Name: "pictures this month", Unit: ops.UnitUSD, Used: purse.Spent, Limit: purse.Cap, Spent: len(purse.PassedOver) > 0,
			Do: "Raise SPEND_CAP, or wait for the first of the month (UTC). Not asked until then: " + strings.Join(purse.PassedOver, ", ") + ".",
		})
	}
	if a.stock == nil {
		return list, nil
	}
	hour, month, err := a.stock.Used(ctx)
	if err != nil {
		return nil, err
	}
	return append(list,
		ops.Budget{Name: "pexels this hour", Unit: "requests", Used: float64(hour), Limit: pexelsPerHour, Spent: hour >= pexelsPerHour},
		ops.Budget{Name: "pexels this month", Unit: "requests", Used: float64(month), Limit: pexelsPerMonth, Spent: month >= pexelsPerMonth},
	), nil
}
