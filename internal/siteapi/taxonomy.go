package siteapi

import (
	"context"
	"net/http"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

type term struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Slug        string  `json:"slug"`
	Description *string `json:"description"`
}

type tag struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Slug  string  `json:"slug"`
	Color *string `json:"color"`
}

// listing is the site's answer for lists that have no pages.
type listing[T any] struct {
	Data []T      `json:"data"`
	Meta struct{} `json:"meta"`
}

func (a *API) listCategories(w http.ResponseWriter, r *http.Request) error {
	return listTerms(w, r, a.Store.Categories, func(t editorial.Term) term {
		return term{t.ID, t.Name, t.Slug, orNull(t.Description)}
	})
}

func (a *API) listTags(w http.ResponseWriter, r *http.Request) error {
	return listTerms(w, r, a.Store.Tags, tagOf)
}

func tagOf(t editorial.Term) tag { return tag{t.ID, t.Name, t.Slug, orNull(t.Color)} }

func listTerms[T any](w http.ResponseWriter, r *http.Request, read func(context.Context) ([]editorial.Term, error), shape func(editorial.Term) T) error {
	terms, err := read(r.Context())
	if err != nil {
		return err
	}
	return ok(w, listing[T]{Data: shaped(terms, shape)})
}

// shaped is never nil: an empty list is [] and not null.
func shaped[From, To any](list []From, shape func(From) To) []To {
	out := make([]To, 0, len(list))
	for _, v := range list {
		out = append(out, shape(v))
	}
	return out
}
