package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Endpoint is an operator's address in its parts.
type Endpoint struct {
	Base  *url.URL      // scheme, host and path; nothing secret
	User  *url.Userinfo // nil when the address has none
	Query url.Values    // the backend's settings
}

// ParseEndpoint reads http(s)://user:password@host:port/path?settings. known
// names the settings that the backend has; others are refused, as a mistyped
// one would silently do nothing. Its errors never repeat the address.
func ParseEndpoint(raw string, known ...string) (Endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Endpoint{}, errors.New("is not a URL that can be read; write http://host:port")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return Endpoint{}, errors.New("has neither http nor https after the plus sign; write http://host:port")
	case u.Hostname() == "":
		return Endpoint{}, errors.New("names no host; write http://host:port")
	case u.Fragment != "":
		return Endpoint{}, errors.New("has a part behind #; remove it, or write %23 for a # in a value")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Endpoint{}, errors.New("has settings behind the ? that cannot be read; write name=value&name=value")
	}
	for name := range query {
		if !slices.Contains(known, name) {
			return Endpoint{}, unknownSetting(name, known)
		}
	}
	base := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return Endpoint{Base: base, User: u.User, Query: query}, nil
}

func unknownSetting(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("has a setting %q, but this generator has none; remove what follows the ?", name)
	}
	return fmt.Errorf("has an unknown setting %q; there are %s", name, strings.Join(known, ", "))
}

// PathElement is s, which a server or a row gave us, as one element of a path.
// ok is false for what would lead elsewhere.
func PathElement(s string) (element string, ok bool) {
	if s == "" || s == "." || s == ".." || len(s) > 255 || strings.ContainsAny(s, "/\\\x00") {
		return "", false
	}
	return url.PathEscape(s), true
}

// BasicAuth is the header that sends e's user and password, for servers that
// ask for them or stand behind a proxy that does; nil when e has none.
func (e Endpoint) BasicAuth() http.Header {
	if e.User == nil {
		return nil
	}
	password, _ := e.User.Password()
	token := base64.StdEncoding.EncodeToString([]byte(e.User.Username() + ":" + password))
	return http.Header{"Authorization": {"Basic " + token}}
}
