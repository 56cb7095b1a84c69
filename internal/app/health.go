package app

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/siteapi"
)

// inspectTimeout bounds one look at one part.
const inspectTimeout = 2 * time.Second

// inspectFor is how long an answer is good: health pages are polled by many.
const inspectFor = 5 * time.Second

// inspector looks at the parts, each at most once in a while.
type inspector struct {
	app *App

	mu   sync.Mutex
	at   time.Time
	last siteapi.Condition
}

// Inspect implements siteapi.Inspector.
func (i *inspector) Inspect(ctx context.Context) siteapi.Condition {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.at) < inspectFor {
		return i.last
	}
	a := i.app
	c := siteapi.Condition{
		Database: part(ctx, a.store.Dialect(), a.store.Ping, "the database does not answer"),
		Queue:    part(ctx, a.queueKind(), a.queue.Ping, "Redis does not answer; jobs are accepted and wait"),
		// A bucket is tried by the uploads themselves; asking it here would
		// cost a request at every look.
		Storage: siteapi.Part{Name: a.bucket.Name(), OK: true},
		CDN:     siteapi.Part{Name: a.cdn.URL(""), OK: true},
	}
	c.Generators = a.inspectGenerators(ctx)
	i.last, i.at = c, time.Now()
	return c
}

// inspectGenerators looks at all at once: one that hangs delays no other.
func (a *App) inspectGenerators(ctx context.Context) []siteapi.Generator {
	list := a.chain.Generators()
	found := make([]siteapi.Generator, len(list))
	var looks sync.WaitGroup
	for n, g := range list {
		looks.Go(func() {
			found[n] = siteapi.Generator{
				Part:  part(ctx, g.Name(), g.Health, "does not answer"),
				Stock: imagegen.IsStock(g), Model: a.cfg.GeneratorList()[n].Kind != "card" && !imagegen.IsStock(g),
			}
		})
	}
	looks.Wait()
	return found
}

// health is why each generator is not available, "" for one that is.
func (i *inspector) health(ctx context.Context) map[string]string {
	health := make(map[string]string)
	for _, g := range i.Inspect(ctx).Generators {
		health[g.Name] = g.Detail
	}
	return health
}

func (a *App) queueKind() string {
	if a.cfg.Embedded() {
		return "embedded"
	}
	return "redis"
}

// part asks one part. What it answers may name hosts, so people get detail.
func part(ctx context.Context, name string, ask func(context.Context) error, detail string) siteapi.Part {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	if err := ask(ctx); err != nil {
		return siteapi.Part{Name: name, Detail: detail, Cause: err}
	}
	return siteapi.Part{Name: name, OK: true}
}

// ready answers whether requests can be served: without the database none can,
// without the queue or the generators they are accepted and wait.
func (i *inspector) ready(w http.ResponseWriter, r *http.Request) {
	a := i.app
	database := part(r.Context(), "database", a.store.Ping, "the database does not answer")
	queue := part(r.Context(), "queue", a.queue.Ping, "Redis does not answer; jobs are accepted and wait")
	status := http.StatusOK
	if !database.OK {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"ready": database.OK, "parts": []siteapi.Part{database, queue}, "generators": i.Inspect(r.Context()).Generators,
	})
}
