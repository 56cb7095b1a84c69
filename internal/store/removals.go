package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Leftover is a picture that may be in nobody's use, with what is known of who
// could still use it.
type Leftover struct {
	editorial.Image
	Kind           editorial.JobKind
	DraftStatus    editorial.DraftStatus // empty when the draft is gone, or there never was one
	DraftRound     int
	PublishedRound int
}

type leftoverRow struct {
	imageRow
	Kind           string `db:"kind"`
	DraftStatus    text   `db:"draft_status"`
	DraftRound     int    `db:"draft_round"`
	PublishedRound int    `db:"published_round"`
}

// LeftoverFilter says how long a picture must have been at rest.
type LeftoverFilter struct {
	Grace time.Duration // since it ended, and since anything about its draft changed
	// FailedGrace is Grace for a failed one, whose bytes may still wait in a
	// spool for an operator's retry.
	FailedGrace time.Duration
	After       string // the last id of the page before; empty for the first
	Limit       int
}

// Leftovers lists pictures whose key was issued and that have ended, by id. A
// picture that a backfill waits for is none.
func (r *Reader) Leftovers(ctx context.Context, f LeftoverFilter) ([]Leftover, error) {
	if f.After == "" {
		f.After = uuid.Nil.String()
	}
	var rows []leftoverRow
	err := r.all(ctx, &rows, `SELECT `+qualified("i", imageColumns)+`, j.kind, t.status AS draft_status,
			COALESCE(d.round, 0) AS draft_round, COALESCE(d.published_round, 0) AS published_round
		FROM images i JOIN image_jobs j ON j.id = i.job_id
			LEFT JOIN draft_images d ON d.draft_id = i.draft_id LEFT JOIN content_tasks t ON t.task_id = i.draft_id
		WHERE i.key <> '' AND i.id > ? AND COALESCE(d.updated_at, i.updated_at) < {now+?}
			AND (i.state IN ('stored', 'canceled', 'superseded') AND COALESCE(i.finalized_at, i.updated_at) < {now+?}
				OR i.state = 'failed' AND COALESCE(i.finalized_at, i.updated_at) < {now+?})
			AND NOT EXISTS (SELECT 1 FROM backfill_changes c WHERE c.job_id = i.job_id AND c.state = 'waiting')
		ORDER BY i.id LIMIT ?`, f.After, -f.Grace.Seconds(), -f.Grace.Seconds(), -f.FailedGrace.Seconds(), f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list leftover pictures: %w", err)
	}
	list := make([]Leftover, len(rows))
	for i := range rows {
		list[i] = Leftover{
			Image: rows[i].image(), Kind: editorial.JobKind(rows[i].Kind), DraftStatus: editorial.DraftStatus(rows[i].DraftStatus),
			DraftRound: rows[i].DraftRound, PublishedRound: rows[i].PublishedRound,
		}
	}
	return list, nil
}

// qualified puts a table's alias before each column of a list.
func qualified(alias, columns string) string {
	names := strings.Split(columns, ",")
	for i, n := range names {
		names[i] = alias + "." + strings.TrimSpace(n)
	}
	return strings.Join(names, ", ")
}

// LockImage returns an image and holds its row until the transaction ends, so
// that it cannot be removed meanwhile. It comes after the draft's row.
func (t *Tx) LockImage(ctx context.Context, id string) (editorial.Image, error) {
	if !isUUID(id) {
		return editorial.Image{}, fmt.Errorf("lock image %q: %w", id, ErrNotFound)
	}
	var row imageRow
	if err := t.one(ctx, &row, `SELECT `+imageColumns+` FROM images WHERE id = ? {lock}`, id); err != nil {
		return editorial.Image{}, fmt.Errorf("lock image %s: %w", id, err)
	}
	return row.image(), nil
}

// RemoveImage says that a picture is to be deleted. From here on nobody can
// choose it, and it has no address; its keys stay, to be deleted and never to be
// given to another. It returns false when the image was not in from.
func (t *Tx) RemoveImage(ctx context.Context, id string, from editorial.ImageState) (bool, error) {
	if !from.CanBecome(editorial.StateRemoved) {
		return false, fmt.Errorf("remove image %s: %s never becomes removed", id, from)
	}
	n, err := t.exec(ctx, `UPDATE images SET state = 'removed', url = '', removed_at = {now}, updated_at = {now} WHERE id = ? AND state = ?`,
		id, string(from))
	if err != nil {
		return false, fmt.Errorf("remove image %s: %w", id, err)
	}
	return n == 1, nil
}

