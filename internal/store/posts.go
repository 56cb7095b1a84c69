package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Post returns the post of an id, or ErrNotFound.
func (r *Reader) Post(ctx context.Context, id string) (editorial.Post, error) {
	if !isUUID(id) {
		return editorial.Post{}, fmt.Errorf("post %q: %w", id, ErrNotFound)
	}
	return r.post(ctx, "id = ?", id)
}

// PostBySlug returns the post of a slug, published or not, or ErrNotFound.
func (r *Reader) PostBySlug(ctx context.Context, slug string) (editorial.Post, error) {
	return r.post(ctx, "slug = ?", slug)
}

// PostOfTask returns the post that posts.task_id ties to a draft, or
// ErrNotFound; also when this database's posts have no such column.
func (r *Reader) PostOfTask(ctx context.Context, draftID string) (editorial.Post, error) {
	if !r.site.has("posts", "task_id") {
		return editorial.Post{}, ErrNotFound
	}
	return r.post(ctx, "task_id = ?", draftID)
}

func (r *Reader) post(ctx context.Context, where, value string) (editorial.Post, error) {
	posts, err := r.posts(ctx, where, value)
	if err != nil {
		return editorial.Post{}, err
	}
	if len(posts) == 0 {
		return editorial.Post{}, fmt.Errorf("post %q: %w", value, ErrNotFound)
	}
	return posts[0], nil
}

func (r *Reader) posts(ctx context.Context, where string, args ...any) ([]editorial.Post, error) {
	rows, err := r.queryRows(ctx, "SELECT * FROM posts WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read posts: %w", err)
	}
	list := make([]editorial.Post, len(rows))
	for i, row := range rows {
		list[i] = postOf(row)
	}
	return list, nil
}

func postOf(row map[string]any) editorial.Post {
	p := editorial.Post{
		ID: stringOf(row["id"]), Title: stringOf(row["title"]), Slug: stringOf(row["slug"]),
		Content: stringOf(row["content"]), Excerpt: stringOf(row["excerpt"]),
		FeaturedImageURL: stringOf(row["featured_image_url"]), CoverImageURL: stringOf(row["cover_image_url"]),
		AuthorID: stringOf(row["author_id"]), CategoryID: stringOf(row["category_id"]),
		SEOTitle: stringOf(row["seo_title"]), SEODescription: stringOf(row["seo_description"]),
		SEOKeywords: stringOf(row["seo_keywords"]), Status: stringOf(row["status"]),
		PublishedAt: timeOf(row["published_at"]), CreatedAt: timeOf(row["created_at"]), UpdatedAt: timeOf(row["updated_at"]),
		CreatedBy: stringOf(row["created_by"]), UpdatedBy: stringOf(row["updated_by"]), TaskID: stringOf(row["task_id"]),
	}
	p.ViewCount, _ = strconv.Atoi(stringOf(row["view_count"]))
	p.Metadata, _ = decodeJSON(stringOf(row["metadata"])).(map[string]any)
	var ids uuidList
	_ = ids.Scan(row["tag_ids"]) // never fails: every type has a text
	p.TagIDs = ids
	return p
}

// PostFilter narrows a listing of posts.
type PostFilter struct {
	PublishedOnly bool
	Query         string // in title, excerpt or content; empty for all
	Limit         int
	Offset        int
}

// Posts lists posts, newest first, and how many match in all.
func (r *Reader) Posts(ctx context.Context, f PostFilter) (list []editorial.Post, total int, err error) {
	where := []string{"1 = 1"}
	var args []any
	if f.PublishedOnly {
		where = append(where, "status = 'published'")
	}
	if f.Query != "" {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(f.Query)) + "%"
		where = append(where, `(lower(title) LIKE ? ESCAPE '\' OR lower(excerpt) LIKE ? ESCAPE '\' OR lower(content) LIKE ? ESCAPE '\')`)
		args = append(args, pattern, pattern, pattern)
	}
	condition := strings.Join(where, " AND ")
	if err := r.one(ctx, &total, `SELECT COUNT(*) FROM posts WHERE `+condition, args...); err != nil {
		return nil, 0, fmt.Errorf("count posts: %w", err)
	}
	list, err = r.posts(ctx, condition+` ORDER BY COALESCE(published_at, created_at) DESC, id LIMIT ? OFFSET ?`,
		append(args, f.Limit, f.Offset)...)
	return list, total, err
}

