package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Draft returns a row of content_tasks, or ErrNotFound.
func (r *Reader) Draft(ctx context.Context, id string) (editorial.Draft, error) {
	return r.draft(ctx, `SELECT * FROM content_tasks WHERE task_id = ?`, id)
}

// LockContent returns a draft's row and holds it until the transaction ends. It
// comes after [Tx.LockDraft], always.
func (t *Tx) LockContent(ctx context.Context, id string) (editorial.Draft, error) {
	return t.draft(ctx, `SELECT * FROM content_tasks WHERE task_id = ? {lock}`, id)
}

// draft is the row that a statement returns, whose last argument is its id.
func (r *Reader) draft(ctx context.Context, query string, args ...any) (editorial.Draft, error) {
	id := args[len(args)-1]
	rows, err := r.queryRows(ctx, query, args...)
	if err != nil {
		return editorial.Draft{}, fmt.Errorf("draft %s: %w", id, err)
	}
	if len(rows) == 0 {
		return editorial.Draft{}, fmt.Errorf("draft %s: %w", id, ErrNotFound)
	}
	return draftOf(rows[0]), nil
}

// jsonColumns of content_tasks hold JSON, in columns of type json, jsonb or text.
var jsonColumns = []string{
	"featured_image_data", "tags", "task_metadata", "progress", "result",
	"cost_breakdown", "model_selections", "models_used_by_phase", "model_selection_log",
}

func draftOf(row map[string]any) editorial.Draft {
	for name, v := range row {
		row[name] = plain(v)
	}
	for _, name := range jsonColumns {
		if s, ok := row[name].(string); ok {
			row[name] = decodeJSON(s)
		}
	}
	d := editorial.Draft{Columns: row}
	d.ID, _ = row["task_id"].(string)
	status, _ := row["status"].(string)
	d.Status = editorial.DraftStatus(status)
	d.ApprovalStatus, _ = row["approval_status"].(string)
	d.Topic, _ = row["topic"].(string)
	d.FeaturedImageURL, _ = row["featured_image_url"].(string)
	d.Metadata, _ = row["task_metadata"].(map[string]any)
	d.Result, _ = row["result"].(map[string]any)
	d.Tags = editorial.NormalizeKeywords(row["tags"])
	d.CreatedAt = timeOf(row["created_at"])
	d.UpdatedAt = timeOf(row["updated_at"])
	return d
}

// plain turns what a driver hands out into what JSON can say.
func plain(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC()
	default:
		return v
	}
}

// decodeJSON reads a JSON column; text that is none, or JSON that is a string
// holding JSON (the site wrote both), is handled as what was meant.
func decodeJSON(s string) any {
	switch s { // most columns of most drafts, and a list has hundreds of them
	case "":
		return s
	case "{}":
		return map[string]any{}
	case "[]":
		return []any{}
	}
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	if inner, ok := v.(string); ok {
		var nested any
		if json.Unmarshal([]byte(inner), &nested) == nil {
			return nested
		}
	}
	return v
}

func timeOf(v any) time.Time {
	var s stamp
	if s.Scan(v) != nil {
		return time.Time{}
	}
	return s.Time
}

// InsertDraft makes a row of content_tasks. Values of columns that this
// database lacks are kept in task_metadata only.
func (t *Tx) InsertDraft(ctx context.Context, id string, columns map[string]any) error {
	w := &write{}
	w.set("task_id", id)
	w.set("id", id)
	writeColumns(w, columns)
	w.setExpr("created_at", "{now}")
	w.setExpr("updated_at", "{now}")
	w = w.only(t.site, "content_tasks")
	if _, err := t.exec(ctx, w.insert("content_tasks"), w.args...); err != nil {
		return fmt.Errorf("insert draft %s: %w", id, err)
	}
	return nil
}

