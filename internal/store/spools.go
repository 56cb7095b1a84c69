package store

import (
	"context"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Spool is a disk on which bytes wait for upload, as its worker last announced it.
type Spool struct {
	ID     string    `db:"id"`
	Host   string    `db:"host"`
	Bytes  int64     `db:"bytes"`
	Quota  int64     `db:"quota"`
	SeenAt time.Time `db:"-"`
}

// BeatSpool announces that a spool is mounted and served.
func (s *Store) BeatSpool(ctx context.Context, sp Spool) error {
	_, err := s.exec(ctx, `INSERT INTO spools (id, host, bytes, quota, seen_at) VALUES (?, ?, ?, ?, {now})
		ON CONFLICT (id) DO UPDATE SET host = excluded.host, bytes = excluded.bytes, quota = excluded.quota, seen_at = excluded.seen_at`,
		sp.ID, sp.Host, sp.Bytes, sp.Quota)
	if err != nil {
		return fmt.Errorf("announce spool %s: %w", sp.ID, err)
	}
	return nil
}

// Spools lists every spool ever announced, the freshest first.
func (r *Reader) Spools(ctx context.Context) ([]Spool, error) {
	var rows []struct {
		Spool
		Seen stamp `db:"seen_at"`
	}
	if err := r.all(ctx, &rows, `SELECT id, host, bytes, quota, seen_at FROM spools ORDER BY seen_at DESC`); err != nil {
		return nil, fmt.Errorf("list spools: %w", err)
	}
	list := make([]Spool, len(rows))
	for i, row := range rows {
		list[i] = row.Spool
		list[i].SeenAt = row.Seen.Time
	}
	return list, nil
}

// UploadingIn returns images whose bytes wait in a spool, claimed or not.
func (r *Reader) UploadingIn(ctx context.Context, spoolID string, limit int) ([]editorial.Image, error) {
	return r.images(ctx, `state = 'uploading' AND spool_id = ? ORDER BY spooled_at LIMIT ?`, spoolID, limit)
}

// SilentSpools returns the spools that hold bytes of unfinished uploads and
// have not been heard of for silence.
func (r *Reader) SilentSpools(ctx context.Context, silence time.Duration) ([]string, error) {
	var ids []string
	err := r.all(ctx, &ids, `SELECT id FROM spools WHERE seen_at < {now+?}
		AND id IN (SELECT spool_id FROM images WHERE state = 'uploading')`, -silence.Seconds())
	if err != nil {
		return nil, fmt.Errorf("list silent spools: %w", err)
	}
	return ids, nil
}
