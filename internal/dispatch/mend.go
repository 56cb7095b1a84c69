package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

const updatedAt = "updated_at"

func joinSorted(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// mended is what a published post lacks and what there is to write, by the same
// rules as publishing fills a new one.
type mended struct {
	post     store.PostRow
	draft    editorial.Draft // behind the post, or made up from it
	terms    *termsWanted    // that draft's; nil: not looked up yet
	findings []editorial.Finding
	columns  map[string]any
	request  *editorial.Request // the picture to ask for first; nil when none is needed or to be had
	note     string
}

// mend works out what a post needs; img is the picture that was made for it, nil
// when there is none (yet). It locks the post, after the draft that became it,
// and writes nothing but authors, categories and tags that are missing.
// ErrNotFound: there is no such published post.
func (d *Dispatch) mend(ctx context.Context, tx *store.Tx, postID string, generate bool, img *editorial.Image) (*mended, error) {
	ourDraft, err := tx.DraftOfPost(ctx, postID)
	if err != nil {
		return nil, err
	}
	if ourDraft != "" {
		if _, err := tx.LockDraft(ctx, ourDraft); err != nil {
			return nil, err
		}
	}
	m := &mended{columns: make(map[string]any)}
	if m.post, err = tx.LockPost(ctx, postID); err != nil {
		return nil, err
	}
	if m.post.Status != string(editorial.DraftPublished) {
		return nil, store.ErrNotFound
	}
	m.findings = editorial.PostFindings(m.post.Post, m.post.TagRows(), tx.HasPostColumn, d.ours(ctx, tx, &err))
	if err != nil || len(m.findings) == 0 {
		return m, err
	}
	if m.draft, err = draftBehind(ctx, tx, m.post.Post); err != nil {
		return nil, err
	}
	p := &pictureRepair{d: d, mended: m, ours: d.ours(ctx, tx, &err), generate: generate, decided: ourDraft != "", img: img}
	for i := range m.findings {
		f := &m.findings[i]
		switch {
		case f.IsPicture():
			p.mend(f)
		case err == nil:
			err = m.fill(ctx, tx, f)
		}
	}
	return m, err
}

// fill sets one column that is not the picture's.
func (m *mended) fill(ctx context.Context, tx *store.Tx, f *editorial.Finding) error {
	var value any
	switch f.Column {
	case "author_id":
		terms, err := m.wantedTerms(ctx, tx)
		if err != nil {
			return err
		}
		author, err := terms.author(ctx, tx)
		if err != nil {
			return err
		}
		value, f.Would = author.ID, "set to "+author.Name
	case "category_id":
		category, err := m.category(ctx, tx)
		if err != nil {
			return err
		}
		value, f.Would = category.ID, "set to "+category.Name
	case "tag_ids", store.PostTagsColumn:
		return m.fillTags(ctx, tx, f)
	case "created_by", "updated_by":
		id := userID(editorial.Approval{Reviewer: m.draft.Text("approved_by")})
		value, f.Would = id, "set to "+id
	case "published_at":
		at := m.post.CreatedAt // nobody knows better when it went out
		if at.IsZero() {
			at = time.Now().UTC()
		}
		value, f.Would = at, "set to "+at.Format(time.RFC3339)+", when the row was made"
	case "seo_keywords":
		value = editorial.Keywords(m.post.SEOKeywords)
		f.Would = "set to " + value.(string)
	}
	m.columns[f.Column] = value
	return nil
}

// wantedTerms are looked up once, however many columns ask for them.
func (m *mended) wantedTerms(ctx context.Context, tx *store.Tx) (*termsWanted, error) {
	if m.terms != nil {
		return m.terms, nil
	}
	terms, err := findTerms(ctx, tx, &m.draft)
	if err != nil {
		return nil, err
	}
	m.terms = terms
	return terms, nil
}

func (m *mended) category(ctx context.Context, tx *store.Tx) (editorial.Term, error) {
	if c, err := tx.Category(ctx, m.post.CategoryID); !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	terms, err := m.wantedTerms(ctx, tx)
	if err != nil {
		return editorial.Term{}, err
	}
	return terms.category(ctx, tx)
}

// fillTags makes tag_ids and post_tags say the same: where one of them is there
// it is what the other gets.
func (m *mended) fillTags(ctx context.Context, tx *store.Tx, f *editorial.Finding) error {
	known := m.post.TagIDs
	if len(known) == 0 {
		known = m.post.TagRows()
	}
	tags, err := existing(ctx, tx, known)
	if err != nil {
		return err
	}
	if len(tags) == 0 {
		category, err := m.category(ctx, tx)
		if err != nil {
			return err
		}
		terms, err := m.wantedTerms(ctx, tx)
		if err != nil {
			return err
		}
		if tags, err = terms.tags(ctx, tx, &m.draft, category); err != nil {
			return err
		}
	}
	names := make([]string, len(tags))
	for i, t := range tags {
		names[i] = t.Name
	}
	f.Would = "set to " + strings.Join(names, ", ")
	if f.Column == store.PostTagsColumn {
		m.columns[f.Column] = joinIDs(tags)
	} else {
		m.columns[f.Column] = splitIDs(joinIDs(tags))
	}
	return nil
}

// joinIDs and splitIDs are the form of the pseudo-column post_tags.
func joinIDs(tags []editorial.Term) string {
	ids := make([]string, len(tags))
	for i, t := range tags {
		ids[i] = t.ID
	}
	return strings.Join(ids, ",")
}

func splitIDs(column any) []string {
	s, _ := column.(string)
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// existing are the tags among ids that are still there.
func existing(ctx context.Context, tx *store.Tx, ids []string) ([]editorial.Term, error) {
	var tags []editorial.Term
	for _, id := range ids {
		tag, err := tx.Tag(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// write writes what was worked out and keeps, in c, the columns as they were and
// as they are now. It does not save c.
func (m *mended) write(ctx context.Context, tx *store.Tx, c *editorial.BackfillChange) error {
	c.Note = m.note
	if len(m.columns) == 0 {
		c.State = editorial.BackfillKept
		if c.Note == "" {
			c.Note = "nothing to write: " + wouldOf(m.findings)
		}
		return nil
	}
	if err := tx.SetPostColumns(ctx, m.post.ID, m.columns); err != nil {
		return err
	}
	now, err := tx.LockPost(ctx, m.post.ID)
	if err != nil {
		return err
	}
	c.State, c.Was, c.Became = editorial.BackfillApplied, make(map[string]any), make(map[string]any)
	for name, value := range now.Columns {
		if was := m.post.Columns[name]; was != value {
			c.Was[name], c.Became[name] = was, value
		}
	}
	return nil
}

func wouldOf(findings []editorial.Finding) string {
	var list []string
	for _, f := range findings {
		list = append(list, f.Column+": "+f.Would)
	}
	if len(list) == 0 {
		return "the post lacks nothing any more"
	}
	return strings.Join(list, "; ")
}

// draftBehind is the draft that became a post, with the texts as they were
// published; a post of which no draft is known is taken as its own.
func draftBehind(ctx context.Context, tx *store.Tx, post editorial.Post) (editorial.Draft, error) {
	drafts, err := tx.DraftsBehind(ctx, post)
	if err != nil {
		return editorial.Draft{}, err
	}
	var draft editorial.Draft
	if len(drafts) == 1 {
		draft = drafts[0]
	}
	draft.Topic = post.Title
	columns := maps.Clone(draft.Columns)
	if columns == nil {
		columns = make(map[string]any)
	}
	columns["title"], columns["content"], columns["excerpt"] = post.Title, post.Content, post.Excerpt
	if keywords := editorial.Keywords(post.SEOKeywords); keywords != "" {
		columns["seo_keywords"] = keywords
	}
	draft.Columns = columns
	return draft, nil
}
