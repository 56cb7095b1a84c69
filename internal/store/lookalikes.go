package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

const (
	quarters = 4
	// lookLimit bounds what one quarter may bring up, whatever the table holds: a
	// site whose pictures all look alike needs no more of them to be told so.
	// Two million different pictures stay below it.
	lookLimit = 500
	// nearest is how many of those are read whole.
	nearest = 100
)

// lookStatement finds the stored pictures of which one quarter of the hash is
// that of the wanted one or differs from it in one bit. Each quarter has an
// index of its own, so each is a question of its own.
var lookStatement = func() string {
	questions := make([]string, quarters)
	values := strings.Repeat(", ?", 16)
	for i := range questions {
		questions[i] = fmt.Sprintf(`SELECT * FROM (SELECT id, hash FROM images
			WHERE state = 'stored' AND hash <> '' AND substr(hash, %d, 4) IN (?%s) LIMIT %d) AS quarter_%d`, 1+4*i, values, lookLimit, i+1)
	}
	return strings.Join(questions, " UNION ")
}()

// Lookalikes returns up to limit stored pictures that look like one, within
// [editorial.NearDuplicate]: those that posts show before the others, and the
// nearest first. Pictures of the same draft or job are meant to be alike and
// are left out. A picture without a hash looks like none.
func (r *Reader) Lookalikes(ctx context.Context, img editorial.Image, limit int) ([]editorial.Lookalike, error) {
	hash, err := strconv.ParseUint(img.Hash, 16, 64)
	if err != nil || len(img.Hash) != 16 {
		return nil, nil //nolint:nilerr // it was stored before pictures had hashes
	}
	// Equal hashes first: a site whose pictures are all one is told so by a few
	// rows of one index.
	var twins []string
	err = r.all(ctx, &twins, `SELECT id FROM images WHERE state = 'stored' AND hash <> '' AND substr(hash, 1, 4) = ? AND hash = ?
		AND job_id <> ? AND (draft_id IS NULL OR draft_id <> ?) LIMIT ?`, img.Hash[:4], img.Hash, img.JobID, img.DraftID, limit)
	if err != nil {
		return nil, fmt.Errorf("look for pictures equal to %s: %w", img.ID, err)
	}
	if len(twins) == limit {
		distances := make(map[string]int, limit)
		for _, id := range twins {
			distances[id] = 0
		}
		return r.lookalikes(ctx, img, distances, limit)
	}
	var found []struct {
		ID   string `db:"id"`
		Hash string `db:"hash"`
	}
	if err := r.all(ctx, &found, lookStatement, lookArgs(hash)...); err != nil {
		return nil, fmt.Errorf("look for pictures like %s: %w", img.ID, err)
	}
	distances := make(map[string]int)
	for _, f := range found {
		if other, err := strconv.ParseUint(f.Hash, 16, 64); err == nil {
			if d := bits.OnesCount64(hash ^ other); d <= editorial.NearDuplicate && f.ID != img.ID {
				distances[f.ID] = d
			}
		}
	}
	return r.lookalikes(ctx, img, distances, limit)
}

// lookArgs are, for each quarter, its value and the sixteen that differ from it
// in one bit.
func lookArgs(hash uint64) []any {
	args := make([]any, 0, quarters*17)
	for i := range quarters {
		quarter := uint16(hash >> (48 - 16*i))
		args = append(args, fmt.Sprintf("%04x", quarter))
		for bit := range 16 {
			args = append(args, fmt.Sprintf("%04x", quarter^(1<<bit)))
		}
	}
	return args
}

// lookalikes says what the pictures of distances are.
func (r *Reader) lookalikes(ctx context.Context, img editorial.Image, distances map[string]int, limit int) ([]editorial.Lookalike, error) {
	if len(distances) == 0 {
		return nil, nil
	}
	ids := slices.SortedFunc(maps.Keys(distances), func(a, b string) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), cmp.Compare(a, b))
	})
	ids = ids[:min(len(ids), nearest)]
	var rows []struct {
		ID      string                      `db:"id"`
		JobID   string                      `db:"job_id"`
		DraftID text                        `db:"draft_id"`
		URL     string                      `db:"url"`
		Request document[editorial.Request] `db:"request"`
		PostID  text                        `db:"post_id"`
	}
	err := r.allIn(ctx, &rows, `SELECT i.id, i.job_id, i.draft_id, i.url, j.request, d.post_id
		FROM images i JOIN image_jobs j ON j.id = i.job_id LEFT JOIN draft_images d ON d.published_image_id = i.id
		WHERE i.id IN (?) AND i.job_id <> ? AND (i.draft_id IS NULL OR i.draft_id <> ?)`, ids, img.JobID, img.DraftID)
	if err != nil {
		return nil, fmt.Errorf("read pictures like %s: %w", img.ID, err)
	}
	list := make([]editorial.Lookalike, len(rows))
	for i, row := range rows {
		list[i] = editorial.Lookalike{
			ImageID: row.ID, JobID: row.JobID, DraftID: string(row.DraftID), PostID: string(row.PostID),
			Title: cmp.Or(row.Request.V.Title, row.Request.V.Prompt), URL: row.URL, Distance: distances[row.ID],
		}
	}
	slices.SortFunc(list, func(a, b editorial.Lookalike) int {
		return cmp.Or(cmp.Compare(unseen(a), unseen(b)), cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ImageID, b.ImageID))
	})
	return list[:min(len(list), limit)], nil
}

// unseen is 0 for a picture that a post shows, else 1.
func unseen(l editorial.Lookalike) int {
	if l.PostID != "" {
		return 0
	}
	return 1
}