// InsertPost inserts a post under a slug of its own: the wished one, or, when
// another post has it, that with the start of the post's id. It returns the
// slug that was taken.
func (t *Tx) InsertPost(ctx context.Context, p editorial.Post) (slug string, err error) {
	for _, slug := range []string{p.Slug, p.Slug + "-" + p.ID[:8], p.Slug + "-" + p.ID} {
		p.Slug = slug
		w := &write{}
		w.set("id", p.ID)
		w.set("slug", p.Slug)
		w.setExpr("created_at", "{now}")
		w.set("created_by", text(p.CreatedBy))
		writePost(w, p)
		w.set("task_id", text(p.TaskID))
		w = w.only(t.site, "posts")
		// Without a target: whichever unique constraint the site gave slug.
		n, err := t.exec(ctx, w.insert("posts")+" ON CONFLICT DO NOTHING", w.args...)
		if err != nil {
			return "", fmt.Errorf("insert post of draft %s: %w", p.TaskID, err)
		}
		if n == 1 {
			return slug, nil
		}
	}
	return "", fmt.Errorf("insert post of draft %s: no slug like %q is free", p.TaskID, p.Slug)
}

// UpdatePost writes a post that exists; slug, creator and time of creation stay.
func (t *Tx) UpdatePost(ctx context.Context, p editorial.Post) error {
	w := &write{}
	writePost(w, p)
	w = w.only(t.site, "posts")
	n, err := t.exec(ctx, w.update("posts", "id = ?"), append(w.args, p.ID)...)
	if err != nil {
		return fmt.Errorf("update post %s: %w", p.ID, err)
	}
	if n == 0 {
		return fmt.Errorf("update post %s: %w", p.ID, ErrNotFound)
	}
	return nil
}

func writePost(w *write, p editorial.Post) {
	w.set("title", p.Title)
	w.set("content", p.Content)
	w.set("excerpt", text(p.Excerpt))
	w.set("featured_image_url", text(p.FeaturedImageURL))
	w.set("cover_image_url", text(p.CoverImageURL))
	w.set("author_id", text(p.AuthorID))
	w.set("category_id", text(p.CategoryID))
	w.setExpr("tag_ids", "{uuids ?}", uuidList(p.TagIDs))
	w.set("seo_title", text(p.SEOTitle))
	w.set("seo_description", text(p.SEODescription))
	w.set("seo_keywords", text(p.SEOKeywords))
	w.set("status", p.Status)
	if p.PublishedAt.IsZero() {
		w.setExpr("published_at", "{now}")
	} else {
		w.set("published_at", stamp{p.PublishedAt})
	}
	w.set("metadata", doc(p.Metadata))
	w.setExpr("updated_at", "{now}")
	w.set("updated_by", text(p.UpdatedBy))
}

// SetPostTags makes the given tags a post's tags, and the only ones.
func (t *Tx) SetPostTags(ctx context.Context, postID string, tagIDs []string) error {
	if _, err := t.exec(ctx, `DELETE FROM post_tags WHERE post_id = ?`, postID); err != nil {
		return fmt.Errorf("clear tags of post %s: %w", postID, err)
	}
	return t.AddPostTags(ctx, postID, tagIDs)
}

// AddPostTags gives a post tags beside those that it has.
func (t *Tx) AddPostTags(ctx context.Context, postID string, tagIDs []string) error {
	if len(tagIDs) == 0 {
		return nil
	}
	var args []any
	for _, id := range tagIDs {
		args = append(args, postID, id)
	}
	if _, err := t.exec(ctx, `INSERT INTO post_tags (post_id, tag_id) VALUES `+rows(len(tagIDs), `(?, ?)`)+` ON CONFLICT DO NOTHING`, args...); err != nil {
		return fmt.Errorf("tag post %s: %w", postID, err)
	}
	return nil
}
