package v1

import (
	"testing"
	"time"
)

func TestParsePrefer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		wait    time.Duration
		applied string
	}{
		"":                               {0, ""},
		"respond-async":                  {0, "respond-async"},
		"wait=10":                        {10 * time.Second, "wait=10"},
		"Wait = 10":                      {10 * time.Second, "wait=10"},
		`wait="10"`:                      {10 * time.Second, "wait=10"},
		"respond-async, wait=10":         {10 * time.Second, "respond-async, wait=10"},
		"wait=10; strict, respond-async": {10 * time.Second, "respond-async, wait=10"},
		"wait=1, wait=2":                 {time.Second, "wait=1"},
		"wait=120":                       {2 * time.Minute, "wait=120"},
		"wait=121":                       {2 * time.Minute, "wait=120"},
		"wait=99999999999":               {2 * time.Minute, "wait=120"},
		"wait=0":                         {0, ""},
		"wait=-1":                        {0, ""},
		"wait=soon":                      {0, ""},
		"wait":                           {0, ""},
		"return=minimal":                 {0, ""},
	}
	for header, want := range tests {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			got := parsePrefer(header)
			if got.wait != want.wait || got.applied() != want.applied {
				t.Errorf("parsePrefer(%q) = %v, applied %q; want %v, %q", header, got.wait, got.applied(), want.wait, want.applied)
			}
		})
	}
}
