package store

import (
	"context"
	"fmt"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// PresentRounds returns the job of each draft's present round, by draft, in two
// statements however many drafts there are.
func (r *Reader) PresentRounds(ctx context.Context, draftIDs []string) (map[string]editorial.Job, error) {
	found := make(map[string]editorial.Job, len(draftIDs))
	if len(draftIDs) == 0 {
		return found, nil
	}
	var rows []jobRow
	err := r.allIn(ctx, &rows, `SELECT `+jobColumns+` FROM image_jobs j WHERE draft_id IN (?)
		AND round = (SELECT d.round FROM draft_images d WHERE d.draft_id = j.draft_id)`, draftIDs)
	if err != nil {
		return nil, fmt.Errorf("list present rounds: %w", err)
	}
	jobs, err := r.withImages(ctx, rows)
	for _, job := range jobs {
		found[job.DraftID] = job
	}
	return found, err
}

// MaxFailedCount is how far CountFailed counts.
const MaxFailedCount = 100

// CountFailed is how many jobs have failed and could be retried: those of a
// round that a newer one replaced could not.
func (r *Reader) CountFailed(ctx context.Context) (int, error) {
	var n int
	err := r.one(ctx, &n, `SELECT COUNT(*) FROM (SELECT 1 FROM image_jobs j WHERE final_state = 'failed' AND (draft_id IS NULL
		OR round = (SELECT d.round FROM draft_images d WHERE d.draft_id = j.draft_id)) LIMIT ?) AS failed`, MaxFailedCount)
	if err != nil {
		return 0, fmt.Errorf("count failed jobs: %w", err)
	}
	return n, nil
}
