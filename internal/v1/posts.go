package v1

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Post is a published post with its picture.
type Post struct {
	ID               string         `json:"id" format:"uuid"`
	Slug             string         `json:"slug"`
	Title            string         `json:"title"`
	Excerpt          string         `json:"excerpt,omitempty"`
	Content          string         `json:"content"`
	Status           string         `json:"status"`
	FeaturedImageURL string         `json:"featured_image_url"`
	CoverImageURL    string         `json:"cover_image_url"`
	Picture          map[string]any `json:"picture,omitempty" doc:"How to show the picture, whose it is and how it was made"`
	Author           *Term          `json:"author,omitempty"`
	Category         *Term          `json:"category,omitempty"`
	Tags             []Term         `json:"tags" nullable:"false"`
	SEOTitle         string         `json:"seo_title,omitempty"`
	SEODescription   string         `json:"seo_description,omitempty"`
	SEOKeywords      string         `json:"seo_keywords,omitempty" doc:"Separated by commas"`
	DraftID          string         `json:"draft_id,omitempty"`
	CreatedBy        string         `json:"created_by,omitempty"`
	UpdatedBy        string         `json:"updated_by,omitempty"`
	PublishedAt      *time.Time     `json:"published_at,omitempty"`
	CreatedAt        time.Time      `json:"created_at"`
	UpdatedAt        time.Time      `json:"updated_at"`
	URL              string         `json:"url" doc:"Its path in this API"`
}

// Term is an author, a category or a tag.
type Term struct {
	ID   string `json:"id" format:"uuid"`
	Name string `json:"name"`
	Slug string `json:"slug,omitempty"`
}

func postPath(slug string) string { return "/v1/posts/" + escapeSegment(slug) }

type getPostInput struct {
	ID string `path:"id" doc:"The post's id or slug"`
}

type postOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Post
}

// getPost is public for what is published; the rest is the authors' to see, and
// for others not there.
func (a *API) getPost(ctx context.Context, in *getPostInput) (*postOutput, error) {
	p, err := a.readPost(ctx, in.ID)
	if err == nil && p.Status != string(editorial.DraftPublished) && auth.Check(ctx, auth.Author) != nil {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, editorial.NotFoundf("there is no post with this id or slug")
	}
	if err != nil {
		return nil, err
	}
	v := viewPost(p)
	if v.Author, err = a.term(ctx, a.Store.Author, p.AuthorID); err != nil {
		return nil, err
	}
	if v.Category, err = a.term(ctx, a.Store.Category, p.CategoryID); err != nil {
		return nil, err
	}
	tags, err := a.Store.PostTags(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		v.Tags = append(v.Tags, viewTerm(t))
	}
	return &postOutput{CacheControl: "no-cache", Body: v}, nil
}

func (a *API) readPost(ctx context.Context, idOrSlug string) (editorial.Post, error) {
	if uuid.Validate(idOrSlug) == nil {
		if p, err := a.Store.Post(ctx, idOrSlug); !errors.Is(err, store.ErrNotFound) {
			return p, err
		}
	}
	return a.Store.PostBySlug(ctx, idOrSlug)
}

// term reads what a post is filed under, nil when it was deleted since.
func (a *API) term(ctx context.Context, read func(context.Context, string) (editorial.Term, error), id string) (*Term, error) {
	t, err := read(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := viewTerm(t)
	return &v, nil
}

func viewTerm(t editorial.Term) Term { return Term{ID: t.ID, Name: t.Name, Slug: t.Slug} }

func viewPost(p editorial.Post) Post {
	v := Post{
		ID: p.ID, Slug: p.Slug, Title: p.Title, Excerpt: p.Excerpt, Content: p.Content, Status: p.Status,
		FeaturedImageURL: p.FeaturedImageURL, CoverImageURL: p.CoverImageURL, Tags: []Term{},
		SEOTitle: p.SEOTitle, SEODescription: p.SEODescription, SEOKeywords: p.SEOKeywords, DraftID: p.TaskID,
		CreatedBy: p.CreatedBy, UpdatedBy: p.UpdatedBy, PublishedAt: timeOrNil(p.PublishedAt),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, URL: postPath(p.Slug),
	}
	v.Picture, _ = p.Metadata["featured_image"].(map[string]any)
	return v
}
