// Package openai makes pictures with OpenAI's Images API and with the servers
// that speak it: LocalAI, stable-diffusion.cpp, gateways.
//
// It deliberately uses the one call that all of them have. That call has no
// job to resume, no progress and no seed, so a picture whose answer is lost is
// paid for again, and the same request gives another picture.
//
// The trap: the dialects differ by model. response_format is an error for
// gpt-image and needed for DALL·E, sizes are few, and compatible servers may
// answer with a link instead of the picture.
package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/prompt"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// officialHost is OpenAI itself, which takes neither a request without a key
// nor, to any purpose, one without a model.
const officialHost = "api.openai.com"

// Generator implements [imagegen.Generator].
type Generator struct {
	client  *wire.Client // below the endpoint's path
	root    *wire.Client // the same host from its root, for links to it
	base    *url.URL
	fetcher imagegen.Generator
	model   model
	quality string
}

// New returns a generator for rawURL, https://host/v1?model=name&quality=low;
// without a path it is /v1. A key in the URL, https://key@host, goes before
// key. fetcher copies pictures from links to other hosts, guarded against
// private addresses (package importer); nil refuses such links.
func New(rawURL, key string, fetcher imagegen.Generator) (*Generator, error) {
	e, err := wire.ParseEndpoint(rawURL, "model", "quality")
	if err != nil {
		return nil, err
	}
	if e.User != nil {
		key = e.User.Username()
		if password, ok := e.User.Password(); ok {
			key = password
		}
	}
	name := e.Query.Get("model")
	if e.Base.Hostname() == officialHost {
		switch {
		case key == "":
			return nil, errors.New("needs a key; set OPENAI_API_KEY")
		case name == "":
			return nil, errors.New("names no model; write https://api.openai.com/v1?model=gpt-image-1")
		}
	}
	if strings.Trim(e.Base.Path, "/") == "" {
		e.Base.Path = "/v1"
	}
	var header http.Header
	if key != "" {
		header = http.Header{"Authorization": {"Bearer " + key}}
	}
	root := e
	root.Base = &url.URL{Scheme: e.Base.Scheme, Host: e.Base.Host}
	return &Generator{
		client: wire.NewClient(e, header), root: wire.NewClient(root, header), base: e.Base,
		fetcher: fetcher, model: model(name), quality: e.Query.Get("quality"),
	}, nil
}

// Name is "openai".
func (*Generator) Name() string { return "openai" }

// Health lists the models, which costs nothing. A compatible server that
// cannot list any is healthy when it says so.
func (g *Generator) Health(ctx context.Context) error {
	err := g.client.JSON(ctx, wire.Call{Path: "models", Timeout: wire.Quick, Max: 8 << 20}, nil)
	if s := wire.Status(err); s == http.StatusNotFound || s == http.StatusMethodNotAllowed {
		return nil
	}
	return err
}

// submission is the body of POST /images/generations.
type submission struct {
	Model          string `json:"model,omitempty"`
	Prompt         string `json:"prompt"`
	N              int    `json:"n"`
	Size           string `json:"size,omitempty"`
	Quality        string `json:"quality,omitempty"`
	ResponseFormat string `json:"response_format,omitempty"`
}

