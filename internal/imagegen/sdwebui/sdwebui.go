// Package sdwebui makes pictures with AUTOMATIC1111's API, which Forge, SD.Next
// and stable-diffusion.cpp speak too.
//
// It deliberately resumes nothing: the picture is in the answer to the request
// that asked for it and nowhere else, so one whose caller went away is stopped.
//
// The trap: interrupt stops whatever is running, whoever asked for it, and an
// interrupted request is answered 200 with half a picture. So every call has a
// task id of its own, interrupt is sent only while that task runs and nobody
// waits behind it, and an answer after an interrupt is no picture.
package sdwebui

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

const (
	lookEvery = time.Second
	stopTime  = 3 * time.Second // for all that stopping a task takes
	lookTime  = 5 * time.Second
)

// Generator implements [imagegen.Generator] and [imagegen.Canceler].
type Generator struct {
	client         *wire.Client
	model, sampler string
	every, stop    time.Duration
	running        sync.Map   // task id: *atomic.Bool, true once Cancel interrupted it
	stopping       sync.Mutex // one cancel at a time
}

var _ imagegen.Canceler = (*Generator)(nil)

// New returns a generator for the server at rawURL, http://user:password@host:7860.
// ?model= and ?sampler= name what the server should use; without them it is
// what stands in its window.
func New(rawURL string) (*Generator, error) {
	e, err := wire.ParseEndpoint(rawURL, "model", "sampler")
	if err != nil {
		return nil, err
	}
	return &Generator{
		client: wire.NewClient(e, e.BasicAuth()),
		model:  e.Query.Get("model"), sampler: e.Query.Get("sampler"),
		every: lookEvery, stop: stopTime,
	}, nil
}

// Name is "sdwebui".
func (*Generator) Name() string { return "sdwebui" }

// Health asks for the samplers, the one list that every dialect has.
func (g *Generator) Health(ctx context.Context) error {
	return explain(g.client, g.client.JSON(ctx, wire.Call{Path: "sdapi/v1/samplers", Timeout: wire.Quick}, nil))
}

// Generate makes one picture. Started gets the id by which [Generator.Cancel]
// finds the task; req.ProviderJobID is of no use here.
func (g *Generator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	if ctx.Err() != nil {
		return imagegen.Result{}, imagegen.AsError(ctx.Err())
	}
	task := strings.TrimPrefix(req.ImageID+"-"+rand.Text()[:10], "-")
	if req.Started != nil {
		if err := req.Started(ctx, task); err != nil {
			return imagegen.Result{}, &imagegen.Error{
				Class: editorial.Transient, Code: "not_recorded", Err: err, Message: "the task's id could not be stored, so nothing was asked",
			}
		}
	}
	stopped := new(atomic.Bool)
	g.running.Store(task, stopped)
	defer g.running.Delete(task)
	watched := g.watch(ctx, req, task)
	in := g.newTask(req, task)
	var out answer
	err := g.client.JSON(ctx, wire.Call{Path: "sdapi/v1/txt2img", In: in, Max: wire.MaxPictureJSON}, &out)
	watched()
	if err != nil {
		if ctx.Err() != nil {
			g.hangUp(ctx, task)
		}
		return imagegen.Result{}, explain(g.client, err)
	}
	if err := g.interrupted(ctx, stopped.Load()); err != nil {
		return imagegen.Result{}, err
	}
	return out.result(req, in)
}

// hangUp stops the task of a caller that went away: its picture would be
// answered to nobody.
func (g *Generator) hangUp(ctx context.Context, task string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.stop)
	defer cancel()
	_ = g.Cancel(ctx, task)
}

