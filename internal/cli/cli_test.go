package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		code int
		out  []string
		errs []string
	}{
		{"--help", 0, []string{"Usage: frontispiece", "doctor", "migrate", "jobs", "retry", "reconcile", "ping"}, nil},
		{"retry --help", 0, []string{"--failed", "--stage", "--since", "--all", "--plan"}, nil},
		{"doctor --help", 0, []string{"Exit code: 0"}, nil},
		{"--version", 0, nil, nil},
		{"", 2, nil, []string{"Usage: frontispiece", "expected one of"}},
		{"docter", 2, nil, []string{"Usage:", `unexpected argument docter, did you mean "doctor"?`}},
		{"jobs --state fialed", 2, nil, []string{"Usage: frontispiece jobs", "--state must be one of"}},
		{"jobs --limit many", 2, nil, []string{"--limit", "many"}},
		{"jobs --limit 0", 2, nil, []string{"between 1 and 1000"}},
		{"retry", 2, nil, []string{"Usage: frontispiece retry", "name the jobs to retry, or give one of --failed and --all"}},
		{"retry --failed --all", 2, nil, []string{"one of --failed and --all"}},
		{"retry some-id --all", 2, nil, []string{"one of --failed and --all"}},
		{"retry --all --stage upload", 2, nil, []string{"narrow --failed"}},
		{"retry --failed --stage publish", 2, nil, []string{"--stage must be one of"}},
		{"retry --failed --since -5m", 2, nil, []string{"--since"}},
		{"retry --failed --since yesterday", 2, nil, []string{"--since", "yesterday"}},
		{"ping", 2, nil, []string{"Usage: frontispiece ping"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			a := s.types(tt.line)
			if a.code != tt.code {
				t.Errorf("exit code = %d, want %d\n%s%s", a.code, tt.code, a.out, a.errors)
			}
			says(t, a.out, tt.out...)
			says(t, a.errors, tt.errs...)
			if left, _ := os.ReadDir(s.dir); len(left) > 0 {
				t.Errorf("a command that did nothing left %s behind", left[0].Name())
			}
		})
	}
}

// What is wrong with the configuration is one line that names the variable and
// the fix, whatever the command.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	const secret = "hunter2secret"
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		environ string
		want    []string
	}{
		{"an unknown scheme", "DATABASE_URL=mysql://me:" + secret + "@db/site", []string{"DATABASE_URL", "unknown scheme"}},
		{"nothing listens", "DATABASE_URL=postgres://me:" + secret + "@127.0.0.1:1/site?sslmode=disable", []string{"DATABASE_URL", "nothing listens"}},
		{"no host of that name", "DATABASE_URL=postgres://me:" + secret + "@no-such-host.invalid/site", []string{"DATABASE_URL", "no host of this name"}},
		{"not there yet", "DATABASE_URL=sqlite:" + file + ".db", []string{"DATABASE_URL", "not there yet", "frontispiece migrate"}},
		{"no database", "DATABASE_URL=sqlite:" + file, []string{"DATABASE_URL", "no SQLite database"}},
		{"a key without its secret", "AWS_ACCESS_KEY_ID=AKIA", []string{"AWS_SECRET_ACCESS_KEY", "set both"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{"jobs", "retry --all", "reconcile"} {
				a := newSite(t, tt.environ).types(command)
				says(t, a.errors, tt.want...)
				if a.code != 1 || a.out != "" || strings.Count(a.errors, "\n") != 1 || strings.Contains(a.errors, secret) {
					t.Errorf("%s: exit %d, %q, %q; want 1 and one line without a secret", command, a.code, a.out, a.errors)
				}
			}
		})
	}
}
