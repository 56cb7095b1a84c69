package store

import (
	"context"
	"fmt"
	"time"
)

// Worker is a process that handles tasks, as it last announced itself.
type Worker struct {
	ID       string
	Host     string
	Version  string
	SpoolID  string
	DiskFree int64 // bytes on the disk of its spool
	// Why it does not generate, or upload, at the moment; empty when it does.
	GeneratingPaused string
	UploadsPaused    string
	StartedAt        time.Time
	SeenAt           time.Time
}

// forgetWorkers is how long a worker that ended without a word is shown.
const forgetWorkers = 24 * time.Hour

// BeatWorker announces a worker; StartedAt and SeenAt are the database's.
func (s *Store) BeatWorker(ctx context.Context, w Worker) error {
	_, err := s.exec(ctx, `INSERT INTO workers
		(id, host, version, spool_id, disk_free, generating_paused, uploads_paused, started_at, seen_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, {now}, {now})
		ON CONFLICT (id) DO UPDATE SET disk_free = excluded.disk_free, generating_paused = excluded.generating_paused,
			uploads_paused = excluded.uploads_paused, seen_at = excluded.seen_at`,
		w.ID, w.Host, w.Version, w.SpoolID, w.DiskFree, w.GeneratingPaused, w.UploadsPaused)
	if err != nil {
		return fmt.Errorf("announce worker %s: %w", w.ID, err)
	}
	return nil
}

// RemoveWorker says that a worker has ended as it should, and forgets those
// that ended otherwise a day ago.
func (s *Store) RemoveWorker(ctx context.Context, id string) error {
	if _, err := s.exec(ctx, `DELETE FROM workers WHERE id = ? OR seen_at < {now+?}`, id, -forgetWorkers.Seconds()); err != nil {
		return fmt.Errorf("remove worker %s: %w", id, err)
	}
	return nil
}

// Workers lists the workers of the last day, those seen last first.
func (r *Reader) Workers(ctx context.Context) ([]Worker, error) {
	var rows []struct {
		ID               string `db:"id"`
		Host             string `db:"host"`
		Version          string `db:"version"`
		SpoolID          string `db:"spool_id"`
		DiskFree         int64  `db:"disk_free"`
		GeneratingPaused string `db:"generating_paused"`
		UploadsPaused    string `db:"uploads_paused"`
		StartedAt        stamp  `db:"started_at"`
		SeenAt           stamp  `db:"seen_at"`
	}
	err := r.all(ctx, &rows, `SELECT id, host, version, spool_id, disk_free, generating_paused, uploads_paused, started_at, seen_at
		FROM workers WHERE seen_at > {now+?} ORDER BY seen_at DESC LIMIT 500`, -forgetWorkers.Seconds())
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	list := make([]Worker, len(rows))
	for i, row := range rows {
		list[i] = Worker{
			row.ID, row.Host, row.Version, row.SpoolID, row.DiskFree, row.GeneratingPaused, row.UploadsPaused,
			row.StartedAt.Time, row.SeenAt.Time,
		}
	}
	return list, nil
}