// Cancel interrupts the task if it is running and nobody waits behind it, who
// might be running by the time the interrupt arrives. A task that is over is no
// error; one that cannot be stopped safely is, with the code "cannot_stop". A
// task that was interrupted already is not again: it takes the server a step to
// stop, and the second interrupt could reach whoever comes next.
func (g *Generator) Cancel(ctx context.Context, providerJobID string) error {
	g.stopping.Lock()
	defer g.stopping.Unlock()
	flag, here := g.running.Load(providerJobID)
	if here && flag.(*atomic.Bool).Load() {
		return nil
	}
	p, err := g.look(ctx, providerJobID, -1)
	switch {
	case err != nil && wire.Status(err) == http.StatusNotFound:
		return imagegen.Terminalf("cannot_stop", "%s does not say whose picture it is drawing", g.client.Host())
	case err != nil:
		return err
	case p.Queued:
		return imagegen.Terminalf("cannot_stop", "%s has not begun the picture and cannot drop it from its queue", g.client.Host())
	case !p.Active:
		return nil
	}
	var waiting struct {
		Size *int `json:"size"`
	}
	if err := g.client.JSON(ctx, wire.Call{Path: "internal/pending-tasks", Timeout: lookTime}, &waiting); err != nil {
		return err
	}
	if waiting.Size == nil || *waiting.Size > 0 {
		return imagegen.Terminalf("cannot_stop", "others wait at %s, and an interrupt could stop theirs", g.client.Host())
	}
	if here {
		flag.(*atomic.Bool).Store(true)
	}
	err = g.client.JSON(ctx, wire.Call{Method: http.MethodPost, Path: "sdapi/v1/interrupt", Timeout: lookTime}, nil)
	if err != nil && here {
		flag.(*atomic.Bool).Store(false)
	}
	return err
}

// interrupted is the error of a picture that is only half drawn. The server's
// flag stays up until the next task begins, so it speaks of ours or of nobody's;
// a server without it is believed.
func (g *Generator) interrupted(ctx context.Context, byUs bool) error {
	if byUs {
		return &imagegen.Error{Class: editorial.Canceled, Code: "stopped", Message: "the picture was interrupted on our side"}
	}
	var p struct {
		State struct {
			Interrupted bool `json:"interrupted"`
		} `json:"state"`
	}
	call := wire.Call{Path: "sdapi/v1/progress", Query: map[string][]string{"skip_current_image": {"true"}}, Timeout: lookTime}
	if err := g.client.JSON(ctx, call, &p); err == nil && p.State.Interrupted {
		return imagegen.Transientf("interrupted", "somebody pressed interrupt at %s; the picture is only half drawn", g.client.Host())
	}
	return nil
}

// explain names the commonest mistake of an operator.
func explain(c *wire.Client, err error) error {
	var s *wire.StatusError
	if errors.As(err, &s) && s.Status == http.StatusNotFound && (s.Said == "" || s.Said == "Not Found") {
		e := imagegen.AsError(err)
		e.Message = fmt.Sprintf("%s has no /sdapi/v1: start it with --api", c.Host())
		return e
	}
	return err
}

// answer is what txt2img answers. Info is JSON in a string.
type answer struct {
	Images []string        `json:"images"`
	Info   json.RawMessage `json:"info"`
}

func (a answer) result(req imagegen.Request, in task) (imagegen.Result, error) {
	if len(a.Images) == 0 {
		return imagegen.Result{}, imagegen.Transientf("no_picture", "the answer holds no picture")
	}
	b, err := wire.DecodePicture(a.Images[0])
	if err != nil {
		return imagegen.Result{}, err
	}
	var info struct {
		Seed    *int64 `json:"seed"`
		Model   string `json:"sd_model_name"`
		Version string `json:"version"`
		Sampler string `json:"sampler_name"`
	}
	var text string
	if json.Unmarshal(a.Info, &text) == nil {
		_ = json.Unmarshal([]byte(text), &info) // an info that cannot be read costs nobody the picture
	}
	res := imagegen.Result{Bytes: b, Seed: req.Seed, Model: info.Model, Version: info.Version, Params: in.params()}
	if info.Seed != nil {
		res.Seed = *info.Seed
	}
	if info.Sampler != "" {
		res.Params["sampler"] = info.Sampler
	}
	return res, nil
}
