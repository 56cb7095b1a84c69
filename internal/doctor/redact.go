package doctor

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/glad-labs/frontispiece/internal/config"
)

// shortestSecret is where a secret begins to be worth hiding: replacing a word
// of a few letters everywhere would tell what it is.
const shortestSecret = 6

// Redacted is the report with every secret of the configuration replaced, and
// with nothing in it that could steer a terminal. No part of ours puts a secret
// into an error; this is for the servers that repeat what they were sent.
func (r Report) Redacted(cfg config.Config) Report {
	var pairs []string
	for _, s := range secrets(cfg) {
		if len(s) >= shortestSecret {
			pairs = append(pairs, s, "[set]")
		}
	}
	hide := strings.NewReplacer(pairs...)
	clean := func(s string) string {
		return strings.Map(func(c rune) rune {
			if unicode.IsPrint(c) {
				return c
			}
			return ' '
		}, hide.Replace(s))
	}
	out := Report{Sections: make([]Findings, len(r.Sections))}
	for i, s := range r.Sections {
		out.Sections[i] = Findings{Section: s.Section, Checks: make([]Finding, len(s.Checks))}
		for j, f := range s.Checks {
			f.Name, f.Tried, f.Said, f.Next = clean(f.Name), clean(f.Tried), clean(f.Said), clean(f.Next)
			out.Sections[i].Checks[j] = f
		}
	}
	return out
}

// secrets lists what must not be printed, as written and as decoded.
func secrets(cfg config.Config) []string {
	var list []string
	for _, s := range []config.Secret{
		cfg.AWSSecretAccessKey, cfg.AWSSessionToken, cfg.PexelsAPIKey, cfg.OpenAIAPIKey,
		cfg.JWTSecretKey, cfg.JWTSecret, cfg.RevalidateSecret,
	} {
		list = append(list, s.Reveal())
	}
	urls := append([]config.URL{
		cfg.DatabaseURL, cfg.RedisURL, cfg.S3Endpoint, cfg.PublicBaseURL, cfg.SiteBackendURL, cfg.RevalidateURL,
	}, cfg.Generators...)
	for _, raw := range urls {
		u, err := url.Parse(raw.Reveal())
		if err != nil {
			continue // a file's path, which is no secret
		}
		list = append(list, ofUser(u.User)...)
		for name, values := range u.Query() {
			if strings.Contains(name, "pass") || strings.Contains(name, "key") || strings.Contains(name, "token") {
				list = append(list, values...)
			}
		}
	}
	return list
}

// ofUser is the password, or the lone name that is an API key.
func ofUser(user *url.Userinfo) []string {
	password, with := user.Password()
	if !with {
		password = user.Username()
	}
	return []string{password, url.QueryEscape(password), url.PathEscape(password)}
}
