package v1

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/singleflight"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/events"
	"github.com/glad-labs/frontispiece/internal/store"
)

// JobChanges are the changes that a client may ask of a job.
type JobChanges interface {
	Submit(ctx context.Context, s dispatch.Submission) (job editorial.Job, replayed bool, err error)
	Cancel(ctx context.Context, jobID, caller string) (editorial.Job, error)
	Retry(ctx context.Context, jobID, caller string) (editorial.Job, error)
	Again(ctx context.Context, r dispatch.Repeat) (job editorial.Job, replayed bool, err error)
}

// DraftChanges are the decisions of an editor.
type DraftChanges interface {
	Decide(ctx context.Context, d dispatch.Decision) (dispatch.Outcome, error)
	Choose(ctx context.Context, draftID, imageID, caller string) error
}

// EndpointChanges are what an operator does to webhooks.
type EndpointChanges interface {
	CreateEndpoint(ctx context.Context, c dispatch.EndpointChange, caller string) (store.Endpoint, error)
	ChangeEndpoint(ctx context.Context, id string, c dispatch.EndpointChange) (store.Endpoint, error)
	RotateSecret(ctx context.Context, id string, overlap time.Duration) (store.Endpoint, error)
	RemoveEndpoint(ctx context.Context, id string) error
}

// DeliveryChanges have webhooks called.
type DeliveryChanges interface {
	Ping(ctx context.Context, endpointID string) (store.Delivery, error)
	Resend(ctx context.Context, endpointID, deliveryID string) (store.Delivery, error)
}

// EndpointReads reads webhooks; what there is none of is store.ErrNotFound.
type EndpointReads interface {
	Endpoint(ctx context.Context, id string) (store.Endpoint, error)
	Endpoints(ctx context.Context) ([]store.Endpoint, error)
	Deliveries(ctx context.Context, f store.DeliveryFilter) ([]store.Delivery, error)
}

// JobReads reads jobs; what there is none of is store.ErrNotFound.
type JobReads interface {
	Job(ctx context.Context, id string) (editorial.Job, error)
	Jobs(ctx context.Context, f store.JobFilter) ([]editorial.Job, error)
	EventLog(ctx context.Context, f store.EventFilter) ([]editorial.JobEvent, error)
	QueuePosition(ctx context.Context, img editorial.Image) (int, error)
}

// DraftReads reads drafts; what there is none of is store.ErrNotFound.
type DraftReads interface {
	Draft(ctx context.Context, id string) (editorial.Draft, error)
	Drafts(ctx context.Context, f store.DraftFilter) (list []editorial.Draft, total int, err error)
	DraftImages(ctx context.Context, draftID string) (editorial.DraftImages, error)
	Approvals(ctx context.Context, draftID string) ([]editorial.Approval, error)
}

// PostReads reads posts; what there is none of is store.ErrNotFound.
type PostReads interface {
	Post(ctx context.Context, id string) (editorial.Post, error)
	PostBySlug(ctx context.Context, slug string) (editorial.Post, error)
}

// TermReads reads what a post is filed under.
type TermReads interface {
	Author(ctx context.Context, id string) (editorial.Term, error)
	Category(ctx context.Context, id string) (editorial.Term, error)
	PostTags(ctx context.Context, postID string) ([]editorial.Term, error)
}

// Waiter waits for a job to end.
type Waiter interface {
	// WaitJob returns the job when it is final, or as it stands when ctx ends.
	// That ctx ended is not an error.
	WaitJob(ctx context.Context, jobID string) (editorial.Job, error)
}

// WatchFunc starts watching a job: changed has an element whenever the job may
// have changed since it was last read. It may tell too often and, when a note
// is lost, too rarely. stop frees it. [events.All] stands for every job.
type WatchFunc func(jobID string) (changed <-chan struct{}, stop func())

// ProgressReads tells how far images are that are being generated; of an image
// that is not in the answer nothing is known. It never takes long.
type ProgressReads interface {
	Of(ctx context.Context, imageIDs ...string) map[string]editorial.Progress
}

// Journal has what happens to jobs in the memory of the process; see
// [events.Journal].
type Journal interface {
	Follow(ctx context.Context, topics ...string) (*events.Watcher, error)
	Since(after int64, match func(*editorial.JobEvent) bool) (list []editorial.JobEvent, head int64, whole bool)
}

// Generator is a configured way to get pictures, in the order of asking.
type Generator struct {
	Name string `json:"name" doc:"As in a candidate's backend" example:"card"`
	Kind string `json:"kind" enum:"stock,generated" doc:"Which member of a job's sources asks it"`
	// Concurrency is 0 for one without a limit of its own.
	Concurrency int    `json:"concurrency,omitempty" doc:"Pictures at once in each worker; absent without a limit of its own"`
	Available   *bool  `json:"available,omitempty" doc:"Whether it answered a moment ago; jobs for one that does not are accepted and wait"`
	Detail      string `json:"detail,omitempty" doc:"Why it is not available"`
}

// Config is what the API needs. Every field is required unless it says
// otherwise.
type Config struct {
	Dispatch interface {
		JobChanges
		DraftChanges
		EndpointChanges
		DeliveryChanges
	}
	Store interface {
		JobReads
		DraftReads
		PostReads
		TermReads
		EndpointReads
	}
	Wait    Waiter
	Watch   WatchFunc
	Journal Journal
	// Progress and WatchProgress, which is told when it changes, may be nil:
	// then none is shown. Progress changes no row, so Watch does not tell of it.
	Progress      ProgressReads
	WatchProgress WatchFunc

	Auth       auth.Authenticator
	Generators []Generator
	// Health tells, by name, why a generator is not available, "" for one that
	// is. It answers from memory most of the time; nil: nobody looks.
	Health func(ctx context.Context) map[string]string
	Log    *slog.Logger
	// Version of the program, shown in the OpenAPI description. Empty: "dev".
	Version string
	// CursorKey authenticates list cursors, so that one can be neither read
	// into nor altered. Processes that serve the same clients share it. Nil: a
	// random one, with which cursors end when the process does.
	CursorKey []byte
	// Heartbeat is the pause after which a silent event stream sends a comment.
	// 0: 15 s.
	Heartbeat time.Duration
	// BodyTimeout is how long a request's body may take to arrive. 0: 10 s.
	BodyTimeout time.Duration
}

// API is the jobs API. It is safe for concurrent use.
type API struct {
	Config
	drain  context.Context // ends when the server drains
	huma   huma.API
	mux    http.Handler
	recent *recent
	tail   tail
	looks  singleflight.Group // that all who follow a job would take at once
}

// New returns the API. When drain ends, long polls answer with what is there
// and streams close, so that a server can stop without waiting for them; other
// requests are not touched.
func New(drain context.Context, c Config) *API {
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = 10 * time.Second
	}
	if len(c.CursorKey) == 0 {
		c.CursorKey = []byte(rand.Text())
	}
	a := &API{Config: c, drain: drain, recent: newRecent(c.Watch, c.WatchProgress)}
	a.mux = a.routes()
	return a
}

// ServeHTTP serves /v1/…, /openapi.json and /docs.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// caller is the subject to record with what a request does.
func caller(ctx context.Context) string {
	if id := auth.FromContext(ctx); id != nil {
		return id.Subject
	}
	return ""
}
