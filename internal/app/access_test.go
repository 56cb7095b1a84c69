package app_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/store"
)

// withKey is a folder whose database has a key that ends at a time.
func withKey(t *testing.T, expires time.Time) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "frontispiece.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	key, _ := auth.NewKey("test", auth.Operator, expires)
	err = s.InsertAPIKey(t.Context(), store.APIKey{ID: key.ID, Name: key.Name, Role: "operator", SHA256: key.SHA256, ExpiresAt: expires, CreatedBy: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Outside loopback nothing starts that could not tell its callers apart, and
// the refusal names both ways to change that.
func TestNothingListensToEverybody(t *testing.T) {
	t.Parallel()
	past, never := time.Now().Add(-time.Minute), time.Time{}
	fresh := func(t *testing.T) string { return t.TempDir() }
	keyed := func(expires time.Time) func(t *testing.T) string {
		return func(t *testing.T) string { return withKey(t, expires) }
	}
	tests := []struct {
		name    string
		dir     func(t *testing.T) string
		environ string
		opens   bool
	}{
		{"every address", fresh, "LISTEN_ADDR=:0", false},
		{"IPv6's every address", fresh, "LISTEN_ADDR=[::]:0", false},
		{"a LAN address", fresh, "LISTEN_ADDR=192.168.1.2:80", false},
		{"a name that only looks local", fresh, "LISTEN_ADDR=localhost.example.com:80", false},
		{"a key that is no longer one", keyed(past), "LISTEN_ADDR=:0", false},
		{"a key", keyed(never), "LISTEN_ADDR=:0", true},
		{"the site's secret", fresh, "LISTEN_ADDR=:0 JWT_SECRET_KEY=" + strings.Repeat("k", 32), true},
		{"loopback", fresh, "LISTEN_ADDR=127.0.0.1:0", true},
		{"loopback and an expired key", keyed(past), "LISTEN_ADDR=127.0.0.1:0", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := open(t, append(strings.Fields(tt.environ), "DATA_DIR="+tt.dir(t))...)
			if tt.opens {
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				a.Close()
				t.Fatal("it opened")
			}
			for _, want := range []string{"LISTEN_ADDR", "other machines", "JWT_SECRET_KEY", "frontispiece keys create", "127.0.0.1"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}
