package siteapi

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// query reads query parameters; the first that is wrong stays in err.
type query struct {
	values url.Values
	err    error
}

func queryOf(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &query{err: editorial.Invalidf("query", "must be a well-formed query string")}
	}
	return &query{values: values}
}

func (q *query) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}

// text is a parameter of at most high characters, "" when it is missing.
func (q *query) text(name string, high int) string {
	s := q.values.Get(name)
	if err := editorial.ValidText(name, s, 0, high); err != nil {
		q.fail(err)
		return ""
	}
	return s
}

func (q *query) number(name string, fallback, low, high int) int {
	s := q.values.Get(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		q.fail(editorial.Invalidf(name, "must be a whole number"))
		return fallback
	}
	if n < low || n > high {
		q.fail(editorial.Invalidf(name, "must be between %d and %d, got %d", low, high, n))
		return fallback
	}
	return n
}

func (q *query) flag(name string, fallback bool) bool {
	s := q.values.Get(name)
	if s == "" {
		return fallback
	}
	v, err := strconv.ParseBool(s)
	if err != nil {
		q.fail(editorial.Invalidf(name, "must be true or false"))
		return fallback
	}
	return v
}

// Pages are as the site's: at most 100 rows, and an offset that no honest
// client reaches.
const (
	maxLimit     = 100
	defaultLimit = 20
	maxOffset    = 1_000_000_000
)

// maxID is the width of the site's id columns and then some: longer ones exist
// nowhere.
const maxID = 500

// pathText is a path parameter, checked to be text that a database takes.
func pathText(r *http.Request, name string) (string, error) {
	s := r.PathValue(name)
	return s, editorial.ValidText(name, s, 1, maxID)
}
