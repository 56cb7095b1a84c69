package dispatch

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// maxTags bounds how many tags a post gets.
const maxTags = 10

// fillTerms sets author, category and tags, making what is missing.
func fillTerms(ctx context.Context, tx *store.Tx, draft *editorial.Draft, post *editorial.Post) error {
	author, err := authorOf(ctx, tx, draft)
	if err != nil {
		return err
	}
	category, err := categoryOf(ctx, tx, draft)
	if err != nil {
		return err
	}
	tags, err := tagsOf(ctx, tx, draft, category)
	if err != nil {
		return err
	}
	post.AuthorID, post.CategoryID = author.ID, category.ID
	for _, t := range tags {
		post.TagIDs = append(post.TagIDs, t.ID)
	}
	return nil
}

// authorOf: the author that the draft names by id or by name, else the site's own.
func authorOf(ctx context.Context, tx *store.Tx, draft *editorial.Draft) (editorial.Term, error) {
	if a, err := tx.Author(ctx, metaString(draft, "author_id")); !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	if name := strings.TrimSpace(draft.Text("author")); name != "" {
		return tx.EnsureAuthor(ctx, newTerm(name), "")
	}
	if a, err := tx.Author(ctx, editorial.DefaultAuthorID); !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	return tx.EnsureAuthor(ctx, editorial.Term{
		ID: editorial.DefaultAuthorID, Name: editorial.DefaultAuthorName, Slug: editorial.DefaultAuthorSlug,
	}, editorial.DefaultAuthorEmail)
}

// categoryOf: the category that the draft names by id, name or slug, else the
// one that its words suggest.
func categoryOf(ctx context.Context, tx *store.Tx, draft *editorial.Draft) (editorial.Term, error) {
	if c, err := tx.Category(ctx, metaString(draft, "category_id")); !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	if name := strings.TrimSpace(draft.Text("category")); name != "" {
		return tx.EnsureCategory(ctx, newTerm(name))
	}
	slug := editorial.CategorySlug(draft.Title(), draft.Topic, editorial.Clip(draft.Content(), 2000))
	return tx.EnsureCategory(ctx, newTerm(slug))
}

// tagsOf: the tags that the draft names, else its SEO keywords, else the tags
// whose names its text contains, else its category.
func tagsOf(ctx context.Context, tx *store.Tx, draft *editorial.Draft, category editorial.Term) ([]editorial.Term, error) {
	tags, err := tagsByID(ctx, tx, draft)
	if err != nil || len(tags) > 0 {
		return tags, err
	}
	names := draft.Tags
	if len(names) == 0 {
		names = editorial.NormalizeKeywords(draft.Metadata["tags"])
	}
	if len(names) == 0 {
		names = draft.Keywords()
	}
	if len(names) == 0 {
		if names, err = tagsInText(ctx, tx, draft); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		names = []string{category.Name}
	}
	seen := make(map[string]bool)
	for _, name := range names[:min(len(names), maxTags)] {
		tag, err := tx.EnsureTag(ctx, newTerm(name))
		if err != nil {
			return nil, err
		}
		if !seen[tag.ID] {
			seen[tag.ID] = true
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

func tagsByID(ctx context.Context, tx *store.Tx, draft *editorial.Draft) ([]editorial.Term, error) {
	var tags []editorial.Term
	for _, id := range editorial.NormalizeKeywords(draft.Metadata["tag_ids"]) {
		tag, err := tx.Tag(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted since, or a name where an id belongs
		}
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// maxTextTags is how many tags may be guessed from the text.
const maxTextTags = 5

func tagsInText(ctx context.Context, tx *store.Tx, draft *editorial.Draft) ([]string, error) {
	all, err := tx.Tags(ctx)
	if err != nil {
		return nil, err
	}
	text := " " + strings.Join(words(draft.Title()+" "+editorial.Clip(draft.Content(), 2000)), " ") + " "
	var names []string
	for _, t := range all {
		name := strings.Join(words(t.Name), " ")
		if name != "" && strings.Contains(text, " "+name+" ") && len(names) < maxTextTags {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// maxTermName is the width of the site's name columns.
const maxTermName = 255

// newTerm is a term of a name: capitalised where it has no capitals at all.
func newTerm(name string) editorial.Term {
	name = editorial.Clip(name, maxTermName)
	if name == strings.ToLower(name) {
		first, size := utf8.DecodeRuneInString(name)
		name = string(unicode.ToUpper(first)) + name[size:]
	}
	return editorial.Term{ID: uuid.NewString(), Name: name, Slug: slugify(name, maxSlug)}
}