// answer is its answer, also of servers that answer an error with status 200.
type answer struct {
	Data []struct {
		B64     string `json:"b64_json"`
		URL     string `json:"url"`
		Revised string `json:"revised_prompt"`
	} `json:"data"`
	Size    string          `json:"size"`
	Quality string          `json:"quality"`
	Usage   json.RawMessage `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

// Generate makes one picture. What it costs is not in the answer.
func (g *Generator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	s := submission{
		Model: string(g.model), Prompt: prompt.Options{Max: g.model.maxPrompt()}.Clean(req.Prompt), N: 1,
		Size: g.model.size(req.Width, req.Height), Quality: g.quality, ResponseFormat: g.model.responseFormat(),
	}
	var a answer
	if err := g.client.JSON(ctx, wire.Call{Path: "images/generations", In: s, Max: wire.MaxPictureJSON}, &a); err != nil {
		return imagegen.Result{}, refused(err)
	}
	if len(a.Data) == 0 && len(a.Error) > 0 && !bytes.Equal(a.Error, []byte("null")) {
		return imagegen.Result{}, g.said(a.Error)
	}
	b, err := g.picture(ctx, a)
	if err != nil {
		return imagegen.Result{}, err
	}
	return imagegen.Result{Bytes: b, Seed: req.Seed, Model: string(g.model), Params: params(s, a)}, nil
}

func (g *Generator) picture(ctx context.Context, a answer) ([]byte, error) {
	switch {
	case len(a.Data) == 0 || a.Data[0].B64 == "" && a.Data[0].URL == "":
		return nil, imagegen.Transientf("no_picture", "%s answered without a picture", g.client.Host())
	case a.Data[0].B64 != "":
		return wire.DecodePicture(a.Data[0].B64)
	case strings.HasPrefix(a.Data[0].URL, "data:"):
		return wire.DecodePicture(a.Data[0].URL)
	}
	b, err := g.fetch(ctx, a.Data[0].URL)
	if err != nil {
		return nil, err
	}
	return b, wire.CheckPicture(b)
}

// fetch copies the picture at once, as links live for an hour. The endpoint's
// own host is asked with the key, be its address private or not; others are
// the fetcher's.
func (g *Generator) fetch(ctx context.Context, link string) ([]byte, error) {
	u, err := g.base.Parse(link)
	if err != nil || u.User != nil {
		return nil, imagegen.Terminalf("bad_link", "%s answered with a link to the picture that cannot be read", g.client.Host())
	}
	if u.Scheme == g.base.Scheme && u.Host == g.base.Host {
		b, err := g.root.Bytes(ctx, wire.Call{Path: u.EscapedPath(), Query: u.Query(), Max: wire.MaxPicture})
		return b, counted(err)
	}
	if g.fetcher == nil {
		return nil, imagegen.Terminalf("other_host", "%s answered with a link to %s, which is not fetched", g.client.Host(), u.Host)
	}
	res, err := g.fetcher.Generate(ctx, imagegen.Request{SourceURL: u.String()})
	return res.Bytes, err
}

// counted: the picture has been paid for by now, so even a host that went away
// costs an attempt.
func counted(err error) error {
	var e *imagegen.Error
	if !errors.As(err, &e) || !e.Unreachable {
		return err
	}
	paid := *e
	paid.Unreachable = false
	return &paid
}

func params(s submission, a answer) map[string]any {
	p := map[string]any{"prompt": s.Prompt}
	for name, value := range map[string]string{
		"size": first(a.Size, s.Size), "quality": first(a.Quality, s.Quality), "revised_prompt": a.Data[0].Revised,
	} {
		if value != "" {
			p[name] = value
		}
	}
	var usage struct {
		Total int `json:"total_tokens"`
	}
	if json.Unmarshal(a.Usage, &usage) == nil && usage.Total > 0 { // LocalAI's is always 0
		p["total_tokens"] = usage.Total
	}
	return p
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// said is an error that came with status 200.
func (g *Generator) said(body json.RawMessage) error {
	if code, ok := verdict(body); ok {
		return imagegen.Terminalf(code, "%s refuses this prompt or request: %s", g.client.Host(), g.client.Clean(words(body)))
	}
	return imagegen.Transientf("failed", "%s answered with an error instead of a picture: %s", g.client.Host(), g.client.Clean(words(body)))
}

// refused sorts the statuses whose meaning depends on the body.
func refused(err error) error {
	var s *wire.StatusError
	var e *imagegen.Error
	if !errors.As(err, &s) || !errors.As(err, &e) || s.Status >= 500 {
		return err
	}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(s.Body, &body) != nil {
		return err
	}
	code, ok := verdict(body.Error)
	if !ok {
		return err
	}
	final := imagegen.Terminalf(code, "%s", e.Message)
	final.Err = s
	return final
}

// problem is an error in OpenAI's shape; compatible servers send a text.
type problem struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    any    `json:"code"` // a text, a number or null
}

func words(body json.RawMessage) string {
	var text string
	var p problem
	switch {
	case json.Unmarshal(body, &text) == nil:
		return text
	case json.Unmarshal(body, &p) == nil && p.Message != "":
		return p.Message
	default:
		return "it does not say which"
	}
}

// verdict finds the refusals that the same request will meet again: by the
// content policy, or because there is no money.
func verdict(body json.RawMessage) (code string, ok bool) {
	var p problem
	_ = json.Unmarshal(body, &p) // a text has no code
	switch kind := fmt.Sprint(p.Code, " ", p.Type); {
	case containsAny(kind, "moderation_blocked", "content_policy", "content_filter", "image_generation_user_error"),
		containsAny(strings.ToLower(words(body)), "content policy", "safety system", "content_policy_violation", "moderation_blocked"):
		return "moderation_blocked", true
	case containsAny(kind, "insufficient_quota", "billing_hard_limit_reached", "billing_not_active"):
		return "no_credit", true
	}
	return "", false
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
