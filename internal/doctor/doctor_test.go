package doctor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/glad-labs/frontispiece/internal/doctor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func says(status doctor.Status, said string) func(context.Context) doctor.Outcome {
	return func(context.Context) doctor.Outcome { return doctor.Outcome{Status: status, Said: said} }
}

// outcomes are a report's statuses by check.
func outcomes(r doctor.Report) map[string]doctor.Status {
	got := make(map[string]doctor.Status)
	for _, s := range r.Sections {
		for _, f := range s.Checks {
			got[f.Name] = f.Status
		}
	}
	return got
}

// find is the finding of a check.
func find(t *testing.T, r doctor.Report, name string) doctor.Finding {
	t.Helper()
	for _, s := range r.Sections {
		for _, f := range s.Checks {
			if f.Name == name {
				return f
			}
		}
	}
	t.Fatalf("no check %q in %v", name, outcomes(r))
	return doctor.Finding{}
}

func TestEveryCheckIsTried(t *testing.T) {
	t.Parallel()
	report := doctor.Examine(t.Context(),
		doctor.Section{Name: "one", Checks: []doctor.Check{
			{Name: "down", Run: says(doctor.Broken, "it is down")},
			{Name: "needs it", Needs: "down", Run: says(doctor.OK, "never said")},
			{Name: "needs that", Needs: "needs it", Run: says(doctor.OK, "never said")},
			{Name: "needs nothing", Run: says(doctor.OK, "fine")},
		}},
		doctor.Section{Name: "two", Checks: []doctor.Check{
			{Name: "so-so", Run: says(doctor.Warning, "could be better")},
			{Name: "goes on", Needs: "so-so", Run: says(doctor.OK, "fine")},
		}},
	)
	want := map[string]doctor.Status{
		"down": doctor.Broken, "needs it": doctor.Skipped, "needs that": doctor.Skipped, "needs nothing": doctor.OK,
		"so-so": doctor.Warning, "goes on": doctor.OK,
	}
	if diff := cmp.Diff(want, outcomes(report)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if said := find(t, report, "needs it").Said; said != "down comes first" {
		t.Errorf("a skipped check says %q, want the one that it waits for", said)
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		came []doctor.Status
		want int
	}{
		{"nothing tried", nil, 0},
		{"all well", []doctor.Status{doctor.OK, doctor.OK}, 0},
		{"nothing there yet", []doctor.Status{doctor.OK, doctor.Skipped}, 0},
		{"a warning", []doctor.Status{doctor.OK, doctor.Warning, doctor.Skipped}, 1},
		{"broken before a warning", []doctor.Status{doctor.Broken, doctor.Warning}, 2},
		{"broken after a warning", []doctor.Status{doctor.Warning, doctor.Broken}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s doctor.Section
			for _, status := range tt.came {
				s.Checks = append(s.Checks, doctor.Check{Run: says(status, "…")})
			}
			if got := doctor.Examine(t.Context(), s).ExitCode(); got != tt.want {
				t.Errorf("exit code = %d, want %d", got, tt.want)
			}
		})
	}
}

// A check that hangs, whether it honours its context or not, costs its own time
// and nobody else's.
func TestHangingChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		start := time.Now()
		report := doctor.Examine(t.Context(),
			doctor.Section{Checks: []doctor.Check{
				{Name: "polite", Timeout: 2 * time.Second, Run: func(ctx context.Context) doctor.Outcome {
					<-ctx.Done()
					return doctor.Outcome{Status: doctor.Broken, Said: "waited for the bucket"}
				}},
				{Name: "deaf", Timeout: 2 * time.Second, Run: func(context.Context) doctor.Outcome {
					<-free
					return doctor.Outcome{Status: doctor.OK, Said: "much later"}
				}},
				{Name: "next", Run: says(doctor.OK, "fine")},
			}},
			doctor.Section{Checks: []doctor.Check{
				{Name: "beside", Timeout: 3 * time.Second, Run: func(ctx context.Context) doctor.Outcome {
					<-ctx.Done()
					return doctor.Outcome{Status: doctor.Broken, Said: "waited as well"}
				}},
			}},
		)
		if took := time.Since(start); took != 4500*time.Millisecond {
			t.Errorf("the examination took %s, want 2 s, 2.5 s and nothing for what ran beside", took)
		}
		if said := find(t, report, "polite").Said; said != "waited for the bucket" {
			t.Errorf("a check that says why it gave up says %q", said)
		}
		if f := find(t, report, "deaf"); f.Status != doctor.Broken || f.Said != "no answer within 2s" {
			t.Errorf("a check that hangs: %s %q", f.Status, f.Said)
		}
		if got := find(t, report, "next").Status; got != doctor.OK {
			t.Errorf("the check behind it: %s", got)
		}
		close(free)
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	free := make(chan struct{})
	defer close(free)
	report := doctor.Examine(ctx, doctor.Section{Checks: []doctor.Check{
		{Name: "hangs", Run: func(context.Context) doctor.Outcome { <-free; return doctor.Outcome{} }},
	}})
	if f := find(t, report, "hangs"); f.Status != doctor.Skipped {
		t.Errorf("after Ctrl-C: %s %q, want it skipped and not blamed", f.Status, f.Said)
	}
}
