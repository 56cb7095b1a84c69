package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/doctor"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	dbPassword = "sesame-open-database"
	apiKey     = "key-of-a-generator"
)

// patient is an installation in which most things are wrong, with a secret in
// an error that should not have one.
func patient(t *testing.T) (config.Config, []doctor.Section) {
	t.Helper()
	cfg, err := config.Load([]string{
		"DATABASE_URL=postgres://site:" + dbPassword + "@db.example.com:5432/site",
		"REDIS_URL=redis://redis.example.com:6379", "AWS_S3_BUCKET=pictures",
		"GENERATORS=sdwebui+http://" + apiKey + "@gpu.example.com:7860,card:",
	})
	if err != nil {
		t.Fatal(err)
	}
	bucket := &bucket{deny: true}
	return cfg, []doctor.Section{
		doctor.Configuration(cfg),
		doctor.Pictures(doctor.Storage{
			Bucket: bucket, Delivery: delivery{}, S3: true, Name: "s3://pictures", Region: "eu-central-1",
		}),
		doctor.Databases(cfg.DatabaseURL.String(), doctor.Access{Listens: "127.0.0.1:8000", Loopback: true}, func(context.Context) (doctor.Database, error) {
			return nil, errors.New("the server refuses this user or password (" + dbPassword + ")\x1b[2J")
		}),
		doctor.Queue(cfg.RedisURL.String(), redis{info: "redis_version:7.2.4\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n"},
			func(context.Context) (time.Duration, error) { return 26 * time.Millisecond, nil }),
		doctor.Spools("/data/spool", func() (doctor.Spool, error) { return spool{used: 9 << 30, quota: 10 << 30}, nil },
			func(string) (int64, error) { return 300 << 20, nil }),
		doctor.Generators(generator{name: "sdwebui", err: errors.New("no answer from gpu.example.com, asked with " + apiKey)}, generator{name: "card"}),
	}
}

// random is the only part of a report that is new each time, once the clock is
// the bubble's.
var random = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

func TestGolden(t *testing.T) {
	t.Parallel()
	forms := map[string]func(doctor.Report, io.Writer) error{
		"wide.golden.txt":     func(r doctor.Report, w io.Writer) error { return r.Text(w, doctor.Style{Width: 110}) },
		"narrow.golden.txt":   func(r doctor.Report, w io.Writer) error { return r.Text(w, doctor.Style{Width: 60}) },
		"coloured.golden.txt": func(r doctor.Report, w io.Writer) error { return r.Text(w, doctor.Style{Colour: true}) },
		"report.golden.json":  doctor.Report.JSON,
	}
	synctest.Test(t, func(t *testing.T) {
		cfg, sections := patient(t)
		report := doctor.Examine(t.Context(), sections...).Redacted(cfg)
		for file, write := range forms {
			var got bytes.Buffer
			if err := write(report, &got); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, secret := range []string{dbPassword, apiKey} {
				if strings.Contains(got.String(), secret) {
					t.Errorf("%s shows the secret %q", file, secret)
				}
			}
			golden(t, file, random.ReplaceAll(got.Bytes(), []byte("12345678-1234-4234-8234-123456789012")))
		}
	})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Only a word that no line can hold may stick out.
func TestTextKeepsToItsWidth(t *testing.T) {
	t.Parallel()
	report := doctor.Examine(t.Context(), doctor.Section{Name: "Section", Checks: []doctor.Check{{
		Name: "check", Tries: strings.Repeat("try this ", 30), Run: func(context.Context) doctor.Outcome {
			return doctor.Outcome{
				Status: doctor.Broken, Said: strings.Repeat("it said “no”, ", 30), Next: strings.Repeat("do that ", 30),
			}
		},
	}}})
	for _, width := range []int{20, 40, 71, 72, 80, 100, 200} {
		var got bytes.Buffer
		if err := report.Text(&got, doctor.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(got.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("at %d columns one of %d: %q", width, n, line)
			}
		}
	}
}

func TestJSONForMachines(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := doctor.Examine(t.Context()).JSON(&got); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Status   string `json:"status"`
		ExitCode *int   `json:"exit_code"`
	}
	if err := json.Unmarshal(got.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Status != "ok" || report.ExitCode == nil || *report.ExitCode != 0 {
		t.Errorf("nothing tried: %s", got.String())
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		came []doctor.Status
		want string
	}{
		{"all well", []doctor.Status{doctor.OK}, "Everything that was tried works."},
		{"one warning", []doctor.Status{doctor.OK, doctor.Warning}, "It works. 1 warning."},
		{"a first start", []doctor.Status{doctor.OK, doctor.Skipped, doctor.Skipped}, "Everything that was tried works. 2 checks had nothing to try."},
		{"all of it", []doctor.Status{doctor.Broken, doctor.Warning, doctor.Warning, doctor.Skipped}, "Broken: it. 2 warnings. 1 check had nothing to try."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s doctor.Section
			for _, status := range tt.came {
				s.Checks = append(s.Checks, doctor.Check{Name: "it", Run: says(status, "…")})
			}
			var got bytes.Buffer
			if err := doctor.Examine(t.Context(), s).Text(&got, doctor.Style{}); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(got.String(), "\n"+tt.want+"\n") {
				t.Errorf("the last line is not %q:\n%s", tt.want, got.String())
			}
		})
	}
}
