package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Author returns the author of an id, or ErrNotFound.
func (r *Reader) Author(ctx context.Context, id string) (editorial.Term, error) {
	return r.term(ctx, "authors", "id", id)
}

// EnsureAuthor returns the author of a.Slug, or of a.Name where this database's
// authors have no slug, inserting it when there is none.
func (t *Tx) EnsureAuthor(ctx context.Context, a editorial.Term, email string) (editorial.Term, error) {
	by, value := "slug", a.Slug
	if !t.site.has("authors", "slug") {
		by, value = "name", a.Name
	}
	return t.ensure(ctx, "authors", by, value, func(w *write) {
		w.set("id", a.ID)
		w.set("name", a.Name)
		w.set("slug", a.Slug)
		w.set("email", text(email))
	})
}

// CategoryNamed returns the category of a name or a slug, or ErrNotFound.
func (r *Reader) CategoryNamed(ctx context.Context, name string) (editorial.Term, error) {
	return r.named(ctx, "categories", name)
}

// Category returns the category of an id, or ErrNotFound.
func (r *Reader) Category(ctx context.Context, id string) (editorial.Term, error) {
	return r.term(ctx, "categories", "id", id)
}

// EnsureCategory returns the category of c.Slug, inserting it when there is none.
func (t *Tx) EnsureCategory(ctx context.Context, c editorial.Term) (editorial.Term, error) {
	return t.ensureTerm(ctx, "categories", c)
}

// Tag returns the tag of an id, or ErrNotFound.
func (r *Reader) Tag(ctx context.Context, id string) (editorial.Term, error) {
	return r.term(ctx, "tags", "id", id)
}

// EnsureTag returns the tag of tag.Slug, inserting it when there is none.
func (t *Tx) EnsureTag(ctx context.Context, tag editorial.Term) (editorial.Term, error) {
	return t.ensureTerm(ctx, "tags", tag)
}

func (t *Tx) ensureTerm(ctx context.Context, table string, term editorial.Term) (editorial.Term, error) {
	if found, err := t.named(ctx, table, term.Name); err == nil {
		return found, nil
	}
	return t.ensure(ctx, table, "slug", term.Slug, func(w *write) {
		w.set("id", term.ID)
		w.set("name", term.Name)
		w.set("slug", term.Slug)
		w.set("description", text(term.Description))
	})
}

// ensure finds or inserts. ON CONFLICT leaves a row that another transaction
// inserted meanwhile, and the second look finds it.
func (t *Tx) ensure(ctx context.Context, table, by, value string, fill func(*write)) (editorial.Term, error) {
	found, err := t.term(ctx, table, by, value)
	if !errors.Is(err, ErrNotFound) {
		return found, err
	}
	w := &write{}
	fill(w)
	w.setExpr("created_at", "{now}")
	w.setExpr("updated_at", "{now}")
	w = w.only(t.site, table)
	if _, err := t.exec(ctx, w.insert(table)+" ON CONFLICT DO NOTHING", w.args...); err != nil {
		return editorial.Term{}, fmt.Errorf("insert into %s: %w", table, err)
	}
	return t.term(ctx, table, by, value)
}

func (r *Reader) term(ctx context.Context, table, by, value string) (editorial.Term, error) {
	if by == "id" && !isUUID(value) {
		return editorial.Term{}, fmt.Errorf("%s %q: %w", table, value, ErrNotFound)
	}
	terms, err := r.terms(ctx, table, by+" = ?", value)
	if err != nil {
		return editorial.Term{}, err
	}
	if len(terms) == 0 {
		return editorial.Term{}, fmt.Errorf("%s %q: %w", table, value, ErrNotFound)
	}
	return terms[0], nil
}

func (r *Reader) named(ctx context.Context, table, name string) (editorial.Term, error) {
	terms, err := r.terms(ctx, table, "lower(name) = lower(?) OR slug = ? ORDER BY name LIMIT 1", name, name)
	if err != nil {
		return editorial.Term{}, err
	}
	if len(terms) == 0 {
		return editorial.Term{}, fmt.Errorf("%s %q: %w", table, name, ErrNotFound)
	}
	return terms[0], nil
}

// TermAsk is a question for one term: by its id where that is given, else by
// its name or slug, which authors cannot be asked for.
type TermAsk struct{ Table, ID, Name string }

// FindTerms answers several questions in one statement, with the ids and names
// of what there is; what there is none of is absent.
func (r *Reader) FindTerms(ctx context.Context, asks ...TermAsk) (map[TermAsk]editorial.Term, error) {
	found := make(map[TermAsk]editorial.Term, len(asks))
	var each []string
	var args []any
	for i, ask := range asks {
		where := `lower(name) = lower(?) OR slug = ? ORDER BY name LIMIT 1`
		switch {
		case isUUID(ask.ID):
			where, args = `id = ?`, append(args, ask.ID)
		case ask.ID != "":
			continue // no row has such an id
		default:
			args = append(args, ask.Name, ask.Name)
		}
		each = append(each, fmt.Sprintf(`SELECT nth, CAST(id AS text) AS id, name FROM (SELECT %d AS nth, id, name FROM %s WHERE %s) AS t%[1]d`,
			i, ask.Table, where))
	}
	if len(each) == 0 {
		return found, nil
	}
	var rows []struct {
		Nth  int    `db:"nth"`
		ID   string `db:"id"`
		Name string `db:"name"`
	}
	if err := r.all(ctx, &rows, strings.Join(each, " UNION ALL "), args...); err != nil {
		return nil, fmt.Errorf("find terms: %w", err)
	}
	for _, row := range rows {
		found[asks[row.Nth]] = editorial.Term{ID: row.ID, Name: row.Name}
	}
	return found, nil
}

// Categories lists every category by name.
func (r *Reader) Categories(ctx context.Context) ([]editorial.Term, error) {
	return r.terms(ctx, "categories", "1 = 1 ORDER BY name")
}

// Tags lists every tag by name.
func (r *Reader) Tags(ctx context.Context) ([]editorial.Term, error) {
	return r.terms(ctx, "tags", "1 = 1 ORDER BY name")
}

// PostTags lists a post's tags by name.
func (r *Reader) PostTags(ctx context.Context, postID string) ([]editorial.Term, error) {
	return r.terms(ctx, "tags", "id IN (SELECT tag_id FROM post_tags WHERE post_id = ?) ORDER BY name", postID)
}

func (r *Reader) terms(ctx context.Context, table, where string, args ...any) ([]editorial.Term, error) {
	rows, err := r.queryRows(ctx, "SELECT * FROM "+table+" WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	list := make([]editorial.Term, len(rows))
	for i, row := range rows {
		list[i] = editorial.Term{
			ID: stringOf(row["id"]), Name: stringOf(row["name"]), Slug: stringOf(row["slug"]),
			Description: stringOf(row["description"]), Color: stringOf(row["color"]),
		}
	}
	return list, nil
}

func stringOf(v any) string {
	var t text
	_ = t.Scan(v) // never fails: every type has a text
	return string(t)
}
