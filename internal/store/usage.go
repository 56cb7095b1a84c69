package store

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// usageParts is how many rows share a count. A single one would be locked by
// every worker until its commit is on the disk, which makes them wait in turn.
const usageParts = 16

// Usage is what a generator was asked for and made in a month.
type Usage struct {
	Generator string  `db:"generator"`
	Requests  int64   `db:"requests"` // of providers that count them
	Pictures  int64   `db:"pictures"`
	Refused   int64   `db:"refused"`  // answers that were no picture to publish
	Unpriced  int64   `db:"unpriced"` // pictures of which nobody knows the cost
	Cost      float64 `db:"cost"`     // US dollars
}

// CountPicture adds a picture that comes into the spool to this month's usage,
// in the transaction that says so: a crash neither loses nor doubles it. cost
// is nil when nobody knows it.
func (t *Tx) CountPicture(ctx context.Context, generator string, cost *float64) error {
	return t.count(ctx, Usage{Generator: generator, Pictures: 1}, cost)
}

// CountRefused adds an answer that was no picture to publish, and may have cost
// all the same.
func (t *Tx) CountRefused(ctx context.Context, generator string, cost *float64) error {
	return t.count(ctx, Usage{Generator: generator, Refused: 1}, cost)
}

func (t *Tx) count(ctx context.Context, u Usage, cost *float64) error {
	switch {
	case cost != nil:
		u.Cost = *cost
	case u.Pictures > 0:
		u.Unpriced = u.Pictures
	}
	_, err := t.exec(ctx, `INSERT INTO usage (month, generator, part, pictures, refused, unpriced, cost)
		VALUES ({month}, ?, ?, ?, ?, ?, ?) ON CONFLICT (month, generator, part) DO UPDATE SET
		pictures = usage.pictures + excluded.pictures, refused = usage.refused + excluded.refused,
		unpriced = usage.unpriced + excluded.unpriced, cost = usage.cost + excluded.cost`,
		u.Generator, rand.IntN(usageParts), u.Pictures, u.Refused, u.Unpriced, u.Cost)
	if err != nil {
		return fmt.Errorf("count a picture of %s: %w", u.Generator, err)
	}
	return nil
}

// TakeRequest counts a request to a provider that allows so many a month, and
// returns false when they are spent. It survives a Redis that forgets.
func (s *Store) TakeRequest(ctx context.Context, generator string, limit int64) (bool, error) {
	// One row: the limit has to be compared with all of the count.
	n, err := s.exec(ctx, `INSERT INTO usage (month, generator, part, requests) VALUES ({month}, ?, 0, 1)
		ON CONFLICT (month, generator, part) DO UPDATE SET requests = usage.requests + 1 WHERE usage.requests < ?`, generator, limit)
	if err != nil {
		return false, fmt.Errorf("count a request to %s: %w", generator, err)
	}
	return n == 1, nil
}

// RequestsTaken is how many requests to a provider this month has seen.
func (r *Reader) RequestsTaken(ctx context.Context, generator string) (n int64, err error) {
	if err := r.one(ctx, &n, `SELECT COALESCE(SUM(requests), 0) FROM usage WHERE month = {month} AND generator = ?`, generator); err != nil {
		return 0, fmt.Errorf("read the requests to %s: %w", generator, err)
	}
	return n, nil
}

// LockSpending has whoever reserves money wait for each other, so that two do
// not both take the last of it.
func (t *Tx) LockSpending(ctx context.Context) error {
	_, err := t.exec(ctx, `INSERT INTO usage (month, generator, part) VALUES ({month}, '', 0)
		ON CONFLICT (month, generator, part) DO UPDATE SET requests = usage.requests`)
	if err != nil {
		return fmt.Errorf("lock the month's spending: %w", err)
	}
	return nil
}

// Spent is what this month's pictures have cost and those under way may cost,
// without the image named; all by one snapshot, since a picture goes from the
// one sum to the other.
func (r *Reader) Spent(ctx context.Context, without string) (dollars float64, err error) {
	err = r.one(ctx, &dollars, `SELECT (SELECT COALESCE(SUM(cost), 0) FROM usage WHERE month = {month})
		+ (SELECT COALESCE(SUM(reserved), 0) FROM images
			WHERE state IN ('queued', 'generating', 'uploading') AND state = 'generating' AND CAST(id AS TEXT) <> ?)`, without)
	if err != nil {
		return 0, fmt.Errorf("sum the month's spending: %w", err)
	}
	return dollars, nil
}

// MeanCost is what a picture of a generator has cost on average, 0 for one that
// has never cost anything: what is expected of a provider that tells afterwards.
func (r *Reader) MeanCost(ctx context.Context, generator string) (dollars float64, err error) {
	err = r.one(ctx, &dollars, `SELECT COALESCE(SUM(cost) / NULLIF(SUM(pictures - unpriced), 0), 0) FROM usage WHERE generator = ?`, generator)
	if err != nil {
		return 0, fmt.Errorf("read the mean cost of %s: %w", generator, err)
	}
	return dollars, nil
}

// Reserve notes under a claim what the picture under way may cost.
func (t *Tx) Reserve(ctx context.Context, img editorial.Image, dollars float64) error {
	return fenced(t.exec(ctx, `UPDATE images SET reserved = ? WHERE id = ? AND claim = ? AND state = 'generating'`,
		dollars, img.ID, img.Claim))
}

// Usage returns what was used in a month, 2006-01, by generator.
func (r *Reader) Usage(ctx context.Context, month string) ([]Usage, error) {
	var list []Usage
	err := r.all(ctx, &list, `SELECT generator, SUM(requests) AS requests, SUM(pictures) AS pictures, SUM(refused) AS refused,
		SUM(unpriced) AS unpriced, SUM(cost) AS cost FROM usage WHERE month = ? AND generator <> '' GROUP BY generator
		ORDER BY SUM(cost) DESC, SUM(pictures) DESC, generator`, month)
	if err != nil {
		return nil, fmt.Errorf("read the usage of %s: %w", month, err)
	}
	return list, nil
}

// Kept is what stored pictures take up in the bucket, renditions included.
type Kept struct {
	Pictures int64 `db:"pictures"`
	Objects  int64 `db:"objects"`
	Bytes    int64 `db:"bytes"`
}

// Kept sums the pictures that were stored in a month, or all of them for "".
// It reads every stored image, so it is for a person who asks.
func (r *Reader) Kept(ctx context.Context, month string) (Kept, error) {
	var k Kept
	where, args := ``, []any(nil)
	if month != "" {
		where, args = ` AND {month finalized_at} = ?`, []any{month}
	}
	err := r.one(ctx, &k, `SELECT COUNT(*) AS pictures, COALESCE(SUM(objects), 0) AS objects, COALESCE(SUM(stored_bytes), 0) AS bytes
		FROM images WHERE state = 'stored'`+where, args...)
	if err != nil {
		return k, fmt.Errorf("sum the stored pictures: %w", err)
	}
	return k, nil
}

// Month is the present one by the database's clock, as the usage is counted.
func (r *Reader) Month(ctx context.Context) (month string, err error) {
	if err := r.one(ctx, &month, `SELECT {month}`); err != nil {
		return "", fmt.Errorf("ask the database for the month: %w", err)
	}
	return month, nil
}