// SetDeleted records that a removed picture's objects are gone.
func (s *Store) SetDeleted(ctx context.Context, id string) error {
	if _, err := s.exec(ctx, `UPDATE images SET deleted_at = {now} WHERE id = ? AND state = 'removed'`, id); err != nil {
		return fmt.Errorf("record deletion of image %s: %w", id, err)
	}
	return nil
}

// UndeletedImages lists removed pictures whose objects may still be there: a
// process died, or the bucket refused.
func (r *Reader) UndeletedImages(ctx context.Context, limit int) ([]editorial.Image, error) {
	return r.images(ctx, `state = 'removed' AND deleted_at IS NULL ORDER BY removed_at, id LIMIT ?`, limit)
}

// existingDraft leaves out drafts whose row the site, or a person, has deleted:
// what such a one had chosen is nobody's choice any more.
const existingDraft = `EXISTS (SELECT 1 FROM content_tasks t WHERE t.task_id = draft_images.draft_id)`

// DraftsShowing are the ids of the drafts that have chosen, approved or
// published a picture, in the order in which to lock them.
func (r *Reader) DraftsShowing(ctx context.Context, imageID string) ([]string, error) {
	var ids []string
	err := r.all(ctx, &ids, `SELECT draft_id FROM draft_images
		WHERE (chosen_image_id = ? OR approved_image_id = ? OR published_image_id = ?) AND `+existingDraft+` ORDER BY draft_id`,
		imageID, imageID, imageID)
	if err != nil {
		return nil, fmt.Errorf("find drafts of image %s: %w", imageID, err)
	}
	return ids, nil
}

// PicturesInUse are the ids of all pictures that a draft has chosen, approved or
// published.
func (r *Reader) PicturesInUse(ctx context.Context) ([]string, error) {
	var ids []string
	err := r.all(ctx, &ids, `SELECT chosen_image_id FROM draft_images WHERE chosen_image_id IS NOT NULL AND `+existingDraft+`
		UNION SELECT approved_image_id FROM draft_images WHERE approved_image_id IS NOT NULL AND `+existingDraft+`
		UNION SELECT published_image_id FROM draft_images WHERE published_image_id IS NOT NULL AND `+existingDraft)
	if err != nil {
		return nil, fmt.Errorf("list pictures in use: %w", err)
	}
	return ids, nil
}

// Where the site's rows may name a picture.
var namingColumns = []struct {
	table, id string
	columns   []string
}{
	{"posts", "id", []string{"featured_image_url", "cover_image_url", "metadata", "content", "excerpt", "featured_image_data"}},
	{"content_tasks", "task_id", []string{
		"featured_image_url", "featured_image_data", "task_metadata", "result", "content", "excerpt",
	}},
}

// naming are the columns of a table that this database has, each as text.
func (r *Reader) naming(table string, columns []string) []string {
	var list []string
	for _, c := range columns {
		if r.site.has(table, c) {
			list = append(list, "CAST("+c+" AS text)")
		}
	}
	return list
}

// EachText hands every text of the site in which a picture may be named to fn.
func (r *Reader) EachText(ctx context.Context, fn func(text string)) error {
	for _, n := range namingColumns {
		query := "SELECT " + strings.Join(r.naming(n.table, n.columns), ", ") + " FROM " + n.table
		if err := r.eachText(ctx, query, fn); err != nil {
			return fmt.Errorf("read %s: %w", n.table, err)
		}
	}
	return nil
}

func (r *Reader) eachText(ctx context.Context, query string, fn func(text string)) error {
	rows, err := r.ext.QueryxContext(ctx, r.d.sql(query))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, err := rows.SliceScan()
		if err != nil {
			return err
		}
		for _, v := range row {
			if s := stringOf(v); s != "" {
				fn(s)
			}
		}
	}
	return rows.Err()
}

// Naming are the rows of the site that name something, anywhere in them.
type Naming struct {
	Posts  []string // ids
	Drafts []string
}

// Naming looks for a text, such as the part of a key that no other has, in
// everything of the site that may name a picture.
func (r *Reader) Naming(ctx context.Context, part string) (Naming, error) {
	var found Naming
	var err error
	for i, n := range namingColumns {
		columns := r.naming(n.table, n.columns)
		args := make([]any, len(columns))
		for i := range columns {
			columns[i] += " LIKE ?"
			args[i] = "%" + part + "%"
		}
		var ids []string
		e := r.all(ctx, &ids, "SELECT "+n.id+" FROM "+n.table+" WHERE "+strings.Join(columns, " OR ")+" ORDER BY "+n.id, args...)
		if i == 0 {
			found.Posts = ids
		} else {
			found.Drafts = ids
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		return Naming{}, fmt.Errorf("look for %s: %w", part, err)
	}
	return found, nil
}
