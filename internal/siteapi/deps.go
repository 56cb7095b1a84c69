package siteapi

import (
	"context"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Submitter accepts jobs and stops them.
type Submitter interface {
	Submit(ctx context.Context, s dispatch.Submission) (job editorial.Job, replayed bool, err error)
	Cancel(ctx context.Context, jobID, caller string) (editorial.Job, error)
}

// Editor carries out what editors decide.
type Editor interface {
	Decide(ctx context.Context, d dispatch.Decision) (dispatch.Outcome, error)
	// SetPicture chooses one of our own pictures by its URL, or starts the job
	// that copies another's, whose id it returns.
	SetPicture(ctx context.Context, draftID, url, caller string) (jobID string, err error)
}

// Drafter changes drafts.
type Drafter interface {
	CreateDraft(ctx context.Context, columns map[string]any) (editorial.Draft, error)
	EditDraft(ctx context.Context, draftID string, change func(editorial.Draft) (map[string]any, error)) (editorial.Draft, error)
	DeleteDraft(ctx context.Context, draftID string) error
}

// DraftReader reads drafts. A draft that does not exist is store.ErrNotFound.
type DraftReader interface {
	Draft(ctx context.Context, id string) (editorial.Draft, error)
	Drafts(ctx context.Context, f store.DraftFilter) (list []editorial.Draft, total int, err error)
}

// PictureReader reads what is known of drafts' pictures.
type PictureReader interface {
	DraftImages(ctx context.Context, draftID string) (editorial.DraftImages, error)
	JobOfRound(ctx context.Context, draftID string, round int) (editorial.Job, error)
	Image(ctx context.Context, id string) (editorial.Image, error)
	CountLive(ctx context.Context) (int, error)
}

// PostReader reads posts. A post that does not exist is store.ErrNotFound.
type PostReader interface {
	Post(ctx context.Context, id string) (editorial.Post, error)
	PostBySlug(ctx context.Context, slug string) (editorial.Post, error)
	Posts(ctx context.Context, f store.PostFilter) (list []editorial.Post, total int, err error)
	PostTags(ctx context.Context, postID string) ([]editorial.Term, error)
}

// TermReader reads authors, categories and tags.
type TermReader interface {
	Author(ctx context.Context, id string) (editorial.Term, error)
	Category(ctx context.Context, id string) (editorial.Term, error)
	Categories(ctx context.Context) ([]editorial.Term, error)
	Tags(ctx context.Context) ([]editorial.Term, error)
}

// Waiter waits for a job to end. When ctx's deadline passes first it returns
// the job as it stands and no error.
type Waiter interface {
	WaitJob(ctx context.Context, jobID string) (editorial.Job, error)
}

// Progress tells how far images are that are being generated; of an image that
// is not in the answer nothing is known. It never takes long.
type Progress interface {
	Of(ctx context.Context, imageIDs ...string) map[string]editorial.Progress
}

// Links recognises our own public URLs.
type Links interface {
	KeyOf(url string) (key string, ok bool)
}

// Stock searches stock photos. Its errors are *editorial.Errors where they are
// for the caller: Limited when the month's budget is spent.
type Stock interface {
	Search(ctx context.Context, query string, count int) ([]Photo, error)
}

// Photo is a stock photo that was found, not copied.
type Photo struct {
	URL             string
	Photographer    string
	PhotographerURL string
	Width, Height   int // of the picture at URL, pixels; 0 when unknown
	AltText         string
}

// Revalidator tells the site which of its pages to make anew.
type Revalidator interface {
	Revalidate(ctx context.Context, paths []string) error
}

// Inspector looks at the parts of the program. It answers within a second or
// two, from memory where asking would cost somebody money.
type Inspector interface {
	Inspect(ctx context.Context) Condition
}

// Condition is how the parts are.
type Condition struct {
	Database   Part
	Queue      Part
	Storage    Part        // the bucket, or the local directory
	CDN        Part        // what the public URLs lead through
	Generators []Generator // in the order of asking
}

// Part is one part of the program.
type Part struct {
	Name   string `json:"name"` // "s3", "local", "cloudfront", "redis"
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // why not, for a person; never holds a secret
	Cause  error  `json:"-"`                // the same for operators: it may name hosts
}

// Generator is one backend.
type Generator struct {
	Part
	Stock bool `json:"stock"` // finds pictures instead of making them
	Model bool `json:"model"` // an image model, as opposed to the built-in covers
}
