package desk_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/desk"
)

// A browser that has gone on to another page is nobody's fault: there is no
// one to answer, and nothing for an operator to read.
func TestAClientThatWentAwayIsNoError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.draft("d-1", "A lighthouse", nil)
	var log bytes.Buffer
	quiet := desk.New(t.Context(), desk.Config{
		Dispatch: w.dispatch, Store: w.store, Watch: w.notes.watch, Auth: auth.Authenticator{callers},
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	gone, goAway := context.WithCancel(t.Context())
	goAway()
	for _, path := range []string{"/desk", "/desk/drafts/d-1", "/desk/posts", "/desk/jobs", "/desk/nothing"} {
		log.Reset()
		rec := httptest.NewRecorder()
		quiet.ServeHTTP(rec, httptest.NewRequestWithContext(gone, "GET", path, nil))
		if rec.Body.Len() > 0 {
			t.Errorf("%s: %d bytes for nobody: %s", path, rec.Body.Len(), rec.Body)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "level=DEBUG") {
			t.Errorf("%s: logged %q, want one line at debug level", path, log.String())
		}
	}
}
