package store

import (
	"context"
	"fmt"
	"time"
)

// Session is a browser that logged in. The cookie's value is not in it, only
// its digest.
type Session struct {
	Token   string `db:"token"` // SHA-256 of the cookie's value
	Subject string `db:"subject"`
	Name    string `db:"name"`
	KeyID   string `db:"-"`      // empty: a user of the site
	Issuer  string `db:"issuer"` // of a user's token; empty for a key

	// RotatedFor is how long the session has had its present token.
	RotatedFor time.Duration `db:"-"`
	// Superseded is true when the session was found by the token before.
	Superseded bool `db:"-"`
}

// SessionTerms bound a session.
type SessionTerms struct {
	Idle     time.Duration // without a request
	Lifetime time.Duration // in all
	Grace    time.Duration // for the token before a rotation
}

// InsertSession opens a session. It ends by the database's clock.
func (s *Store) InsertSession(ctx context.Context, n Session, terms SessionTerms) error {
	_, err := s.exec(ctx, `INSERT INTO sessions (token, subject, name, key_id, issuer, created_at, rotated_at, seen_at, expires_at)
		VALUES (?, ?, ?, ?, ?, {now}, {now}, {now}, {now+?})`,
		n.Token, n.Subject, n.Name, text(n.KeyID), n.Issuer, terms.Lifetime.Seconds())
	if err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

// Session returns the session with a token that is neither over nor idle for
// too long, or ErrNotFound.
func (r *Reader) Session(ctx context.Context, token string, terms SessionTerms) (Session, error) {
	var row struct {
		Session
		Key     text  `db:"key_id"`
		Rotated stamp `db:"rotated_at"`
		Now     stamp `db:"asked_at"`
	}
	err := r.one(ctx, &row, `SELECT token, subject, name, key_id, issuer, rotated_at, {now} AS asked_at FROM sessions
		WHERE (token = ? OR previous = ? AND rotated_at > {now+?}) AND expires_at > {now} AND seen_at > {now+?}`,
		token, token, -terms.Grace.Seconds(), -terms.Idle.Seconds())
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	found := row.Session
	found.KeyID, found.RotatedFor, found.Superseded = string(row.Key), row.Now.Sub(row.Rotated.Time), row.Token != token
	return found, nil
}

// RotateSession gives a session another token. It returns false when the token
// is no longer the session's: another request was first.
func (s *Store) RotateSession(ctx context.Context, token, next string) (rotated bool, err error) {
	n, err := s.exec(ctx, `UPDATE sessions SET token = ?, previous = token, rotated_at = {now}, seen_at = {now} WHERE token = ?`, next, token)
	if err != nil {
		return false, fmt.Errorf("rotate session: %w", err)
	}
	return n > 0, nil
}

// TouchSession records that a session was used just now.
func (s *Store) TouchSession(ctx context.Context, token string) error {
	_, err := s.exec(ctx, `UPDATE sessions SET seen_at = {now} WHERE token = ? AND seen_at <= {now+?}`, token, -touchEvery)
	if err != nil {
		return fmt.Errorf("record use of session: %w", err)
	}
	return nil
}

// EndSession ends the session with a token, also with the one before.
func (s *Store) EndSession(ctx context.Context, token string) error {
	if _, err := s.exec(ctx, `DELETE FROM sessions WHERE token = ? OR previous = ?`, token, token); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// EndSessionsOf ends every session of a caller and returns how many there were.
func (s *Store) EndSessionsOf(ctx context.Context, subject string) (int64, error) {
	n, err := s.exec(ctx, `DELETE FROM sessions WHERE subject = ?`, subject)
	if err != nil {
		return 0, fmt.Errorf("end sessions of %s: %w", subject, err)
	}
	return n, nil
}

// SessionsOf is how many sessions a caller has.
func (r *Reader) SessionsOf(ctx context.Context, subject string) (n int64, err error) {
	if err := r.one(ctx, &n, `SELECT COUNT(*) FROM sessions WHERE subject = ?`, subject); err != nil {
		return 0, fmt.Errorf("count sessions of %s: %w", subject, err)
	}
	return n, nil
}

// ForgetSessions deletes the sessions that are over.
func (s *Store) ForgetSessions(ctx context.Context, terms SessionTerms) (int64, error) {
	n, err := s.exec(ctx, `DELETE FROM sessions WHERE expires_at <= {now} OR seen_at <= {now+?}`, -terms.Idle.Seconds())
	if err != nil {
		return 0, fmt.Errorf("forget sessions: %w", err)
	}
	return n, nil
}
