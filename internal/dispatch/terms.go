package dispatch

import (
	"context"
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
	w, err := findTerms(ctx, tx, draft)
	if err != nil {
		return err
	}
	author, err := w.author(ctx, tx)
	if err != nil {
		return err
	}
	category, err := w.category(ctx, tx)
	if err != nil {
		return err
	}
	tags, err := w.tags(ctx, tx, draft, category)
	if err != nil {
		return err
	}
	post.AuthorID, post.CategoryID = author.ID, category.ID
	for _, t := range tags {
		post.TagIDs = append(post.TagIDs, t.ID)
	}
	return nil
}

func findTerms(ctx context.Context, tx *store.Tx, draft *editorial.Draft) (_ *termsWanted, err error) {
	w := wantedTerms(draft)
	w.found, err = tx.FindTerms(ctx, w.asks()...)
	return w, err
}

// termsWanted is what a draft says of its terms, and which of them there are.
type termsWanted struct {
	authorID, authorName     string
	categoryID, categoryName string
	tagIDs, tagNames         []string
	found                    map[store.TermAsk]editorial.Term
}

func wantedTerms(draft *editorial.Draft) *termsWanted {
	w := &termsWanted{
		authorID: metaString(draft, "author_id"), authorName: strings.TrimSpace(draft.Text("author")),
		categoryID: metaString(draft, "category_id"), categoryName: strings.TrimSpace(draft.Text("category")),
		tagIDs: editorial.NormalizeKeywords(draft.Metadata["tag_ids"]), tagNames: draft.Tags,
	}
	if w.categoryName == "" {
		w.categoryName = editorial.CategorySlug(draft.Title(), draft.Topic, editorial.Clip(draft.Content(), 2000))
	}
	if len(w.tagNames) == 0 {
		w.tagNames = editorial.NormalizeKeywords(draft.Metadata["tags"])
	}
	if len(w.tagNames) == 0 {
		w.tagNames = draft.Keywords()
	}
	w.tagNames = w.tagNames[:min(len(w.tagNames), maxTags)]
	return w
}

// The questions that the answers are looked up by.
func authorByID(id string) store.TermAsk   { return store.TermAsk{Table: "authors", ID: id} }
func categoryByID(id string) store.TermAsk { return store.TermAsk{Table: "categories", ID: id} }
func tagByID(id string) store.TermAsk      { return store.TermAsk{Table: "tags", ID: id} }

func categoryNamed(name string) store.TermAsk {
	return store.TermAsk{Table: "categories", Name: newTerm(name).Name}
}

func tagNamed(name string) store.TermAsk {
	return store.TermAsk{Table: "tags", Name: newTerm(name).Name}
}

// asks is everything that may have to be looked up, in one statement.
func (w *termsWanted) asks() []store.TermAsk {
	asks := []store.TermAsk{authorByID(editorial.DefaultAuthorID), categoryNamed(w.categoryName)}
	if w.authorID != "" {
		asks = append(asks, authorByID(w.authorID))
	}
	if w.categoryID != "" {
		asks = append(asks, categoryByID(w.categoryID))
	}
	for _, id := range w.tagIDs {
		asks = append(asks, tagByID(id))
	}
	for _, name := range w.tagNames {
		asks = append(asks, tagNamed(name))
	}
	return asks
}

// author: the one that the draft names by id or by name, else the site's own.
func (w *termsWanted) author(ctx context.Context, tx *store.Tx) (editorial.Term, error) {
	if a, ok := w.found[authorByID(w.authorID)]; ok {
		return a, nil
	}
	if w.authorName != "" {
		return tx.EnsureAuthor(ctx, newTerm(w.authorName), "")
	}
	if a, ok := w.found[authorByID(editorial.DefaultAuthorID)]; ok {
		return a, nil
	}
	return tx.EnsureAuthor(ctx, editorial.Term{
		ID: editorial.DefaultAuthorID, Name: editorial.DefaultAuthorName, Slug: editorial.DefaultAuthorSlug,
	}, editorial.DefaultAuthorEmail)
}

// category: the one that the draft names by id, name or slug, else the one that
// its words suggest.
func (w *termsWanted) category(ctx context.Context, tx *store.Tx) (editorial.Term, error) {
	for _, ask := range []store.TermAsk{categoryByID(w.categoryID), categoryNamed(w.categoryName)} {
		if c, ok := w.found[ask]; ok {
			return c, nil
		}
	}
	return tx.EnsureCategory(ctx, newTerm(w.categoryName))
}

// tags: those that the draft names, else its SEO keywords, else the tags whose
// names its text contains, else its category.
func (w *termsWanted) tags(ctx context.Context, tx *store.Tx, draft *editorial.Draft, category editorial.Term) (tags []editorial.Term, err error) {
	for _, id := range w.tagIDs {
		// Else deleted since, or a name where an id belongs.
		if tag, ok := w.found[tagByID(id)]; ok {
			tags = append(tags, tag)
		}
	}
	if len(tags) > 0 {
		return tags, nil
	}
	names := w.tagNames
	if len(names) == 0 {
		if names, err = tagsInText(ctx, tx, draft); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		names = []string{category.Name}
	}
	seen := make(map[string]bool)
	for _, name := range names {
		tag, ok := w.found[tagNamed(name)]
		if !ok {
			if tag, err = tx.EnsureTag(ctx, newTerm(name)); err != nil {
				return nil, err
			}
		}
		if !seen[tag.ID] {
			seen[tag.ID] = true
			tags = append(tags, tag)
		}
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
