package store

import (
	"context"
	"fmt"
	"time"
)

// IdempotencyTTL is how long a key is remembered.
const IdempotencyTTL = 24 * time.Hour

// RememberKey records, with the job it made, that a key was used. When the key
// is already taken it changes nothing and returns the first job and the digest
// of the first body. A key older than IdempotencyTTL is free again.
func (t *Tx) RememberKey(ctx context.Context, scope, bodySHA256, jobID string) (firstJobID, firstBody string, err error) {
	_, err = t.exec(ctx, `DELETE FROM idempotency_keys WHERE scope = ? AND created_at < {now+?}`, scope, -IdempotencyTTL.Seconds())
	if err != nil {
		return "", "", fmt.Errorf("forget old idempotency key: %w", err)
	}
	n, err := t.exec(ctx, `INSERT INTO idempotency_keys (scope, body_sha256, job_id, created_at) VALUES (?, ?, ?, {now})
		ON CONFLICT (scope) DO NOTHING`, scope, bodySHA256, jobID)
	if err != nil {
		return "", "", fmt.Errorf("remember idempotency key: %w", err)
	}
	if n == 1 {
		return jobID, bodySHA256, nil
	}
	var row struct {
		JobID string `db:"job_id"`
		Body  string `db:"body_sha256"`
	}
	if err := t.one(ctx, &row, `SELECT job_id, body_sha256 FROM idempotency_keys WHERE scope = ?`, scope); err != nil {
		return "", "", fmt.Errorf("read idempotency key: %w", err)
	}
	return row.JobID, row.Body, nil
}

// ForgetKeys deletes the keys that are past their time.
func (s *Store) ForgetKeys(ctx context.Context) (int64, error) {
	n, err := s.exec(ctx, `DELETE FROM idempotency_keys WHERE created_at < {now+?}`, -IdempotencyTTL.Seconds())
	if err != nil {
		return 0, fmt.Errorf("forget idempotency keys: %w", err)
	}
	return n, nil
}
