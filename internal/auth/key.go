package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// KeyPrefix begins every API key, so that a person, a log filter or a scanner
// of repositories recognises one.
const KeyPrefix = "fp_"

// A key is fp_<id>_<secret>. The id is public and finds the row; the secret is
// 260 random bits.
const (
	keyIDLength     = 12
	keySecretLength = 52
)

// ErrUnknown is what the rows answer when there is no such key or session, or
// no longer.
var ErrUnknown = errors.New("no such key or session")

// Key is an API key as it is kept.
//
// Its secret is kept as a SHA-256 and not as a bcrypt: a slow hash protects
// what people can think of, and nobody guesses 260 random bits from a digest,
// however fast it is; a slow one would let anybody keep our cores busy by
// sending keys.
type Key struct {
	ID        string
	Name      string // for people: who or what has it
	Role      Role
	SHA256    string    // of the whole key, in hex
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not
}

// NewKey makes a key and the text that its owner keeps, which is nowhere else.
func NewKey(name string, role Role, expires time.Time) (key Key, secret string) {
	id := strings.ToLower(rand.Text()[:keyIDLength])
	secret = KeyPrefix + id + "_" + randomText()
	return Key{ID: id, Name: name, Role: role, SHA256: digest(secret), ExpiresAt: expires}, secret
}

// randomText is 260 random bits in 52 lower-case letters and digits.
func randomText() string { return strings.ToLower(rand.Text() + rand.Text()) }

func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// KeyRows are the kept keys.
type KeyRows interface {
	// Key returns a key, usable or not; ErrUnknown when there is none.
	Key(ctx context.Context, id string) (Key, error)
	// TouchKey records that a key was used just now.
	TouchKey(ctx context.Context, id string) error
}

// Keys recognises callers by API keys. It is safe for concurrent use.
type Keys struct {
	rows    KeyRows
	now     func() time.Time
	touches *touches

	mu     sync.Mutex
	recent map[string]seenKey
}

// seenKey is a row as it was read at a time.
type seenKey struct {
	key Key
	at  time.Time
}

// KeyFreshness is how long a row is remembered, so a key that is revoked opens
// for that much longer. Without it each poll of a client would be a query.
const KeyFreshness = 2 * time.Second

// maxRecent is how many rows are remembered; beyond that all are read again.
const maxRecent = 1024

// NewKeys returns Keys. Close it before the rows.
func NewKeys(rows KeyRows, log *slog.Logger) *Keys {
	return &Keys{rows: rows, now: time.Now, touches: newTouches(log), recent: map[string]seenKey{}}
}

// Close waits until the last uses are recorded.
func (k *Keys) Close() error {
	k.touches.wait()
	return nil
}

// Method recognises "Authorization: Bearer fp_…". Any other token passes to the
// next method.
func (k *Keys) Method() Method {
	return func(r *http.Request) (*Identity, error) {
		token, err := bearer(r.Header)
		if err != nil || !strings.HasPrefix(token, KeyPrefix) {
			return nil, err
		}
		return k.verify(r.Context(), token)
	}
}

// never is compared with a key whose id nobody has, so that this takes the same
// steps as a wrong secret. It is the digest of nothing that begins with fp_.
var never = digest("")

func (k *Keys) verify(ctx context.Context, token string) (*Identity, error) {
	id, ok := keyID(token)
	if !ok {
		return nil, invalidKey()
	}
	key, err := k.find(ctx, id)
	if errors.Is(err, ErrUnknown) {
		key, err = Key{SHA256: never}, nil
	}
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(digest(token)), []byte(key.SHA256)) != 1 {
		return nil, invalidKey()
	}
	// Only the key's owner comes this far and is told what became of it.
	return k.open(ctx, key)
}

// open is the caller whom a key makes, unless it was revoked or is past its time.
func (k *Keys) open(ctx context.Context, key Key) (*Identity, error) {
	now := k.now()
	switch {
	case !key.RevokedAt.IsZero():
		return nil, unauthorized("key_revoked", "this API key was revoked; ask an operator for another (frontispiece keys create)")
	case !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt):
		return nil, unauthorized("key_expired", "this API key expired on "+key.ExpiresAt.UTC().Format(time.DateOnly)+
			"; ask an operator for another (frontispiece keys create)")
	}
	k.touches.touch(ctx, key.ID, now, k.rows.TouchKey)
	return &Identity{Subject: keySubject + key.ID, Name: key.Name, Role: key.Role, Via: "key"}, nil
}

// keySubject begins the subject of whoever calls by a key. No user of the site
// can bear such an id: [JWT] refuses it.
const keySubject = "key:"

// IsKey reports whether an Authorization header bears an API key, or what was
// meant to be one: it must not leave to another server.
func IsKey(authorization string) bool {
	_, token, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	return strings.HasPrefix(strings.TrimSpace(token), KeyPrefix)
}

func invalidKey() error {
	return unauthorized("invalid_key", "this API key is not valid; it may be cut short, or of another installation")
}

// keyID is the public part of what has the form of a key.
func keyID(token string) (id string, ok bool) {
	id, secret, _ := strings.Cut(strings.TrimPrefix(token, KeyPrefix), "_")
	return id, len(id) == keyIDLength && len(secret) == keySecretLength && isBase32(id) && isBase32(secret)
}

func isBase32(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == "" }

// find reads a key's row, or remembers it. Ids that nobody has are not
// remembered: their number has no bound.
func (k *Keys) find(ctx context.Context, id string) (Key, error) {
	now := k.now()
	k.mu.Lock()
	seen, ok := k.recent[id]
	k.mu.Unlock()
	if ok && now.Sub(seen.at) < KeyFreshness {
		return seen.key, nil
	}
	key, err := k.rows.Key(ctx, id)
	if err != nil {
		return Key{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.recent) >= maxRecent {
		clear(k.recent)
	}
	k.recent[id] = seenKey{key, now}
	return key, nil
}
