package config

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that is never printed. It hides behind a pointer because
// fmt does not call the methods of unexported fields: a plain string inside
// somebody's struct would be printed by %v, a pointer is not followed.
//
// The zero Secret is "not set".
type Secret struct{ value *string }

// NewSecret wraps s; the empty string is the zero Secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{value: &s}
}

// Reveal returns the value itself, "" when not set. Call it at the edge where
// the value is used and keep no copy.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether the secret is not set.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String is "[set]", or "" when not set.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "[set]"
}

// Format prints String whatever the verb: without it a wrong verb such as %d
// makes fmt fall back to printing what is inside.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue keeps the value out of every slog handler.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the value out of JSON, YAML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is how the environment sets it.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = NewSecret(string(b))
	return nil
}