// UpdateDraft sets columns of a draft and returns its row as it is then, or
// ErrNotFound; columns that this database lacks are passed over.
func (t *Tx) UpdateDraft(ctx context.Context, id string, columns map[string]any) (editorial.Draft, error) {
	w := &write{}
	writeColumns(w, columns)
	w.setExpr("updated_at", "{now}")
	w = w.only(t.site, "content_tasks")
	return t.draft(ctx, w.update("content_tasks", "task_id = ?")+" RETURNING *", append(w.args, id)...)
}

// DeleteDraft removes a draft's row; its pictures stay, listed by nobody, until
// the reaper comes. It returns false when there was none.
func (t *Tx) DeleteDraft(ctx context.Context, id string) (bool, error) {
	n, err := t.exec(ctx, `DELETE FROM content_tasks WHERE task_id = ?`, id)
	if err != nil {
		return false, fmt.Errorf("delete draft %s: %w", id, err)
	}
	return n == 1, nil
}

func writeColumns(w *write, columns map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		switch v := columns[name].(type) {
		case map[string]any, []string, []any:
			w.set(name, doc(v))
		case time.Time:
			w.set(name, stamp{v})
		default:
			w.set(name, v)
		}
	}
}

// DraftFilter narrows a listing of drafts.
type DraftFilter struct {
	Statuses []editorial.DraftStatus // as stored; empty for all
	Category string
	Limit    int
	Offset   int
}

// Drafts lists drafts, newest first, and how many match in all.
func (r *Reader) Drafts(ctx context.Context, f DraftFilter) (list []editorial.Draft, total int, err error) {
	where, args := f.where(r.site)
	if err := r.one(ctx, &total, `SELECT COUNT(*) FROM content_tasks WHERE `+where, args...); err != nil {
		return nil, 0, fmt.Errorf("count drafts: %w", err)
	}
	rows, err := r.queryRows(ctx, `SELECT * FROM content_tasks WHERE `+where+
		` ORDER BY created_at DESC, task_id LIMIT ? OFFSET ?`, append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list drafts: %w", err)
	}
	for _, row := range rows {
		list = append(list, draftOf(row))
	}
	return list, total, nil
}

func (f DraftFilter) where(site *siteSchema) (string, []any) {
	where := []string{"1 = 1"}
	var args []any
	if len(f.Statuses) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(f.Statuses)), ", ")
		where = append(where, "status IN ("+marks+")")
		for _, s := range f.Statuses {
			args = append(args, string(s))
		}
	}
	if f.Category != "" && site.has("content_tasks", "category") {
		where = append(where, "category = ?")
		args = append(args, f.Category)
	}
	return strings.Join(where, " AND "), args
}

// maxTitleCandidates bounds how many waiting drafts are compared by title.
const maxTitleCandidates = 1000

// DraftsTitled returns the drafts awaiting approval that bear a title, at most
// two: more than one is as useless to the caller as three.
func (r *Reader) DraftsTitled(ctx context.Context, title string) ([]editorial.Draft, error) {
	// Titles live in JSON as often as in columns, so the few rows that wait are
	// compared here; the status index finds them.
	drafts, _, err := r.Drafts(ctx, DraftFilter{Statuses: editorial.AwaitingStatuses, Limit: maxTitleCandidates})
	if err != nil {
		return nil, err
	}
	var found []editorial.Draft
	for i := range drafts {
		if drafts[i].HasTitle(title) && len(found) < 2 {
			found = append(found, drafts[i])
		}
	}
	return found, nil
}

// DraftCounts is how many drafts there are in each status, as stored.
func (r *Reader) DraftCounts(ctx context.Context) (map[editorial.DraftStatus]int, error) {
	var rows []struct {
		Status string `db:"status"`
		N      int    `db:"n"`
	}
	if err := r.all(ctx, &rows, `SELECT status, COUNT(*) AS n FROM content_tasks GROUP BY status`); err != nil {
		return nil, fmt.Errorf("count drafts: %w", err)
	}
	counts := make(map[editorial.DraftStatus]int, len(rows))
	for _, row := range rows {
		counts[editorial.DraftStatus(row.Status)] = row.N
	}
	return counts, nil
}
