package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/spool"
	"github.com/glad-labs/frontispiece/internal/store"
)

func TestPingAPI(t *testing.T) {
	t.Parallel()
	healthy := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !healthy || r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	addr := strings.TrimPrefix(server.URL, "http://")
	_, port, _ := strings.Cut(addr, ":")
	same(t, "LISTEN_ADDR", "ok\n", newSite(t, "LISTEN_ADDR="+addr).mustType("ping api"))
	// All addresses, as in a container.
	everywhere := newSite(t, "PORT="+port, "JWT_SECRET_KEY="+strings.Repeat("k", 32))
	same(t, "PORT", "ok\n", everywhere.mustType("ping api"))

	healthy = false
	a := everywhere.types("ping api")
	says(t, a.errors, "no healthy API", "503")
	server.Close()
	b := everywhere.types("ping api")
	says(t, b.errors, "no API answers at 127.0.0.1:"+port, "LISTEN_ADDR")
	if a.code != 1 || b.code != 1 {
		t.Errorf("exit codes %d and %d, want 1", a.code, b.code)
	}
}

func TestPingWorker(t *testing.T) {
	t.Parallel()
	s := migrated(t)
	says(t, s.types("ping worker").errors, "SPOOL_DIR", "no spool yet")
	sp, err := spool.Open(filepath.Join(s.dir, "spool"), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	says(t, s.types("ping worker").errors, "no worker was ever heard of")
	if err := s.store.BeatSpool(t.Context(), store.Spool{ID: sp.ID(), Host: "here", Quota: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	same(t, "fresh", "ok\n", s.mustType("ping worker"))
	if _, err := s.store.DB().ExecContext(t.Context(), `UPDATE spools SET seen_at = '2020-01-01T00:00:00.000Z'`); err != nil {
		t.Fatal(err)
	}
	a := s.types("ping worker")
	says(t, a.errors, "last heard of", "ago")
	if a.code != 1 {
		t.Errorf("exit %d", a.code)
	}
	if files, _ := os.ReadDir(filepath.Join(s.dir, "spool")); len(files) != 1 {
		t.Errorf("a ping left something in the spool: %v", files)
	}
}
