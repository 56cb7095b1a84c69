package siteapi_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/glad-labs/frontispiece/internal/siteapi"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		harm   func(*siteapi.Condition)
		status int
		health string
		media  string
	}{
		{"well", func(*siteapi.Condition) {}, http.StatusOK, "healthy", "healthy"},
		{"no queue", func(c *siteapi.Condition) { c.Queue.OK = false }, http.StatusOK, "degraded", "degraded"},
		{"no storage", func(c *siteapi.Condition) { c.Storage.OK = false }, http.StatusOK, "degraded", "degraded"},
		{"no database", func(c *siteapi.Condition) { c.Database.OK = false }, http.StatusServiceUnavailable, "unhealthy", "healthy"},
		{"no generator", func(c *siteapi.Condition) { c.Generators = nil }, http.StatusOK, "healthy", "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := allWell{}.Inspect(t.Context())
			tt.harm(&c)
			b := setup(t, func(d *siteapi.Deps) { d.Inspector = inspectorFunc(func() siteapi.Condition { return c }) })
			a := b.as("", "GET", "/api/health", "")
			if m := a.want(tt.status); m["status"] != tt.health {
				t.Errorf("health = %v, want %s", m["status"], tt.health)
			}
			if tt.name == "well" {
				a.golden(t, "health")
			}
			if m := b.as("", "GET", "/api/media/health", "").want(http.StatusOK); m["status"] != tt.media {
				t.Errorf("media health = %v, want %s", m["status"], tt.media)
			}
		})
	}
}

type inspectorFunc func() siteapi.Condition

func (f inspectorFunc) Inspect(context.Context) siteapi.Condition { return f() }

func TestRevalidateCache(t *testing.T) {
	t.Parallel()
	var told []string
	site := &site{told: &told}
	b := setup(t, func(d *siteapi.Deps) { d.Revalidator = site })
	a := b.post("/api/revalidate-cache", `{"paths":["/posts/a"]}`)
	a.want(http.StatusOK)
	a.golden(t, "revalidate_cache")
	b.post("/api/revalidate-cache", ``).want(http.StatusOK)
	if want := []string{"/posts/a", "/", "/archive"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	site.err = errors.New("dial tcp 10.0.0.1")
	if m := b.post("/api/revalidate-cache", ``).want(http.StatusOK); m["success"] != false {
		t.Errorf("answer = %v", m)
	}
	if m := setup(t).post("/api/revalidate-cache", ``).want(http.StatusOK); m["success"] != false {
		t.Errorf("without a site: %v", m)
	}
}

type site struct {
	told *[]string
	err  error
}

func (s *site) Revalidate(_ context.Context, paths []string) error {
	*s.told = append(*s.told, paths...)
	return s.err
}
