package desk

import (
	"context"
	"net/http"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// postsPage is the body of the list of published posts.
type postsPage struct {
	Now   time.Time
	Query string
	Posts []postCard
	Pager pager
}

// postCard is a published post with the picture that readers see.
type postCard struct {
	ID, DOM, Title, Excerpt, Slug string
	DraftID                       string // empty: the site published it itself
	PublishedAt                   time.Time
	Picture                       candidate // only URL, size and texts are set for the site's own
	By                            string
	Waiting                       bool // a newer round waits for its approval
}

const postsPer = 24

func (d *Desk) listPosts(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	pg := pagerOf(q, "/desk/posts")
	if !q.Has("per") {
		pg.Per = postsPer
	}
	query := q.Get("q")
	posts, total, err := d.Store.Posts(r.Context(), store.PostFilter{PublishedOnly: true, Query: query, Limit: pg.Per, Offset: pg.offset()})
	if err != nil {
		return err
	}
	cards, err := d.postCards(r.Context(), posts)
	if err != nil {
		return err
	}
	pg.Total = total
	body := postsPage{Now: d.now(), Query: query, Posts: cards, Pager: pg}
	return d.render(w, r, http.StatusOK, pagePosts, &page{Title: "Published", Section: "posts", Topic: topicAll, Body: body})
}

// waits reports whether pictures that were asked for since a post was published
// await a decision. Taking the public one back is one.
func waits(s editorial.DraftImages) bool {
	return s.PublishedRound > 0 && s.Round > s.PublishedRound && s.ChosenImageID != s.PublishedImageID
}

// postCards reads the pictures of posts in two statements, however many.
func (d *Desk) postCards(ctx context.Context, posts []editorial.Post) ([]postCard, error) {
	ids := make([]string, len(posts))
	for i, p := range posts {
		ids[i] = p.ID
	}
	states, err := d.Store.DraftImagesOfPosts(ctx, ids)
	if err != nil {
		return nil, err
	}
	var imageIDs []string
	for _, s := range states {
		if s.PublishedImageID != "" {
			imageIDs = append(imageIDs, s.PublishedImageID)
		}
	}
	images, err := d.Store.Images(ctx, imageIDs)
	if err != nil {
		return nil, err
	}
	l := looker{now: d.now()}
	cards := make([]postCard, len(posts))
	for i, p := range posts {
		state := states[p.ID]
		card := postCard{
			ID: p.ID, DOM: domID(p.ID), Title: firstOf(p.Title, "Untitled post"), Excerpt: editorial.Clip(p.Excerpt, 160), Slug: p.Slug,
			DraftID: state.DraftID, PublishedAt: p.PublishedAt, Waiting: waits(state),
		}
		card.By, _ = p.Metadata["reviewer"].(string)
		if img, ok := images[state.PublishedImageID]; ok {
			card.Picture = l.candidate(img, editorial.Request{Width: img.Width, Height: img.Height})
		}
		if card.Picture.URL == "" {
			alt, _ := p.Metadata["featured_image_alt"].(string)
			card.Picture = candidate{URL: p.FeaturedImageURL, Thumb: p.FeaturedImageURL, Width: editorial.DefaultWidth, Height: editorial.DefaultHeight, Alt: alt}
		}
		cards[i] = card
	}
	return cards, nil
}
