package pexels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/wire"
)

const (
	perPage     = 40  // one request for many photos, of which some are used
	maxKeywords = 3   // searched for when the prompt finds nothing
	maxQuery    = 100 // characters; longer ones are sentences that find nothing
)

// search is one request to /v1/search, and its name in the cache.
type search struct {
	query, orientation, size string
	page                     int
}

// newSearch asks for photos of the shape of the request that need no
// enlarging.
func newSearch(query string, req imagegen.Request) search {
	s := search{query: query, orientation: "landscape", size: "small", page: min(max(req.Page, 1), 1000)}
	if w, h := float64(req.Width), float64(req.Height); w > 0 && h > 0 {
		switch {
		case w/h < 0.85:
			s.orientation = "portrait"
		case w/h < 1.18:
			s.orientation = "square"
		}
		switch pixels := w * h; { // Pexels' sizes are at least 4, 12 and 24 megapixels
		case pixels > 12e6:
			s.size = "large"
		case pixels > 4e6:
			s.size = "medium"
		}
	}
	return s
}

func (s search) values() url.Values {
	return url.Values{
		"query": {s.query}, "orientation": {s.orientation}, "size": {s.size},
		"page": {strconv.Itoa(s.page)}, "per_page": {strconv.Itoa(perPage)},
	}
}

// queries are what to search for, in order, each once.
func queries(req imagegen.Request) []string {
	var list []string
	seen := map[string]bool{"": true}
	for i, s := range append([]string{req.Prompt}, req.Keywords...) {
		if q := normalize(s); i <= maxKeywords && !seen[q] {
			seen[q] = true
			list = append(list, q)
		}
	}
	return list
}

// normalize makes one query of those that would find the same: case, spaces
// and punctuation do not matter to a search.
func normalize(s string) string {
	words := strings.FieldsFunc(strings.ToLower(strings.ToValidUTF8(s, "")), func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.N) && r != '\'' && r != '’' && r != '-' && r != '\u200c' && r != '\u200d'
	})
	q := []rune(strings.Join(words, " "))
	if len(q) > maxQuery {
		end := maxQuery
		for end > maxQuery/2 && q[end] != ' ' {
			end--
		}
		if end == maxQuery/2 {
			end = maxQuery
		}
		q = q[:end]
	}
	return strings.Trim(string(q), " '’-")
}

// answer is the body of /v1/search.
type answer struct {
	Photos []photo `json:"photos"` // nil when it is none
}

// search answers from the cache or asks.
func (g *Generator) search(ctx context.Context, s search) ([]photo, error) {
	key := s.values().Encode()
	var a answer
	if g.Cache != nil {
		if b, ok := g.Cache.Get(ctx, key); ok && json.Unmarshal(b, &a) == nil && a.Photos != nil {
			return a.Photos, nil
		}
	}
	if ctx.Err() != nil {
		return nil, imagegen.AsError(ctx.Err())
	}
	if g.Budget != nil {
		if err := g.Budget.Take(ctx); err != nil {
			return nil, err
		}
	}
	err := g.api.JSON(ctx, wire.Call{Path: "v1/search", Query: s.values(), Timeout: wire.Quick}, &a)
	if err != nil {
		return nil, g.limited(ctx, err)
	}
	if a.Photos == nil {
		return nil, imagegen.Transientf("bad_answer", "%s answered without a list of photos", g.api.Host())
	}
	if b, err := json.Marshal(a); err == nil && g.Cache != nil {
		g.Cache.Set(ctx, key, b)
	}
	return a.Photos, nil
}

// limited adds to a 429 what Pexels leaves out: it means the hour's limit, and
// comes without a header.
func (g *Generator) limited(ctx context.Context, err error) error {
	if wire.Status(err) != http.StatusTooManyRequests {
		return err
	}
	if g.Budget != nil {
		g.Budget.Spent(ctx)
	}
	e := *imagegen.AsError(err)
	if e.RetryAfter == 0 {
		e.RetryAfter = untilNextHour(time.Now())
	}
	e.Message = fmt.Sprintf("Pexels allows no more requests for now; the next are in %s", e.RetryAfter.Round(time.Second))
	return &e
}

func untilNextHour(now time.Time) time.Duration {
	return now.Truncate(time.Hour).Add(time.Hour).Sub(now)
}

// Photo is a photo that was found, not copied.
type Photo struct {
	URL             string
	PageURL         string
	Photographer    string
	PhotographerURL string
	Width, Height   int // of the picture at URL, pixels
	AltText         string
}

// Search finds up to count photos for a person to choose from. Spent budgets
// are an [*editorial.Error] of kind Limited.
func (g *Generator) Search(ctx context.Context, query string, count int) ([]Photo, error) {
	query = normalize(query)
	if query == "" || count <= 0 {
		return nil, nil
	}
	list, err := g.search(ctx, newSearch(query, imagegen.Request{}))
	if err != nil {
		return nil, forCaller(err)
	}
	var found []Photo
	for _, p := range list {
		if p.whole(g.base) && len(found) < count {
			found = append(found, g.offer(p))
		}
	}
	return found, nil
}

func (g *Generator) offer(p photo) Photo {
	path, q := p.crop(g.base, 0, 0)
	w := min(largest, p.Width)
	c := p.credit()
	return Photo{
		URL: strings.TrimSuffix(g.base, "/") + "/" + path + "?" + q.Encode(), PageURL: c.PageURL,
		Photographer: c.Author, PhotographerURL: c.AuthorURL,
		Width: w, Height: max(1, (p.Height*w+p.Width/2)/p.Width), AltText: p.altText(),
	}
}

func forCaller(err error) error {
	var e *imagegen.Error
	if errors.As(err, &e) && (e.Code == codeHour || e.Code == codeMonth || e.Code == "rate_limited") {
		return &editorial.Error{Kind: editorial.Limited, Code: e.Code, Message: e.Message}
	}
	return err
}
