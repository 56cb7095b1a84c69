package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/store"
)

var terms = store.SessionTerms{Idle: 2 * time.Hour, Lifetime: 12 * time.Hour, Grace: time.Minute}

func (b *bench) apiKey(id string, expires time.Time) {
	b.t.Helper()
	b.must(b.InsertAPIKey(b.t.Context(), store.APIKey{
		ID: id, Name: "Naïve 🖼 name", Role: "editor", SHA256: strings.Repeat("a", 64), CreatedBy: "operator me", ExpiresAt: expires,
	}))
}

func (b *bench) session(token, keyID string) {
	b.t.Helper()
	b.must(b.InsertSession(b.t.Context(), store.Session{Token: token, Subject: "key:" + keyID, Name: "N", KeyID: keyID, Issuer: "i"}, terms))
}

// isOver reports whether a session opens nothing.
func (b *bench) isOver(token string) bool {
	b.t.Helper()
	_, err := b.Session(b.t.Context(), token, terms)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		b.t.Fatal(err)
	}
	return err != nil
}

func TestAPIKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		made, usable, err := b.CountAPIKeys(t.Context())
		if made != 0 || usable != 0 || err != nil {
			t.Fatalf("in the beginning %d, %d, %v", made, usable, err)
		}
		later := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		b.apiKey("forever", time.Time{})
		b.apiKey("later", later)
		b.apiKey("over", time.Now().Add(-time.Second))
		k, err := b.APIKey(t.Context(), "later")
		if err != nil || k.Name != "Naïve 🖼 name" || k.Role != "editor" || !k.ExpiresAt.Equal(later) || k.CreatedAt.IsZero() || !k.RevokedAt.IsZero() || !k.LastUsedAt.IsZero() {
			t.Errorf("read back: %+v, %v", k, err)
		}
		if _, err := b.APIKey(t.Context(), "other"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("one that is not there: %v", err)
		}
		revoked, err := b.RevokeAPIKey(t.Context(), "forever")
		again, err2 := b.RevokeAPIKey(t.Context(), "forever")
		if !revoked || again || err != nil || err2 != nil {
			t.Errorf("revoked twice: %v %v, %v %v", revoked, again, err, err2)
		}
		if _, err := b.RevokeAPIKey(t.Context(), "other"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("revoking what is not there: %v", err)
		}
		made, usable, err = b.CountAPIKeys(t.Context())
		if made != 3 || usable != 1 || err != nil {
			t.Errorf("in the end %d made and %d usable, %v; want 3 and 1", made, usable, err)
		}
		if list, err := b.APIKeys(t.Context()); len(list) != 3 || err != nil {
			t.Errorf("list: %d, %v", len(list), err)
		}
	})
}

func TestUsesAreWrittenOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apiKey("k", time.Time{})
		used := func() time.Time {
			b.must(b.TouchAPIKey(t.Context(), "k"))
			k, err := b.APIKey(t.Context(), "k")
			b.must(err)
			return k.LastUsedAt
		}
		first := used()
		if first.IsZero() || !used().Equal(first) {
			t.Errorf("used at %v, then at %v, want once a minute", first, used())
		}
		b.exec(`UPDATE api_keys SET last_used_at = '2020-01-01T00:00:00.000Z'`)
		if at := used(); at.Before(first) {
			t.Errorf("a minute later still %v", at)
		}
	})
}

func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apiKey("k", time.Time{})
		b.session("one", "k")
		s, err := b.Session(t.Context(), "one", terms)
		if err != nil || s.Subject != "key:k" || s.KeyID != "k" || s.Name != "N" || s.Issuer != "i" || s.Superseded || s.RotatedFor > time.Minute {
			t.Fatalf("read back: %+v, %v", s, err)
		}
		rotated, err := b.RotateSession(t.Context(), "one", "two")
		lost, err2 := b.RotateSession(t.Context(), "one", "three")
		if !rotated || lost || err != nil || err2 != nil {
			t.Errorf("two requests rotate: %v %v, %v %v; want the first alone to", rotated, lost, err, err2)
		}
		if s, err := b.Session(t.Context(), "one", terms); err != nil || !s.Superseded {
			t.Errorf("the token before, within its grace: %+v, %v", s, err)
		}
		if s, err := b.Session(t.Context(), "two", terms); err != nil || s.Superseded {
			t.Errorf("the new token: %+v, %v", s, err)
		}
		b.exec(`UPDATE sessions SET rotated_at = '2020-01-01T00:00:00.000Z'`)
		if !b.isOver("one") || b.isOver("two") {
			t.Error("after its grace the token before still opens the session, or the new one does not")
		}
		if s, err := b.Session(t.Context(), "two", terms); err != nil || s.RotatedFor < 1000*time.Hour {
			t.Errorf("a session that was rotated years ago: %+v, %v", s, err)
		}
		b.must(b.EndSession(t.Context(), "one"))
		if !b.isOver("two") {
			t.Error("ended by the token before, it goes on")
		}
	})
}

func TestWhenASessionIsOver(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apiKey("k", time.Time{})
		for _, change := range []string{
			`UPDATE sessions SET seen_at = '2020-01-01T00:00:00.000Z'`,
			`UPDATE sessions SET expires_at = '2020-01-01T00:00:00.000Z'`,
		} {
			b.session("x", "k")
			b.exec(change)
			if !b.isOver("x") {
				t.Errorf("%s: it goes on", change)
			}
			if n, err := b.ForgetSessions(t.Context(), terms); n != 1 || err != nil {
				t.Errorf("%s: %d forgotten, %v", change, n, err)
			}
		}
		b.session("idle", "k")
		b.exec(`UPDATE sessions SET seen_at = '2020-01-01T00:00:00.000Z'`)
		b.must(b.TouchSession(t.Context(), "idle"))
		if b.isOver("idle") {
			t.Error("being used does not keep a session")
		}
		if n, err := b.ForgetSessions(t.Context(), terms); n != 0 || err != nil {
			t.Errorf("%d living sessions forgotten, %v", n, err)
		}
		b.session("other", "k")
		if _, err := b.RevokeAPIKey(t.Context(), "k"); err != nil || !b.isOver("idle") || !b.isOver("other") {
			t.Errorf("revoking the key leaves a session, %v", err)
		}
		b.must(b.InsertSession(t.Context(), store.Session{Token: "user", Subject: "7"}, terms))
		if n, err := b.EndSessionsOf(t.Context(), "7"); n != 1 || err != nil || !b.isOver("user") {
			t.Errorf("%d sessions of a user ended, %v", n, err)
		}
	})
}
