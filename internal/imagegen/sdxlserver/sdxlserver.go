// Package sdxlserver makes pictures with the SDXL server that belongs to the
// product this service came from: one request, one render, one file on the
// server's disk that is fetched by its name.
//
// It deliberately ignores image_path, a path on another machine, and has no
// cancel and no progress, as the server has neither.
//
// The trap: its verdict on text in the picture may come as an error or as a
// field of a success. Both refuse the picture here; a verdict that nobody read
// is how pictures full of letters were published.
package sdxlserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// The bounds of the server's own validation.
const (
	minSide, maxSide = 256, 2048
	maxSteps         = 50
	maxGuidance      = 20
)

// whenDegraded is how long a server that is loading or short of memory is left
// alone when it does not say itself.
const whenDegraded = 20 * time.Second

// Generator implements [imagegen.Generator].
type Generator struct {
	client *wire.Client
}

var _ imagegen.Generator = (*Generator)(nil)

// New returns a generator for the server at rawURL, http://host:9836. A user
// and password go to a proxy before it, since the server itself knows none.
func New(rawURL string) (*Generator, error) {
	e, err := wire.ParseEndpoint(rawURL)
	if err != nil {
		return nil, err
	}
	return &Generator{client: wire.NewClient(e, e.BasicAuth())}, nil
}

// Name is "sdxl": the site knows its pictures as sdxl-s3 and sdxl-local.
func (*Generator) Name() string { return "sdxl" }

// Health reports a server that is up but cannot render as an error.
func (g *Generator) Health(ctx context.Context) error {
	var h struct {
		Status   string `json:"status"`
		Degraded bool   `json:"degraded"`
		Reason   string `json:"degraded_reason"`
	}
	if err := g.client.JSON(ctx, wire.Call{Path: "health", Timeout: wire.Quick}, &h); err != nil {
		return err
	}
	if h.Degraded || h.Status == "degraded" {
		return imagegen.Transientf("degraded", "%s is up but cannot render: %s", g.client.Host(), g.client.Clean(h.Reason))
	}
	return nil
}

// rendering is the body of POST /generate. Steps and guidance that are left
// out are the model's own, as is the negative prompt.
type rendering struct {
	Prompt         string  `json:"prompt"`
	NegativePrompt string  `json:"negative_prompt,omitempty"`
	Width          int     `json:"width,omitempty"`
	Height         int     `json:"height,omitempty"`
	Steps          int     `json:"steps,omitempty"`
	Guidance       float64 `json:"guidance_scale,omitempty"`
	Seed           int64   `json:"seed"`
	TaskID         string  `json:"task_id,omitempty"`
}

func newRendering(req imagegen.Request) rendering {
	side := func(n int) int {
		if n <= 0 {
			return 0
		}
		return min(max(n, minSide), maxSide)
	}
	return rendering{
		Prompt: req.Prompt, NegativePrompt: req.NegativePrompt, Width: side(req.Width), Height: side(req.Height),
		Steps: min(max(req.Steps, 0), maxSteps), Guidance: min(max(req.Guidance, 0), maxGuidance), Seed: req.Seed, TaskID: req.ImageID,
	}
}

// rendered is what the server says of the picture. Members that older servers
// lack stay nil: unknown is not zero.
type rendered struct {
	Filename string `json:"filename"`
	Model    string `json:"model"`
	Seed     *int64 `json:"seed"`
	Millis   *int64 `json:"generation_time_ms"`
	OCRChars *int   `json:"ocr_text_chars"`
	OCRGate  string `json:"ocr_gate_status"`
	OCRPass  *bool  `json:"ocr_gate_passed"`
}

