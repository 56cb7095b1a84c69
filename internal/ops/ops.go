// Package ops is the operators' room: one page that says what is stuck, why and
// what to press, the queue dashboard behind it, and the same facts as metrics.
//
// It decides nothing. What it shows is read from the rows and from Redis, at
// most once every few seconds however many look; what its buttons do is
// dispatch's. It deliberately keeps no history: that is Prometheus'.
//
// The trap is that the page is needed most when something is down. Every part
// is looked at with a time limit of its own, and what cannot be seen is shown
// as such instead of failing the page.
package ops

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Rows is what is read from the database.
type Rows interface {
	Survey(ctx context.Context) (store.Survey, time.Time, error)
	Workers(ctx context.Context) ([]store.Worker, error)
	Spools(ctx context.Context) ([]store.Spool, error)
	Troubles(ctx context.Context, limit int) ([]store.Trouble, error)
}

// Queues is the queue.
type Queues interface {
	Conditions(ctx context.Context) ([]queue.Condition, error)
	Resume(ctx context.Context, name string) error
}

// Changes are the buttons.
type Changes interface {
	Retry(ctx context.Context, jobID, caller string) (editorial.Job, error)
	Reconcile(ctx context.Context) (dispatch.Report, error)
}

// Generator is a configured generator and whether it would answer now.
type Generator struct {
	Name   string
	Stock  bool
	OK     bool
	Detail string // why not and what to do, for an operator: it may name hosts
}

// UnitUSD is the unit of budgets of money.
const UnitUSD = "USD"

// Budget is something of which only so much may be used.
type Budget struct {
	Name        string // "pexels requests this hour"
	Unit        string // "requests", UnitUSD
	Used, Limit float64
	// Spent says that the next use would be refused: a picture may cost more
	// than is left.
	Spent bool
	Do    string // what raises it, or "" when only waiting helps
}

// Config is what a Room needs. Every field is required but Budgets and Watchers.
type Config struct {
	Rows    Rows
	Queues  Queues
	Changes Changes
	// Generators asks each for its health, within a few seconds.
	Generators func(ctx context.Context) []Generator
	Budgets    func(ctx context.Context) ([]Budget, error)
	Watchers   func() int // event streams and long polls that are open in this process
	Auth       auth.Authenticator
	Log        *slog.Logger
	// Fail answers a request that is refused, for a person at a browser.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
	// SpoolLostAfter is the silence after which a spool's pictures are made anew.
	SpoolLostAfter time.Duration
	Version        string
}

// Room is the operators' room. It is safe for concurrent use.
type Room struct {
	Config
	seen cache
}

// New returns a room.
func New(c Config) *Room {
	if c.Budgets == nil {
		c.Budgets = func(context.Context) ([]Budget, error) { return nil, nil }
	}
	if c.Watchers == nil {
		c.Watchers = func() int { return 0 }
	}
	return &Room{Config: c}
}

// Handler serves /ops, its buttons and, below /ops/queues, the dashboard.
// Everything needs the operator's role, and whatever changes something must
// come from our own pages: a browser sends its cookie along with a stranger's
// form.
func (o *Room) Handler(dashboard http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ops", o.page)
	mux.HandleFunc("POST /ops/retry", o.retry)
	mux.HandleFunc("POST /ops/reconcile", o.reconcile)
	mux.HandleFunc("POST /ops/resume", o.resume)
	mux.Handle("/ops/queues/", dashboard)
	mux.Handle("GET /ops/queues", http.RedirectHandler(Root+"/", http.StatusSeeOther))
	mux.Handle("GET /ops/{$}", http.RedirectHandler("/ops", http.StatusSeeOther))
	all := http.NewServeMux()
	guarded := o.Auth.Middleware(o.Fail)(auth.Require(auth.Operator, o.Fail)(mux))
	all.Handle("/ops", guarded)
	all.Handle("/ops/", guarded)
	all.Handle("GET /ops/static/", static()) // a refusal wants its style too
	return crossOrigin(all)
}

// Section is the operators' part of docs/api.md.
const Section = "Operations"

// Routes describes what [Room.Handler] serves, for docs/api.md. The dashboard's
// own are its affair; docs/dashboard.md says what its buttons do.
func Routes() []auth.Route {
	line := func(method, path, summary string) auth.Route {
		return auth.Route{Section: Section, Method: method, Path: path, Role: auth.Operator, Summary: summary}
	}
	return []auth.Route{
		line(http.MethodGet, "/ops", "Show what is healthy, what is stuck and what to press"),
		line(http.MethodPost, "/ops/retry", "Send failed jobs back to the stage at which they failed"),
		line(http.MethodPost, "/ops/reconcile", "Ring what the rows say is due"),
		line(http.MethodPost, "/ops/resume", "Resume a queue that was paused"),
		{Section: Section, Method: http.MethodGet, Path: "/ops/static/{name}", Summary: "Serve the room's style and script"},
		line(http.MethodGet, Root, "Lead to the dashboard of the queue"),
		line(http.MethodGet, Root+"/{path...}", "Show the dashboard of the queue, with its buttons"),
	}
}

// crossOrigin refuses what another site's page sends, by Sec-Fetch-Site or by
// comparing Origin with Host.
func crossOrigin(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(next)
}
