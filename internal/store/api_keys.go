package store

import (
	"context"
	"fmt"
	"time"
)

// APIKey is a key by which a program calls, as it is kept: without its secret.
type APIKey struct {
	ID        string `db:"id"` // the public part of the key
	Name      string `db:"name"`
	Role      string `db:"role"`
	SHA256    string `db:"sha256"`
	CreatedBy string `db:"created_by"`

	CreatedAt  time.Time `db:"-"`
	ExpiresAt  time.Time `db:"-"` // zero: never
	RevokedAt  time.Time `db:"-"` // zero: not
	LastUsedAt time.Time `db:"-"` // zero: never; to the minute
}

const apiKeyColumns = `id, name, role, sha256, created_by, created_at, expires_at, revoked_at, last_used_at`

type apiKeyRow struct {
	APIKey
	Created  stamp `db:"created_at"`
	Expires  stamp `db:"expires_at"`
	Revoked  stamp `db:"revoked_at"`
	LastUsed stamp `db:"last_used_at"`
}

func (r apiKeyRow) key() APIKey {
	k := r.APIKey
	k.CreatedAt, k.ExpiresAt, k.RevokedAt, k.LastUsedAt = r.Created.Time, r.Expires.Time, r.Revoked.Time, r.LastUsed.Time
	return k
}

// InsertAPIKey keeps a new key. Its time of creation is the database's.
func (s *Store) InsertAPIKey(ctx context.Context, k APIKey) error {
	_, err := s.exec(ctx, `INSERT INTO api_keys (id, name, role, sha256, created_by, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, {now}, ?)`, k.ID, k.Name, k.Role, k.SHA256, k.CreatedBy, stamp{k.ExpiresAt})
	if err != nil {
		return fmt.Errorf("insert API key %s: %w", k.ID, err)
	}
	return nil
}

// APIKey returns a key, usable or not, or ErrNotFound.
func (r *Reader) APIKey(ctx context.Context, id string) (APIKey, error) {
	var row apiKeyRow
	if err := r.one(ctx, &row, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = ?`, id); err != nil {
		return APIKey{}, fmt.Errorf("read API key: %w", err)
	}
	return row.key(), nil
}

// APIKeys lists every key ever made, the newest first.
func (r *Reader) APIKeys(ctx context.Context) ([]APIKey, error) {
	var rows []apiKeyRow
	if err := r.all(ctx, &rows, `SELECT `+apiKeyColumns+` FROM api_keys ORDER BY created_at DESC, id`); err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	list := make([]APIKey, len(rows))
	for i, row := range rows {
		list[i] = row.key()
	}
	return list, nil
}

// CountAPIKeys returns how many keys were ever made and how many still open.
func (r *Reader) CountAPIKeys(ctx context.Context) (made, usable int, err error) {
	var row struct {
		Made   int `db:"made"`
		Usable int `db:"usable"`
	}
	err = r.one(ctx, &row, `SELECT COUNT(*) AS made, COUNT(CASE WHEN revoked_at IS NULL
		AND (expires_at IS NULL OR expires_at > {now}) THEN 1 END) AS usable FROM api_keys`)
	if err != nil {
		return 0, 0, fmt.Errorf("count API keys: %w", err)
	}
	return row.Made, row.Usable, nil
}

// RevokeAPIKey ends a key and every session that was opened with it. It returns
// false when the key had been revoked before, and ErrNotFound when there is none.
func (s *Store) RevokeAPIKey(ctx context.Context, id string) (revoked bool, err error) {
	err = s.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.APIKey(ctx, id); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `UPDATE api_keys SET revoked_at = {now} WHERE id = ? AND revoked_at IS NULL`, id)
		if err != nil {
			return fmt.Errorf("revoke API key %s: %w", id, err)
		}
		revoked = n > 0
		if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE key_id = ?`, id); err != nil {
			return fmt.Errorf("end sessions of API key %s: %w", id, err)
		}
		return nil
	})
	return revoked, err
}

// touchEvery is how exactly the time of the last use is known, in seconds: one
// write a minute and not one a request.
const touchEvery = 60.0

// TouchAPIKey records that a key was used just now.
func (s *Store) TouchAPIKey(ctx context.Context, id string) error {
	_, err := s.exec(ctx, `UPDATE api_keys SET last_used_at = {now}
		WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= {now+?})`, id, -touchEvery)
	if err != nil {
		return fmt.Errorf("record use of API key %s: %w", id, err)
	}
	return nil
}
