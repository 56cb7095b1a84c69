package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// PostRow is a post together with its row as it stands in the database: every
// column by name, as text or nil, and the pseudo-column post_tags. Texts can be
// written back as they are by [Tx.SetPostColumns].
type PostRow struct {
	editorial.Post
	Columns map[string]any
}

// PostTagsColumn is the pseudo-column of a PostRow that holds the ids of its
// tags in post_tags, sorted and joined with commas.
const PostTagsColumn = "post_tags"

// TagRows are the ids of the post's tags in post_tags.
func (p *PostRow) TagRows() []string { return splitIDs(p.Columns[PostTagsColumn]) }

func splitIDs(v any) []string {
	s, _ := v.(string)
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// HasPostColumn reports whether this database's posts have a column.
func (r *Reader) HasPostColumn(name string) bool { return r.site.has("posts", name) }

// PublishedPosts lists published posts by id, from the one behind after; empty
// for the first page.
func (r *Reader) PublishedPosts(ctx context.Context, after string, limit int) ([]editorial.Post, error) {
	if after == "" {
		after = uuid.Nil.String()
	}
	return r.posts(ctx, `status = 'published' AND id > ? ORDER BY id LIMIT ?`, after, limit)
}

// CountPublished is how many published posts there are.
func (r *Reader) CountPublished(ctx context.Context) (int, error) {
	var n int
	if err := r.one(ctx, &n, `SELECT COUNT(*) FROM posts WHERE status = 'published'`); err != nil {
		return 0, fmt.Errorf("count published posts: %w", err)
	}
	return n, nil
}

// LockPost returns a post with its row and holds it until the transaction ends.
// It comes after the draft's row, where the post has a draft.
func (t *Tx) LockPost(ctx context.Context, id string) (PostRow, error) {
	rows, err := t.queryRows(ctx, `SELECT * FROM posts WHERE id = ? {lock}`, id)
	if err != nil {
		return PostRow{}, fmt.Errorf("lock post %s: %w", id, err)
	}
	if len(rows) == 0 {
		return PostRow{}, fmt.Errorf("lock post %s: %w", id, ErrNotFound)
	}
	p := PostRow{Post: postOf(rows[0]), Columns: make(map[string]any, len(rows[0])+1)}
	for name, v := range rows[0] {
		p.Columns[name] = asText(v)
	}
	tags, err := t.PostTags(ctx, id)
	if err != nil {
		return PostRow{}, err
	}
	ids := make([]string, len(tags))
	for i, tag := range tags {
		ids[i] = tag.ID
	}
	slices.Sort(ids)
	p.Columns[PostTagsColumn] = strings.Join(ids, ",")
	return p, nil
}

// asText is a column's value as text that both databases read back as the same
// value; nil stays nil.
func asText(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999Z")
	default:
		return stringOf(v)
	}
}

// SetPostColumns sets columns of a post that exists, and its tags where
// post_tags is among them. Values are texts as in a PostRow, nil, times and
// documents; columns that this database lacks are passed over.
func (t *Tx) SetPostColumns(ctx context.Context, id string, columns map[string]any) error {
	w := &write{}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		switch v := columns[name].(type) {
		case time.Time:
			w.set(name, stamp{v})
		case map[string]any:
			w.set(name, doc(v))
		case []string:
			w.setExpr(name, "{uuids ?}", uuidList(v))
		default:
			expr := "?"
			if name == "tag_ids" {
				expr = "{uuids ?}"
			}
			w.setExpr(name, expr, v)
		}
	}
	if _, given := columns["updated_at"]; !given {
		w.setExpr("updated_at", "{now}")
	}
	w = w.only(t.site, "posts")
	n, err := t.exec(ctx, w.update("posts", "id = ?"), append(w.args, id)...)
	if err != nil {
		return fmt.Errorf("set columns of post %s: %w", id, err)
	}
	if n == 0 {
		return fmt.Errorf("set columns of post %s: %w", id, ErrNotFound)
	}
	if tags, given := columns[PostTagsColumn]; given {
		return t.SetPostTags(ctx, id, splitIDs(tags))
	}
	return nil
}

// DraftOfPost is the id of the draft that became a post through us, "" when
// there is none.
func (r *Reader) DraftOfPost(ctx context.Context, postID string) (string, error) {
	var id string
	err := r.one(ctx, &id, `SELECT draft_id FROM draft_images WHERE post_id = ?`, postID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("find draft of post %s: %w", postID, err)
	}
	return id, nil
}

// DraftsBehind are the drafts that may have become a post: those that its
// task_id or their own metadata ties to it, and else those that show the same
// picture. More than two are as useless as two.
func (r *Reader) DraftsBehind(ctx context.Context, p editorial.Post) ([]editorial.Draft, error) {
	const limit = 2
	for _, tie := range []struct{ where, value string }{
		{`task_id = ?`, p.TaskID},
		{`CAST(task_metadata AS text) LIKE ?`, "%" + p.ID + "%"},
		{`featured_image_url = ?`, p.FeaturedImageURL},
	} {
		if tie.value == "" {
			continue
		}
		rows, err := r.queryRows(ctx, `SELECT * FROM content_tasks WHERE `+tie.where+` ORDER BY created_at LIMIT ?`, tie.value, limit)
		if err != nil {
			return nil, fmt.Errorf("find drafts behind post %s: %w", p.ID, err)
		}
		if len(rows) == 0 {
			continue
		}
		list := make([]editorial.Draft, len(rows))
		for i, row := range rows {
			list[i] = draftOf(row)
		}
		return list, nil
	}
	return nil, nil
}
