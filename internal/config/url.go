package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

// URL is an address that may carry a password. It prints without it; see
// [Secret] for why. The zero URL is "not set".
type URL struct{ raw Secret }

var errUnreadableURL = errors.New("is not a URL that can be read; " +
	"write scheme://host/path and percent-encode characters such as @ : / # in a password")

// ParseURL checks that raw can be read as a URL with a scheme. Its error never
// repeats raw, not even the part that is wrong: with an unescaped character
// that part is a piece of the password.
func ParseURL(raw string) (URL, error) {
	if raw == "" {
		return URL{}, nil
	}
	u := URL{raw: NewSecret(raw)}
	if strings.ContainsFunc(raw, isControl) {
		return URL{}, errUnreadableURL
	}
	if u.Scheme() == "sqlite" {
		return u, nil // a file's path may hold what a URL may not
	}
	p, err := url.Parse(raw)
	if err != nil || p.Scheme == "" {
		return URL{}, errUnreadableURL
	}
	// An @ behind the host is the end of a password with a / ? or # in it, which
	// has been read as a path and would be printed as one.
	if strings.Contains(p.Opaque+p.EscapedPath()+p.RawQuery+p.EscapedFragment(), "@") {
		return URL{}, errUnreadableURL
	}
	return u, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Reveal returns the URL as it was written, password included.
func (u URL) Reveal() string { return u.raw.Reveal() }

// IsZero reports whether the URL is not set.
func (u URL) IsZero() bool { return u.raw.IsZero() }

// Scheme is the part before the colon, in lower case.
func (u URL) Scheme() string {
	scheme, _, _ := strings.Cut(u.Reveal(), ":")
	return strings.ToLower(scheme)
}

// Host is host:port as written, several with commas for redis-sentinel.
func (u URL) Host() string { return u.parsed().Host }

// SQLitePath returns the file of a sqlite: URL. "sqlite:a/b", "sqlite:/a/b" and
// "sqlite:///a/b" are read as they look: what follows the scheme and an empty
// host is the path.
func (u URL) SQLitePath() (path string, ok bool) {
	if u.Scheme() != "sqlite" {
		return "", false
	}
	_, path, _ = strings.Cut(u.Reveal(), ":")
	return strings.TrimPrefix(path, "//"), true
}

func (u URL) parsed() *url.URL {
	p, err := url.Parse(u.Reveal())
	if err != nil {
		return &url.URL{} // the path of an SQLite file; all others were read by ParseURL
	}
	return p
}

// String is the URL with every secret part replaced by "[set]".
func (u URL) String() string {
	if u.IsZero() || u.Scheme() == "sqlite" {
		return u.Reveal() // a path is no secret, and may hold any character
	}
	p := u.parsed()
	var b strings.Builder
	b.WriteString(p.Scheme + ":")
	if p.Host != "" || p.User != nil {
		b.WriteString("//")
	}
	if p.User != nil {
		b.WriteString(redactUser(p.User) + "@")
	}
	b.WriteString(p.Host + p.Opaque + p.EscapedPath())
	if p.RawQuery != "" {
		b.WriteString("?" + redactQuery(p.RawQuery))
	}
	return b.String()
}

// redactUser keeps a user's name only where a password stands beside it: a
// lone one is how API keys are written.
func redactUser(user *url.Userinfo) string {
	if _, ok := user.Password(); !ok {
		return "[set]"
	}
	return url.PathEscape(user.Username()) + ":[set]"
}

func redactQuery(raw string) string {
	pairs := strings.Split(raw, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		for _, word := range []string{"pass", "pwd", "secret", "token", "key", "sig", "auth"} {
			if strings.Contains(strings.ToLower(name), word) {
				pairs[i] = name + "=[set]"
				break
			}
		}
	}
	return strings.Join(pairs, "&")
}

// Format prints String whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue keeps the password out of every slog handler.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText keeps the password out of JSON, YAML and the like.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText is how the environment sets it.
func (u *URL) UnmarshalText(b []byte) (err error) {
	*u, err = ParseURL(strings.TrimSpace(string(b)))
	return err
}