// Generate renders one picture. The file's name is passed to Started before
// the file is fetched, so that a fetch that fails costs no second render: the
// next call finds the file by req.ProviderJobID.
func (g *Generator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	if ctx.Err() != nil {
		return imagegen.Result{}, imagegen.AsError(ctx.Err())
	}
	if req.ProviderJobID != "" {
		b, err := g.fetch(ctx, req.ProviderJobID)
		if err == nil {
			return imagegen.Result{Bytes: b, Seed: req.Seed, Params: asked(req)}, nil
		}
		if !gone(err) {
			return imagegen.Result{}, err
		}
	}
	r, err := g.render(ctx, req)
	if err != nil {
		return imagegen.Result{}, err
	}
	if req.Started != nil {
		if err := req.Started(ctx, r.Filename); err != nil {
			return imagegen.Result{}, &imagegen.Error{
				Class: editorial.Transient, Code: "not_recorded", Err: err, Message: "the picture's name at the server could not be stored",
			}
		}
	}
	b, err := g.fetch(ctx, r.Filename)
	if err != nil {
		return imagegen.Result{}, err
	}
	return r.result(req, b), nil
}

func (g *Generator) render(ctx context.Context, req imagegen.Request) (rendered, error) {
	var r rendered
	if err := g.client.JSON(ctx, wire.Call{Path: "generate", In: newRendering(req)}, &r); err != nil {
		return rendered{}, g.renderError(err)
	}
	if _, ok := wire.PathElement(r.Filename); !ok {
		return rendered{}, imagegen.Transientf("bad_answer", "%s rendered the picture but named no file for it", g.client.Host())
	}
	if r.OCRGate == "fail" || r.OCRGate == "" && r.OCRPass != nil && !*r.OCRPass {
		return rendered{}, g.textOnPicture()
	}
	return r, nil
}

// renderError knows the server's own statuses.
func (g *Generator) renderError(err error) error {
	var s *wire.StatusError
	if !errors.As(err, &s) {
		return err
	}
	e := imagegen.AsError(err)
	switch s.Status {
	case http.StatusServiceUnavailable:
		e.Code = "degraded"
		if e.RetryAfter == 0 {
			e.RetryAfter = whenDegraded
		}
	case http.StatusUnprocessableEntity:
		var rejection struct {
			Detail struct {
				Error string `json:"error"`
			} `json:"detail"`
		}
		if json.Unmarshal(s.Body, &rejection) == nil && rejection.Detail.Error == "ocr_gate_rejected" {
			return g.textOnPicture()
		}
	}
	return e
}

func (g *Generator) textOnPicture() error {
	return imagegen.Terminalf("text_on_picture", "%s found letters on every picture that it made of this prompt and refused them", g.client.Host())
}

// fetch gets a rendered file.
func (g *Generator) fetch(ctx context.Context, name string) ([]byte, error) {
	element, ok := wire.PathElement(name)
	if !ok {
		return nil, fileGone(g.client.Host())
	}
	b, err := g.client.Bytes(ctx, wire.Call{Path: "images/" + element, Max: wire.MaxPicture})
	if s := wire.Status(err); s == http.StatusNotFound || s == http.StatusGone {
		return nil, fileGone(g.client.Host())
	}
	if err != nil {
		return nil, err
	}
	return b, wire.CheckPicture(b)
}

func fileGone(host string) error {
	return imagegen.Transientf("job_lost", "%s no longer has the picture's file", host)
}

// gone reports whether a file that was rendered earlier has to be made again.
func gone(err error) bool {
	code := imagegen.AsError(err).Code
	return code == "job_lost" || code == "no_picture" || code == "bad_picture"
}

// asked is what was sent, which the model may have clamped.
func asked(req imagegen.Request) map[string]any {
	in := newRendering(req)
	p := map[string]any{"prompt": in.Prompt, "width": in.Width, "height": in.Height}
	if in.NegativePrompt != "" {
		p["negative_prompt"] = in.NegativePrompt
	}
	if in.Steps > 0 {
		p["steps"] = in.Steps
	}
	if in.Guidance > 0 {
		p["guidance"] = in.Guidance
	}
	return p
}

func (r rendered) result(req imagegen.Request, b []byte) imagegen.Result {
	res := imagegen.Result{Bytes: b, Seed: req.Seed, Model: r.Model, Params: asked(req)}
	if r.Seed != nil {
		res.Seed = *r.Seed
	}
	if r.Millis != nil {
		res.Params["generation_time_ms"] = *r.Millis
	}
	if r.OCRChars != nil {
		res.Params["ocr_text_chars"] = *r.OCRChars
	}
	if r.OCRGate != "" {
		res.Params["ocr_gate_status"] = r.OCRGate
	}
	return res
}
