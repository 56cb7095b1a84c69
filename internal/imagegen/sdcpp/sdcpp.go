// Package sdcpp makes pictures with stable-diffusion.cpp's sd-server, through
// its native asynchronous API: the job's id is known before the picture is, so
// a restarted worker resumes it, and a full queue says so instead of hanging.
//
// It deliberately leaves the server's OpenAI and WebUI faces alone: both wait
// without back-pressure and both run JSON that stands in a prompt.
//
// The trap: jobs live in the server's memory. One that it does not know was
// lost in a restart, or ended more than ten minutes ago, and is asked for
// again; one that it is drawing cannot be stopped.
package sdcpp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// The server's own limits of a side.
const (
	minSide = 64
	maxSide = 4096
)

const (
	pollEvery   = 700 * time.Millisecond
	whenFull    = 15 * time.Second // a picture takes about that long, and the queue is 64 of them
	cleanupTime = 5 * time.Second
)

// Generator implements [imagegen.Generator] and [imagegen.Canceler].
type Generator struct {
	client *wire.Client
	every  time.Duration
}

var _ imagegen.Canceler = (*Generator)(nil)

// New returns a generator for the server at rawURL, http://host:1234. A user
// and password go to a proxy before it, since the server itself knows none.
func New(rawURL string) (*Generator, error) {
	e, err := wire.ParseEndpoint(rawURL)
	if err != nil {
		return nil, err
	}
	return &Generator{client: wire.NewClient(e, e.BasicAuth()), every: pollEvery}, nil
}

// Name is "sdcpp".
func (*Generator) Name() string { return "sdcpp" }

// Health asks what the server can do, which also finds one too old to do it.
func (g *Generator) Health(ctx context.Context) error {
	_, err := g.model(ctx)
	return err
}

// Generate makes one picture, resuming req.ProviderJobID when the server still
// has it. A job that was lost is asked for again once; a second loss is left to
// the worker, for the server may be dying of this very picture.
func (g *Generator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	if ctx.Err() != nil {
		return imagegen.Result{}, imagegen.AsError(ctx.Err())
	}
	if req.ProviderJobID != "" {
		b, err := g.await(ctx, req, req.ProviderJobID)
		if err == nil {
			return g.result(ctx, req, b), nil
		}
		if !ended(err) {
			return imagegen.Result{}, err
		}
	}
	for lost := false; ; lost = true {
		b, err := g.once(ctx, req)
		if err == nil {
			return g.result(ctx, req, b), nil
		}
		if lost || !errors.Is(err, errLost) {
			return imagegen.Result{}, err
		}
	}
}

// errLost is the cause of an error about a job that the server does not know.
var errLost = errors.New("the job is lost")

// ended reports whether a resumed job is over and left no picture: waiting for
// it again would give the same answer for as long as the server remembers it.
func ended(err error) bool {
	e := imagegen.AsError(err)
	return errors.Is(err, errLost) || e.Code == "failed" || e.Code == "stopped" || e.Code == "bad_picture" || e.Code == "no_picture"
}

// once submits a job and waits for it.
func (g *Generator) once(ctx context.Context, req imagegen.Request) ([]byte, error) {
	id, err := g.submit(ctx, req)
	if err != nil {
		return nil, err
	}
	if req.Started != nil {
		if err := req.Started(ctx, id); err != nil {
			g.abandon(ctx, id) // nobody could ever find it again
			return nil, &imagegen.Error{
				Class: editorial.Transient, Code: "not_recorded", Err: err,
				Message: "the job's id could not be stored, so the job was given up",
			}
		}
	}
	return g.await(ctx, req, id)
}

func (g *Generator) submit(ctx context.Context, req imagegen.Request) (id string, err error) {
	var j job
	err = g.client.JSON(ctx, wire.Call{Path: "sdcpp/v1/img_gen", In: newSubmission(req), Timeout: wire.Quick}, &j)
	if err != nil {
		e := imagegen.AsError(err)
		switch wire.Status(err) {
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			e.Code, e.Message = "too_old", fmt.Sprintf("%s has no /sdcpp/v1/img_gen: update sd-server, or use it as sdwebui+http", g.client.Host())
		case http.StatusTooManyRequests:
			if e.RetryAfter == 0 {
				e.RetryAfter = whenFull
			}
		}
		return "", e
	}
	if _, ok := wire.PathElement(j.ID); !ok {
		return "", imagegen.Transientf("bad_answer", "%s took the job but named no id for it", g.client.Host())
	}
	return j.ID, nil
}

// await polls the job until it is over or ctx is.
func (g *Generator) await(ctx context.Context, req imagegen.Request, id string) ([]byte, error) {
	timer := time.NewTimer(g.every)
	defer timer.Stop()
	for {
		j, err := g.look(ctx, id)
		if err == nil && j.over() {
			return g.picture(j)
		}
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err == nil && req.Progress != nil {
			req.Progress(j.progress())
		}
		select {
		case <-ctx.Done():
			// The job is left alone: the next worker resumes it, and who wants
			// it stopped says so by its id.
			return nil, imagegen.AsError(ctx.Err())
		case <-timer.C:
			timer.Reset(g.every)
		}
	}
}

// abandon stops a job if that is still possible. Nobody waits for the outcome.
func (g *Generator) abandon(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	_ = g.Cancel(ctx, id)
}

// Cancel stops a job that has not begun. One that is over or forgotten is no
// error; one that is being drawn is, with the code "cannot_stop".
func (g *Generator) Cancel(ctx context.Context, providerJobID string) error {
	element, ok := wire.PathElement(providerJobID)
	if !ok {
		return nil // no job of this server's was ever named so
	}
	err := g.client.JSON(ctx, wire.Call{Method: http.MethodPost, Path: "sdcpp/v1/jobs/" + element + "/cancel", Timeout: wire.Quick, Max: wire.MaxPictureJSON}, nil)
	switch wire.Status(err) {
	case http.StatusNotFound, http.StatusGone:
		return nil
	case http.StatusConflict:
		return imagegen.Terminalf("cannot_stop", "%s is drawing the picture already and cannot be interrupted", g.client.Host())
	}
	return err
}
