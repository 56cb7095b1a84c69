// Package comfyui makes pictures with ComfyUI, by a workflow that the operator
// exported (API format) with placeholders where a request's values belong:
// {{prompt}}, {{negative}}, {{width}}, {{height}}, {{seed}}, {{steps}} and
// {{guidance}}.
//
// It deliberately decides nothing by the server's WebSocket, which tells how far
// a job is and may be missing: whether a job is over is found by asking,
// /api/jobs first and the history and the queue where there is none. And it
// never interrupts but by a job's id: on servers without such a call a running
// job is left to end.
//
// The trap: the history says nothing of queued, running, lost and unknown jobs
// alike. Only a job that neither it nor the queue knows was lost, and is
// submitted again.
package comfyui

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

const (
	pollEvery   = time.Second
	cleanupTime = 5 * time.Second
)

// Generator implements [imagegen.Generator] and [imagegen.Canceler].
type Generator struct {
	client   *wire.Client
	events   string // the WebSocket's address
	header   http.Header
	workflow workflow
	every    time.Duration
	stopped  sync.Map // ids that Cancel took out of the queue, which keeps no trace of them
}

var _ imagegen.Canceler = (*Generator)(nil)

// New returns a generator for rawURL, http://host:8188?workflow=file.json, and
// reads the file. A user and password go to a proxy before the server, which
// itself knows none.
func New(rawURL string) (*Generator, error) {
	e, err := wire.ParseEndpoint(rawURL, "workflow")
	if err != nil {
		return nil, err
	}
	w, err := readWorkflow(e.Query.Get("workflow"))
	if err != nil {
		return nil, err
	}
	return &Generator{
		client: wire.NewClient(e, e.BasicAuth()), events: e.Base.JoinPath("ws").String(), header: e.BasicAuth(),
		workflow: w, every: pollEvery,
	}, nil
}

// Name is "comfyui".
func (*Generator) Name() string { return "comfyui" }

// Health asks for the server's state.
func (g *Generator) Health(ctx context.Context) error {
	return g.client.JSON(ctx, wire.Call{Path: "system_stats", Timeout: wire.Quick}, nil)
}

// errLost is the cause of an error about a job that the server does not know.
var errLost = errors.New("the job is lost")

// Generate makes one picture, resuming req.ProviderJobID when the server still
// has it. A job that was lost is submitted again once; a second loss is left
// to the worker, for the server may be dying of this very picture.
func (g *Generator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	if ctx.Err() != nil {
		return imagegen.Result{}, imagegen.AsError(ctx.Err())
	}
	v := values(req)
	hearing, stop := context.WithCancel(ctx)
	heard, wait := g.listen(hearing, req)
	defer wait()
	defer stop()
	if req.ProviderJobID != "" {
		b, err := g.await(ctx, req, req.ProviderJobID, heard)
		if err == nil {
			return g.result(req, v, b), nil
		}
		if !over(err) {
			return imagegen.Result{}, err
		}
	}
	for lost := false; ; lost = true {
		b, err := g.once(ctx, req, v, heard)
		if err == nil {
			return g.result(req, v, b), nil
		}
		if lost || !errors.Is(err, errLost) {
			return imagegen.Result{}, err
		}
	}
}

// over reports whether a resumed job is over and left no picture.
func over(err error) bool {
	return errors.Is(err, errLost) || slices.Contains([]string{"failed", "stopped", "no_picture", "bad_picture", "not_found"}, imagegen.AsError(err).Code)
}

func (g *Generator) result(req imagegen.Request, v map[string]any, b []byte) imagegen.Result {
	params := maps.Clone(v)
	delete(params, "seed")
	params["workflow"] = g.workflow.name
	return imagegen.Result{Bytes: b, Seed: req.Seed, Model: g.workflow.model, Params: params}
}

// once submits a job and waits for it.
func (g *Generator) once(ctx context.Context, req imagegen.Request, v map[string]any, heard *listener) ([]byte, error) {
	id, err := g.submit(ctx, req, v)
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
	return g.await(ctx, req, id, heard)
}

// await polls the job until it is over or ctx is.
func (g *Generator) await(ctx context.Context, req imagegen.Request, id string, heard *listener) ([]byte, error) {
	timer := time.NewTimer(g.every)
	defer timer.Stop()
	for {
		j, err := g.look(ctx, id)
		if err == nil && j.over() {
			return g.picture(ctx, j)
		}
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err == nil && req.Progress != nil {
			req.Progress(heard.progress(j))
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

// abandon stops a job if that is possible. Nobody waits for the outcome.
func (g *Generator) abandon(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	_ = g.Cancel(ctx, id)
}

// Cancel stops the job with this id and no other. One that is over or unknown
// is no error; one that runs on a server too old to stop it by its id is, with
// the code "cannot_stop".
func (g *Generator) Cancel(ctx context.Context, providerJobID string) error {
	element, ok := wire.PathElement(providerJobID)
	if !ok {
		return nil // no job was ever named so
	}
	var out struct {
		Canceled bool `json:"cancelled"`
	}
	err := g.client.JSON(ctx, wire.Call{Method: http.MethodPost, Path: "api/jobs/" + element + "/cancel", Timeout: wire.Quick}, &out)
	switch wire.Status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return g.dequeue(ctx, providerJobID)
	}
	if err == nil && out.Canceled {
		g.stopped.Store(providerJobID, true)
	}
	return err
}

// dequeue is all that older servers can do: their interrupt stops whichever job
// is running.
func (g *Generator) dequeue(ctx context.Context, id string) error {
	where, err := g.place(ctx, id)
	switch {
	case err != nil:
		return err
	case where == running:
		return imagegen.Terminalf("cannot_stop", "%s is making the picture already and is too old to stop one job and no other", g.client.Host())
	case where == pending:
		g.stopped.Store(id, true)
		return g.client.JSON(ctx, wire.Call{Path: "queue", In: map[string][]string{"delete": {id}}, Timeout: wire.Quick}, nil)
	}
	return nil
}
