package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// announced is what is appended to the URL of a pooler that shares sessions.
const announced = "&default_query_exec_mode=exec"

// More processes than the pooler has sessions migrate one after the other. A
// lock of the session's would be held by whichever session the pooler happened
// to give; and processes that wait inside a session for the lock take them all,
// so that whoever has the lock gets none to migrate in.
func TestMigrateThroughAPooler(t *testing.T) {
	t.Parallel()
	pooler := testenv.StartPgbouncer(t, testenv.Postgres(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var processes sync.WaitGroup
	taken := make([]int, 5)
	for i := range taken {
		processes.Go(func() {
			s, err := store.Open(ctx, pooler.URL+announced, store.Options{})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			defer s.Close()
			steps, err := s.Migrate(ctx)
			if err != nil {
				t.Errorf("Migrate: %v", err)
			}
			taken[i] = len(steps)
			if err := s.Detect(ctx); err != nil {
				t.Errorf("Detect: %v", err)
			}
			if err := s.CheckSchema(ctx); err != nil {
				t.Errorf("CheckSchema: %v", err)
			}
		})
	}
	processes.Wait()
	migrated := 0
	for _, steps := range taken {
		if steps > 0 {
			migrated++
		}
	}
	if migrated != 1 {
		t.Errorf("the processes took %v steps, want one of them to take all", taken)
	}
}

func TestAPoolerThatRefusesOurSettingsIsNamed(t *testing.T) {
	t.Parallel()
	pooler := testenv.StartPgbouncer(t, testenv.Postgres(t))
	s, err := store.Open(t.Context(), pooler.URL, store.Options{})
	if err == nil {
		s.Close()
		t.Fatal("opened: the pooler knows our settings, so this test proves nothing")
	}
	if !strings.Contains(err.Error(), "default_query_exec_mode=exec") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Open() = %v; want one line with the fix", err)
	}
}

// A pooler that swallows our settings lets us in, and every session would then
// be asked for statements that another one has prepared.
func TestAPoolerThatSwallowsOurSettingsIsNoticed(t *testing.T) {
	t.Parallel()
	pooler := testenv.StartPgbouncer(t, testenv.Postgres(t),
		"ignore_startup_parameters = statement_timeout,lock_timeout,idle_in_transaction_session_timeout")
	s, err := store.Open(t.Context(), pooler.URL, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	for range 20 {
		readers.Go(func() {
			for range 20 {
				if _, err := s.Jobs(t.Context(), store.JobFilter{Limit: 1}); err != nil {
					t.Errorf("read jobs: %v", err)
					return
				}
			}
		})
	}
	readers.Wait()
}
