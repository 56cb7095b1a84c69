// Package siteapi is the site's API: the routes that the site's front ends call,
// field by field as they call them, over dispatch and store.
//
// It holds no rules. What may be decided is dispatch's, what may follow what is
// editorial's; here a request becomes a call and an answer becomes the shape
// that the front ends read, with new fields only ever added. It deliberately
// neither sets CORS, compresses nor limits rates: those are wrapped around it.
//
// Its one trap: the front ends treat an empty image_url and success:false as
// the failure, not the status code, so the media routes answer 200 for every
// request that was understood.
package siteapi

import (
	"context"
	"log/slog"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
)

// Deps is what an API needs. Drain, Progress, Stock, Revalidator and Now may be nil.
type Deps struct {
	// Dispatch is a *dispatch.Dispatch.
	Dispatch interface {
		Submitter
		Editor
		Drafter
	}
	// Store is a *store.Store.
	Store interface {
		DraftReader
		PictureReader
		PostReader
		TermReader
	}
	Waiter      Waiter
	Progress    Progress // nil: none is shown
	Links       Links
	Inspector   Inspector
	Stock       Stock       // nil: no stock photos are configured
	Revalidator Revalidator // nil: the site is not told

	Auth auth.Authenticator
	Log  *slog.Logger
	// SyncWait is how long the image routes wait for a picture before they
	// answer with the job's id. The server's write timeout must be longer.
	SyncWait time.Duration
	// Drain ends when the server drains: requests that wait for a picture then
	// answer with the job as it stands.
	Drain   context.Context
	Version string           // of the program, told by /api/health
	Now     func() time.Time // if nil, time.Now
}

// API answers the site's routes. It is safe for concurrent use.
type API struct {
	Deps
}

// New returns an API.
func New(d Deps) *API {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Drain == nil {
		d.Drain = context.Background()
	}
	return &API{Deps: d}
}
