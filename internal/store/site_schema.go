package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// siteSchema is which columns the site's own tables have in this database: its
// versions differ, and we neither need nor add the ones that are missing.
type siteSchema struct {
	columns map[string]map[string]bool // table -> column
}

func (s *siteSchema) has(table, column string) bool { return s.columns[table][column] }

// requiredColumns are what no version of the site lacks and nothing here works
// without.
var requiredColumns = map[string][]string{
	"content_tasks": {"task_id", "status", "topic", "content", "task_metadata", "featured_image_url", "created_at", "updated_at"},
	"posts":         {"id", "title", "slug", "content", "featured_image_url", "author_id", "category_id", "status", "published_at", "created_at", "updated_at"},
	"authors":       {"id", "name"},
	"categories":    {"id", "name", "slug"},
	"tags":          {"id", "name", "slug"},
	"post_tags":     {"post_id", "tag_id"},
}

// Detect looks once at what the site's tables are made of. It refuses a
// database in which a required column is missing, by name.
func (s *Store) Detect(ctx context.Context) error {
	found := &siteSchema{columns: make(map[string]map[string]bool)}
	for table, required := range requiredColumns {
		names, err := s.columnNames(ctx, table)
		if err != nil {
			return fmt.Errorf("look at table %s: %w", table, err)
		}
		set := make(map[string]bool, len(names))
		for _, n := range names {
			set[n] = true
		}
		found.columns[table] = set
		for _, c := range required {
			if !set[c] {
				return fmt.Errorf("the site's table %s has no column %s, which publishing needs", table, c)
			}
		}
	}
	s.Reader.site = found
	return nil
}

func (s *Store) columnNames(ctx context.Context, table string) ([]string, error) {
	names, err := s.readColumnNames(ctx, table)
	if isStalePlan(err) {
		return s.readColumnNames(ctx, table)
	}
	return names, err
}

func (s *Store) readColumnNames(ctx context.Context, table string) ([]string, error) {
	// No row, only the names; table is one of our own constants.
	rows, err := s.ext.QueryxContext(ctx, "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	return names, rows.Err()
}

// write is the columns and values of an INSERT or UPDATE on a site table, of
// which only those that the table has are sent.
type write struct {
	columns []string
	exprs   []string
	args    []any
}

func (w *write) set(column string, value any) { w.setExpr(column, "?", value) }

func (w *write) setExpr(column, expr string, args ...any) {
	w.columns = append(w.columns, column)
	w.exprs = append(w.exprs, expr)
	w.args = append(w.args, args...)
}

// only drops the columns that the table has not. Every expression takes one
// argument or none, which its question marks tell.
func (w *write) only(site *siteSchema, table string) *write {
	kept := &write{}
	rest := w.args
	for i, c := range w.columns {
		n := strings.Count(w.exprs[i], "?")
		if site.has(table, c) {
			kept.setExpr(c, w.exprs[i], rest[:n]...)
		}
		rest = rest[n:]
	}
	return kept
}

func (w *write) insert(table string) string {
	return "INSERT INTO " + table + " (" + strings.Join(w.columns, ", ") + ") VALUES (" + strings.Join(w.exprs, ", ") + ")"
}

func (w *write) update(table, where string) string {
	var b strings.Builder
	for i, c := range w.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c + " = " + w.exprs[i])
	}
	return "UPDATE " + table + " SET " + b.String() + " WHERE " + where
}

// queryRows runs a SELECT whose columns depend on the site's version and
// returns each row by column name.
func (r *Reader) queryRows(ctx context.Context, query string, args ...any) ([]map[string]any, error) {
	list, err := r.readRows(ctx, query, args...)
	// Inside a transaction asking again cannot work: InTx runs it anew.
	if _, outside := r.ext.(*sqlx.DB); outside && isStalePlan(err) {
		return r.readRows(ctx, query, args...)
	}
	return list, err
}

func (r *Reader) readRows(ctx context.Context, query string, args ...any) ([]map[string]any, error) {
	rows, err := r.ext.QueryxContext(ctx, r.d.sql(query), args...)
	if err != nil {
		return nil, err
	}
	return scanMaps(rows)
}

func scanMaps(rows *sqlx.Rows) ([]map[string]any, error) {
	defer rows.Close()
	var list []map[string]any
	for rows.Next() {
		m := make(map[string]any)
		if err := rows.MapScan(m); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}
