package siteapi

import (
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

type cmsStatusResponse struct {
	Status    string              `json:"status"`
	Tables    map[string]cmsTable `json:"tables"`
	Timestamp *string             `json:"timestamp"`
}

type cmsTable struct {
	Exists bool `json:"exists"`
	Count  int  `json:"count"`
}

// cmsStatus counts what the public may see. That the tables exist was
// established before the program answered its first request.
func (a *API) cmsStatus(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	_, posts, err := a.Store.Posts(ctx, store.PostFilter{PublishedOnly: true, Limit: 1})
	if err != nil {
		return err
	}
	categories, err := a.Store.Categories(ctx)
	if err != nil {
		return err
	}
	tags, err := a.Store.Tags(ctx)
	if err != nil {
		return err
	}
	return ok(w, cmsStatusResponse{
		Status: "healthy", Timestamp: isoTime(a.Now()),
		Tables: map[string]cmsTable{"posts": {true, posts}, "categories": {true, len(categories)}, "tags": {true, len(tags)}},
	})
}

type revalidateRequest struct {
	Paths []string `json:"paths"`
}

type revalidateResponse struct {
	Success bool     `json:"success"`
	Message string   `json:"message"`
	Paths   []string `json:"paths"`
}

const (
	maxPaths = 100
	maxPath  = 2048
)

func (a *API) revalidateCache(w http.ResponseWriter, r *http.Request) error {
	var in revalidateRequest
	if err := decodeOptional(w, r, &in); err != nil {
		return err
	}
	if len(in.Paths) == 0 {
		in.Paths = []string{"/", "/archive"} // the site's own pages that list posts
	}
	if len(in.Paths) > maxPaths {
		return editorial.Invalidf("paths", "at most %d paths, got %d", maxPaths, len(in.Paths))
	}
	for _, p := range in.Paths {
		if err := editorial.ValidText("paths", p, 1, maxPath); err != nil {
			return err
		}
		if !strings.HasPrefix(p, "/") {
			return editorial.Invalidf("paths", "each must begin with /")
		}
	}
	answer := revalidateResponse{Success: true, Message: "Cache revalidated", Paths: in.Paths}
	if a.Revalidator == nil {
		answer.Success, answer.Message = false, "The site is not told: set REVALIDATE_URL"
	} else if err := a.Revalidator.Revalidate(r.Context(), in.Paths); err != nil {
		a.Log.WarnContext(r.Context(), "the site could not be told to revalidate", "request_id", requestID(w), "error", err)
		answer.Success, answer.Message = false, "The site did not take it; see the log for why"
	}
	return ok(w, answer)
}
