package desk

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Decisions are what an editor decides about a draft.
type Decisions interface {
	Decide(ctx context.Context, d dispatch.Decision) (dispatch.Outcome, error)
	Choose(ctx context.Context, draftID, imageID, caller string) error
	// SetPicture copies a picture that a draft names into our own storage.
	SetPicture(ctx context.Context, draftID, url, caller string) (jobID string, err error)
	Describe(ctx context.Context, imageID, altText, caller string) (editorial.Image, error)
}

// Requests are what is asked of jobs.
type Requests interface {
	Submit(ctx context.Context, s dispatch.Submission) (job editorial.Job, replayed bool, err error)
	Cancel(ctx context.Context, jobID, caller string) (editorial.Job, error)
	Retry(ctx context.Context, jobID, caller string) (editorial.Job, error)
	Again(ctx context.Context, r dispatch.Repeat) (job editorial.Job, replayed bool, err error)
}

// DraftMaker makes the sample drafts.
type DraftMaker interface {
	CreateDraft(ctx context.Context, columns map[string]any) (editorial.Draft, error)
}

// DraftReads reads drafts; what there is none of is store.ErrNotFound.
type DraftReads interface {
	Draft(ctx context.Context, id string) (editorial.Draft, error)
	Drafts(ctx context.Context, f store.DraftFilter) (list []editorial.Draft, total int, err error)
	DraftCounts(ctx context.Context) (map[editorial.DraftStatus]int, error)
	Approvals(ctx context.Context, draftID string) ([]editorial.Approval, error)
}

// PictureReads reads what drafts show.
type PictureReads interface {
	DraftImagesOf(ctx context.Context, draftIDs []string) (map[string]editorial.DraftImages, error)
	ImagesOfDraft(ctx context.Context, draftID string) ([]editorial.Image, error)
	Images(ctx context.Context, ids []string) (map[string]editorial.Image, error)
	QueueHead(ctx context.Context) ([]string, error)
}

// JobReads reads jobs; what there is none of is store.ErrNotFound.
type JobReads interface {
	Job(ctx context.Context, id string) (editorial.Job, error)
	Jobs(ctx context.Context, f store.JobFilter) ([]editorial.Job, error)
	PresentRounds(ctx context.Context, draftIDs []string) (map[string]editorial.Job, error)
	CountFailed(ctx context.Context) (int, error)
}

// HistoryReads reads what happened.
type HistoryReads interface {
	Events(ctx context.Context, jobID string, after int64, limit int) ([]editorial.JobEvent, error)
	DraftEvents(ctx context.Context, draftID string, limit int) ([]editorial.JobEvent, error)
}

// PostReads reads posts; what there is none of is store.ErrNotFound.
type PostReads interface {
	Post(ctx context.Context, id string) (editorial.Post, error)
	Posts(ctx context.Context, f store.PostFilter) (list []editorial.Post, total int, err error)
	DraftImagesOfPosts(ctx context.Context, postIDs []string) (map[string]editorial.DraftImages, error)
}

// Progress tells how far pictures are that are being made; of what it knows
// nothing there is nothing in the map.
type Progress interface {
	Of(ctx context.Context, imageIDs ...string) map[string]editorial.Progress
}

// WatchFunc starts watching a topic, the id of a draft or a job, or
// [events.All]: changed has an element whenever something may have changed.
type WatchFunc func(topic string) (changed <-chan struct{}, stop func())

// Config is what the desk needs. Every field is required unless it says
// otherwise.
type Config struct {
	Dispatch interface {
		Decisions
		Requests
		DraftMaker
	}
	Store interface {
		DraftReads
		PictureReads
		JobReads
		HistoryReads
		PostReads
	}
	Progress   Progress // nil: none is shown
	Watch      WatchFunc
	Auth       auth.Authenticator
	Generators []string // names, in the order of asking
	Log        *slog.Logger
	// Samples offers to make sample drafts while there are none at all.
	Samples bool
	// Site is the public site's name as previews show it. Empty: "your site".
	Site string
	// Heartbeat is the pause after which a silent event stream sends a comment.
	// 0: 15 s.
	Heartbeat time.Duration
}

// Desk serves the editors' pages. It is safe for concurrent use.
type Desk struct {
	Config
	drain context.Context // ends when the server drains: streams close
	mux   http.Handler
	pages map[string]*template.Template
	files *files
	now   func() time.Time
}

// New returns the desk. When drain ends its event streams close, so that a
// server can stop without waiting for them.
func New(drain context.Context, c Config) *Desk {
	if c.Site == "" {
		c.Site = "your site"
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	d := &Desk{Config: c, drain: drain, files: embeddedFiles(), now: time.Now}
	d.pages = parsePages(d.files)
	d.mux = d.routes()
	return d
}

// ServeHTTP serves /desk and everything below it.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

// caller is the subject to record with what a request does.
func caller(ctx context.Context) string {
	if id := auth.FromContext(ctx); id != nil {
		return id.Subject
	}
	return ""
}

// reviewer is who a decision is signed by.
func reviewer(ctx context.Context) string {
	id := auth.FromContext(ctx)
	switch {
	case id == nil:
		return ""
	case id.Name != "":
		return id.Name
	default:
		return id.Subject
	}
}
