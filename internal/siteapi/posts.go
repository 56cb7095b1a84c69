package siteapi

import (
	"errors"
	"net/http"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

type postsResponse struct {
	Data []post   `json:"data"`
	Meta postPage `json:"meta"`
}

type postPage struct {
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Page      int `json:"page"`
	PageSize  int `json:"pageSize"`
	Total     int `json:"total"`
	PageCount int `json:"pageCount"`
}

type postResponse struct {
	Data post     `json:"data"`
	Meta postMeta `json:"meta"`
}

type postMeta struct {
	Tags     []tag    `json:"tags"`
	Category *summary `json:"category"`
	Author   *summary `json:"author"`
}

type summary struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

func (a *API) listPosts(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	f := store.PostFilter{PublishedOnly: q.flag("published_only", true)}
	return a.answerPosts(w, r, q, f)
}

// maxQuery bounds what is looked for in every post.
const maxQuery = 200

// searchPosts is also where a post of the slug "search" lives: without q it is
// that post that is meant.
func (a *API) searchPosts(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	if q.err == nil && !q.values.Has("q") {
		r.SetPathValue("slug", "search")
		return a.getPost(w, r)
	}
	f := store.PostFilter{PublishedOnly: true, Query: q.text("q", maxQuery)}
	if q.err == nil && f.Query == "" {
		q.fail(editorial.Invalidf("q", "must not be empty"))
	}
	return a.answerPosts(w, r, q, f)
}

func (a *API) answerPosts(w http.ResponseWriter, r *http.Request, q *query, f store.PostFilter) error {
	f.Limit = q.number("limit", defaultLimit, 1, maxLimit)
	f.Offset = q.number("skip", 0, 0, maxOffset)
	if q.err != nil {
		return q.err
	}
	if !f.PublishedOnly {
		// What is not published is for those who write.
		if err := auth.Check(r.Context(), auth.Author); err != nil {
			return err
		}
	}
	posts, total, err := a.Store.Posts(r.Context(), f)
	if err != nil {
		return err
	}
	return ok(w, postsResponse{
		Data: shaped(posts, a.postOf),
		Meta: postPage{pagination{
			Page: f.Offset/f.Limit + 1, PageSize: f.Limit, Total: total, PageCount: (total + f.Limit - 1) / f.Limit,
		}},
	})
}

// getPost serves a post that is not published to those who write, and to
// nobody else: the site served everything to everybody.
func (a *API) getPost(w http.ResponseWriter, r *http.Request) error {
	slug, err := pathText(r, "slug")
	if err != nil {
		return err
	}
	p, err := a.Store.PostBySlug(r.Context(), slug)
	hidden := err == nil && p.Status != string(editorial.DraftPublished) && auth.Check(r.Context(), auth.Author) != nil
	if errors.Is(err, store.ErrNotFound) || hidden {
		return editorial.NotFoundf("Post not found")
	}
	if err != nil {
		return err
	}
	answer := postResponse{Data: a.postOf(p)}
	if answer.Meta, err = a.metaOf(r, p); err != nil {
		return err
	}
	return ok(w, answer)
}

func (a *API) metaOf(r *http.Request, p editorial.Post) (postMeta, error) {
	tags, err := a.Store.PostTags(r.Context(), p.ID)
	if err != nil {
		return postMeta{}, err
	}
	meta := postMeta{Tags: shaped(tags, tagOf)}
	category, err := a.Store.Category(r.Context(), p.CategoryID)
	if meta.Category, err = summaryOf(category, err); err != nil {
		return postMeta{}, err
	}
	author, err := a.Store.Author(r.Context(), p.AuthorID)
	meta.Author, err = summaryOf(author, err)
	return meta, err
}

// summaryOf is null for a term that is not there: the site deletes them.
func summaryOf(t editorial.Term, err error) (*summary, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &summary{t.ID, t.Name, t.Slug}, nil
}
