package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// writePost inserts or updates the post of a draft with every column filled
// (promise P8). first is true when the post was not public before.
func (p *publication) writePost(ctx context.Context, tx *store.Tx, draft *editorial.Draft, img editorial.Image) (post editorial.Post, first bool, err error) {
	old, err := postOfDraft(ctx, tx, *p.state, draft)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return post, false, err
	}
	exists := err == nil
	post = editorial.NewPost(draft)
	if err := fillTerms(ctx, tx, draft, &post); err != nil {
		return post, false, err
	}
	approval, err := p.approvalOf(ctx, tx)
	if err != nil {
		return post, false, err
	}
	post.FeaturedImageURL, post.CoverImageURL = img.URL, img.URL
	post.UpdatedBy = userID(approval)
	post.Metadata = postMetadata(old.Metadata, img, approval.Reviewer)
	post.PublishedAt = old.PublishedAt
	if post.PublishedAt.IsZero() {
		post.PublishedAt = time.Now().UTC().Truncate(time.Millisecond) // as it is stored
	}
	if exists {
		post.ID, post.Slug = old.ID, old.Slug
		first = old.Status != string(editorial.DraftPublished)
		if err := tx.UpdatePost(ctx, post); err != nil {
			return post, false, err
		}
		return post, first, tx.SetPostTags(ctx, post.ID, post.TagIDs)
	}
	post.ID, post.Slug = newPostID(draft), slugOf(draft)
	post.CreatedBy = post.UpdatedBy
	if post.Slug, err = tx.InsertPost(ctx, post); err != nil {
		return post, false, err
	}
	return post, true, tx.AddPostTags(ctx, post.ID, post.TagIDs)
}

// postOfDraft finds the post that a draft already has, by every tie that a
// version of the site has made.
func postOfDraft(ctx context.Context, tx *store.Tx, state editorial.DraftImages, draft *editorial.Draft) (editorial.Post, error) {
	ids := []string{state.PostID, metaString(draft, "post_id"), metaString(draft, "cms_post_id")}
	for _, id := range ids {
		if id == "" {
			continue
		}
		post, err := tx.Post(ctx, id)
		if !errors.Is(err, store.ErrNotFound) {
			return post, err
		}
	}
	return tx.PostOfTask(ctx, draft.ID)
}

// newPostID keeps an id that the site's pipeline promised, so that links made
// before publishing stay true.
func newPostID(draft *editorial.Draft) string {
	if id := metaString(draft, "post_id"); uuid.Validate(id) == nil {
		return strings.ToLower(id)
	}
	return uuid.NewString()
}

func metaString(draft *editorial.Draft, name string) string {
	s, _ := draft.Metadata[name].(string)
	return s
}

// approvalOf is the approval that is being carried out.
func (p *publication) approvalOf(ctx context.Context, tx *store.Tx) (editorial.Approval, error) {
	if p.approval.ID == p.state.ApprovalID {
		return p.approval, nil
	}
	approvals, err := tx.Approvals(ctx, p.state.DraftID)
	if err != nil {
		return editorial.Approval{}, err
	}
	for _, a := range approvals {
		if a.ID == p.state.ApprovalID {
			return a, nil
		}
	}
	return editorial.Approval{}, nil
}

// userID is who approved as the UUID columns want it: the id that was
// authenticated, or was named, where it is one, else the site's own author. The
// name is kept in metadata.
func userID(a editorial.Approval) string {
	for _, id := range []string{a.Caller, a.Reviewer} {
		if uuid.Validate(id) == nil {
			return strings.ToLower(id)
		}
	}
	return editorial.DefaultAuthorID
}

// postMetadata adds to a post's metadata what is known of its picture.
func postMetadata(old map[string]any, img editorial.Image, reviewer string) map[string]any {
	m := maps.Clone(old)
	if m == nil {
		m = make(map[string]any)
	}
	m["reviewer"] = reviewer
	m["featured_image"] = PictureFacts(img)
	m["featured_image_alt"] = img.AltText
	return m
}

// PictureFacts is what is published about a picture: how to show it, whose it
// is, how it was made, and whether it is what was asked for first.
func PictureFacts(img editorial.Image) map[string]any {
	facts := map[string]any{
		"image_id": img.ID, "url": img.URL, "sha256": img.SHA256, "source": img.Source,
		"width": img.Width, "height": img.Height, "content_type": img.ContentType, "bytes": img.Bytes,
		"alt": img.AltText, "color": img.Color, "placeholder": img.Placeholder,
		"backend": img.Backend, "model": img.Model, "seed": img.Seed, "params": img.Params, "round": img.Round,
	}
	if img.Recipe != nil {
		facts["recipe"] = img.Recipe
	}
	if img.Cost != nil {
		facts["cost"] = *img.Cost
	}
	if len(img.Renditions) > 0 {
		facts["renditions"] = img.Renditions
		facts["srcset"] = Srcset(img)
	}
	if img.Credit != nil {
		facts["credit"] = img.Credit
		facts["credit_text"], facts["credit_html"] = img.Credit.Text(), img.Credit.HTML()
	}
	if why := img.Fallback(); why != "" {
		facts["fallback"] = why
		facts["steps"] = img.Steps
	}
	return facts
}

// Srcset is the value of an img element's srcset, narrowest first.
func Srcset(img editorial.Image) string {
	var parts []string
	for _, r := range img.Renditions {
		parts = append(parts, fmt.Sprintf("%s %dw", r.URL, r.Width))
	}
	return strings.Join(parts, ", ")
}

// draftPicture is a draft's metadata with a picture in every member that the
// site's front ends look for one.
func draftPicture(draft *editorial.Draft, img editorial.Image) map[string]any {
	m := maps.Clone(draft.Metadata)
	if m == nil {
		m = make(map[string]any)
	}
	m["featured_image_url"] = img.URL
	m["featured_image_source"] = img.Source
	m["featured_image_alt"] = img.AltText
	m["featured_image"] = PictureFacts(img)
	delete(m, "featured_image_photographer")
	if img.Credit != nil {
		m["featured_image_photographer"] = img.Credit.Author
	}
	return m
}
