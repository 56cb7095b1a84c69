package siteapi

import (
	"net/url"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// post is the site's post. The members up to ViewCount are the site's own;
// coverImage is what its older pages read and never got.
type post struct {
	ID               string         `json:"id"`
	Title            string         `json:"title"`
	Slug             string         `json:"slug"`
	Excerpt          *string        `json:"excerpt"`
	FeaturedImageURL *string        `json:"featured_image_url"`
	CoverImageURL    *string        `json:"cover_image_url"`
	CategoryID       *string        `json:"category_id"`
	PublishedAt      *string        `json:"published_at"`
	CreatedAt        *string        `json:"created_at"`
	UpdatedAt        *string        `json:"updated_at"`
	SEOTitle         *string        `json:"seo_title"`
	SEODescription   *string        `json:"seo_description"`
	SEOKeywords      *string        `json:"seo_keywords"`
	Status           string         `json:"status"`
	Content          string         `json:"content"`
	AuthorID         *string        `json:"author_id"`
	ViewCount        int            `json:"view_count"`
	CoverImage       *coverImage    `json:"coverImage"`
	FeaturedImage    map[string]any `json:"featured_image"`
	TagIDs           []string       `json:"tag_ids"`
	CreatedBy        *string        `json:"created_by"`
	UpdatedBy        *string        `json:"updated_by"`
}

// coverImage is both shapes at once: lists read data.attributes.url, articles
// read url.
type coverImage struct {
	URL             string    `json:"url"`
	AlternativeText *string   `json:"alternativeText"`
	Data            coverData `json:"data"`
}

type coverData struct {
	Attributes coverAttributes `json:"attributes"`
}

type coverAttributes struct {
	URL             string  `json:"url"`
	AlternativeText *string `json:"alternativeText"`
}

func (a *API) postOf(p editorial.Post) post {
	tagIDs := p.TagIDs
	if tagIDs == nil {
		tagIDs = []string{}
	}
	return post{
		ID: p.ID, Title: p.Title, Slug: p.Slug, Content: p.Content, Status: p.Status, ViewCount: p.ViewCount,
		Excerpt: orNull(p.Excerpt), FeaturedImageURL: orNull(p.FeaturedImageURL), CoverImageURL: orNull(p.CoverImageURL),
		CategoryID: orNull(p.CategoryID), AuthorID: orNull(p.AuthorID), TagIDs: tagIDs,
		PublishedAt: isoTime(p.PublishedAt), CreatedAt: isoTime(p.CreatedAt), UpdatedAt: isoTime(p.UpdatedAt),
		SEOTitle: orNull(p.SEOTitle), SEODescription: orNull(p.SEODescription), SEOKeywords: orNull(p.SEOKeywords),
		CreatedBy: orNull(p.CreatedBy), UpdatedBy: orNull(p.UpdatedBy),
		CoverImage: a.coverOf(p), FeaturedImage: publicFacts(p.Metadata),
	}
}

// coverOf is null when there is no picture. The pages that read it put the
// API's own address before the URL without looking, so one of our pictures is
// named by its path here, which the API serves or redirects.
func (a *API) coverOf(p editorial.Post) *coverImage {
	address := p.CoverImageURL
	if address == "" {
		address = p.FeaturedImageURL
	}
	if address == "" {
		return nil
	}
	if key, ours := a.Links.KeyOf(address); ours {
		address = (&url.URL{Path: "/images/" + key}).EscapedPath()
	}
	alt, _ := p.Metadata["featured_image_alt"].(string)
	return &coverImage{
		URL: address, AlternativeText: orNull(alt),
		Data: coverData{coverAttributes{URL: address, AlternativeText: orNull(alt)}},
	}
}

// publicNames are the facts about a picture that its readers need; prompts and
// parameters are the editors'.
var publicNames = []string{
	"url", "width", "height", "content_type", "alt", "color", "placeholder", "renditions", "srcset", "source", "credit", "credit_text", "credit_html",
}

// publicFacts is null for a picture that is not ours.
func publicFacts(metadata map[string]any) map[string]any {
	all, _ := metadata["featured_image"].(map[string]any)
	var facts map[string]any
	for _, name := range publicNames {
		if v, there := all[name]; there {
			if facts == nil {
				facts = make(map[string]any)
			}
			facts[name] = v
		}
	}
	return facts
}
