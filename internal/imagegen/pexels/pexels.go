// Package pexels finds stock photos on Pexels: one that fits the request, that
// no other picture of the site uses, with its credit, as bytes to be copied.
//
// It deliberately searches for what was asked and nothing else: a photo of
// something unrelated is worse than none, and the next generator is there.
// The credit never stands in the alt text.
//
// The trap: Pexels allows 200 requests an hour and says so nowhere in its
// answers, so the count is kept here ([Budget]) and shared by all processes.
package pexels

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

// Where Pexels is.
const (
	APIURL   = "https://api.pexels.com"
	FilesURL = "https://images.pexels.com"
)

// Budget counts the requests to Pexels.
type Budget interface {
	// Take is called before each request. Its error, an [*imagegen.Error],
	// says until when there are none left.
	Take(ctx context.Context) error
	// Spent is called when Pexels itself says that the hour's are gone.
	Spent(ctx context.Context)
}

// Cache keeps answers for a day, as Pexels asks. One that is away is a miss.
type Cache interface {
	Get(ctx context.Context, key string) (answer []byte, ok bool)
	Set(ctx context.Context, key string, answer []byte)
}

// Config is what a [Generator] works with. Only Key is needed.
type Config struct {
	Key    string
	Budget Budget
	Cache  Cache
	// Used returns those of the photos that another picture of the site is
	// already; imageID is the one that they are looked for.
	Used func(ctx context.Context, photoIDs []string, imageID string) (map[string]bool, error)
	// Claim reports whether the photo is this image's to use: of images that
	// are looked for at the same moment, one gets it.
	Claim func(ctx context.Context, photoID, imageID string) (bool, error)
	// FilesURL is the one host that photos are fetched from; empty: FilesURL.
	FilesURL string
}

// Generator implements [imagegen.Stock].
type Generator struct {
	Config
	api   *wire.Client
	probe *wire.Client // without the key: such a request is not counted
	files *wire.Client
	base  string // of files
}

var _ imagegen.Stock = (*Generator)(nil)

// New returns a generator that asks rawURL; empty is APIURL.
func New(rawURL string, c Config) (*Generator, error) {
	if c.Key == "" {
		return nil, errors.New("needs a key; set PEXELS_API_KEY (free at https://www.pexels.com/api/)")
	}
	if rawURL == "" {
		rawURL = APIURL
	}
	if c.FilesURL == "" {
		c.FilesURL = FilesURL
	}
	api, err := wire.ParseEndpoint(rawURL)
	if err != nil {
		return nil, err
	}
	files, err := wire.ParseEndpoint(c.FilesURL)
	if err != nil {
		return nil, fmt.Errorf("the address of the photos %w", err)
	}
	return &Generator{
		Config: c,
		api:    wire.NewClient(api, http.Header{"Authorization": {c.Key}}),
		probe:  wire.NewClient(api, nil),
		files:  wire.NewClient(files, nil),
		base:   files.Base.String(),
	}, nil
}

const name = "pexels"

// Name is "pexels".
func (*Generator) Name() string { return name }

// IsStock marks what it finds as stock photos.
func (*Generator) IsStock() {}

// Health asks for nothing that is counted: any answer below 500 shows that
// Pexels is there. Whether the key is right, the first search says.
func (g *Generator) Health(ctx context.Context) error {
	err := g.probe.JSON(ctx, wire.Call{Timeout: wire.Quick}, nil)
	if s := wire.Status(err); s >= 300 && s < 500 {
		return nil
	}
	return err
}

// Generate finds a photo for the prompt or else for one of the first keywords.
func (g *Generator) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	tried := queries(req)
	if len(tried) == 0 {
		return imagegen.Result{}, imagegen.Terminalf("nothing_to_search", "neither the prompt nor a keyword has a word to search for")
	}
	used := 0
	for _, query := range tried {
		list, err := g.search(ctx, newSearch(query, req))
		if err != nil {
			return imagegen.Result{}, err
		}
		p, skipped, err := g.choose(ctx, req, list)
		if err != nil {
			return imagegen.Result{}, err
		}
		used += skipped
		if p != nil {
			return g.fetch(ctx, req, query, *p)
		}
	}
	if used > 0 {
		return imagegen.Result{}, imagegen.Terminalf("all_used", "all %d photos found for %s are used already; change the prompt or the page",
			used, quoted(tried))
	}
	return imagegen.Result{}, imagegen.Terminalf("nothing_found", "Pexels has no photo for %s", quoted(tried))
}

func quoted(list []string) string { return `"` + strings.Join(list, `", "`) + `"` }

// choose returns the first photo that is free, one that is large enough before
// one that is not; nil when there is none. used counts those that were not.
func (g *Generator) choose(ctx context.Context, req imagegen.Request, list []photo) (free *photo, used int, err error) {
	list = slices.DeleteFunc(slices.Clone(list), func(p photo) bool { return !p.whole(g.base) })
	slices.SortStableFunc(list, func(a, b photo) int { return a.tooSmall(req) - b.tooSmall(req) })
	taken, err := g.taken(ctx, list, req.ImageID)
	if err != nil {
		return nil, 0, unknown(ctx, err)
	}
	for _, p := range list {
		ok := !taken[p.id()]
		if ok && g.Claim != nil {
			if ok, err = g.Claim(ctx, p.id(), req.ImageID); err != nil {
				return nil, used, unknown(ctx, err)
			}
		}
		if ok {
			return &p, used, nil
		}
		used++
	}
	return nil, used, nil
}

func (g *Generator) taken(ctx context.Context, list []photo, imageID string) (map[string]bool, error) {
	if g.Used == nil || len(list) == 0 {
		return nil, nil
	}
	ids := make([]string, len(list))
	for i, p := range list {
		ids[i] = p.id()
	}
	return g.Used(ctx, ids, imageID)
}

// unknown: a photo that may be another's is not taken.
func unknown(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return imagegen.AsError(ctx.Err())
	}
	return &imagegen.Error{
		Class: editorial.Transient, Code: "usage_unknown", Err: err,
		Message: "whether the photo is used already cannot be told now; it is tried again",
	}
}

func (g *Generator) fetch(ctx context.Context, req imagegen.Request, query string, p photo) (imagegen.Result, error) {
	path, values := p.crop(g.base, req.Width, req.Height)
	b, err := g.files.Bytes(ctx, wire.Call{Path: path, Query: values, Max: wire.MaxPicture})
	if err == nil {
		err = wire.CheckPicture(b)
	}
	if err != nil {
		return imagegen.Result{}, err
	}
	free := 0.0
	return imagegen.Result{
		Bytes: b, Seed: req.Seed, AltText: p.altText(), Credit: p.credit(), Cost: &free,
		Params: map[string]any{
			"photo_id": p.id(), "query": query, "avg_color": p.Color, "page": max(req.Page, 1),
			"original_width": p.Width, "original_height": p.Height, "fetched_at": time.Now().UTC().Format(time.RFC3339),
		},
	}, nil
}
