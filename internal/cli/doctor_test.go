package cli_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/blob/blobtest"
	"github.com/glad-labs/frontispiece/internal/testenv"
)

// finding is one check in the doctor's answer to machines.
type finding struct {
	Name, Status, Tried, Happened, Next string
}

// examined is the doctor's answer, by check.
func (s *site) examined(wantCode int) map[string]finding {
	s.t.Helper()
	a := s.types("doctor --json")
	var report struct {
		ExitCode int `json:"exit_code"`
		Sections []struct{ Checks []finding }
	}
	if err := json.Unmarshal([]byte(a.out), &report); err != nil {
		s.t.Fatalf("%v\n%s%s", err, a.out, a.errors)
	}
	found := make(map[string]finding)
	for _, section := range report.Sections {
		for _, f := range section.Checks {
			if was := found[f.Name]; was.Status != "broken" && was.Status != "warning" {
				found[f.Name] = f
			}
		}
	}
	if a.code != wantCode || report.ExitCode != wantCode {
		s.t.Errorf("exit %d and %d in the report, want %d\n%s", a.code, report.ExitCode, wantCode, a.out)
	}
	return found
}

// statuses are those of the checks that are not well.
func unwell(found map[string]finding) map[string]string {
	not := make(map[string]string)
	for name, f := range found {
		if f.Status != "ok" {
			not[name] = f.Status
		}
	}
	return not
}

// On a fresh machine the doctor finds nothing wrong and leaves nothing behind.
func TestDoctorBeforeTheFirstStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	found := s.examined(0)
	for _, name := range []string{"bucket", "put", "database", "spool"} {
		if found[name].Status != "skipped" {
			t.Errorf("%s is %s, want it skipped", name, found[name].Status)
		}
	}
	if left, _ := os.ReadDir(s.dir); len(left) > 0 {
		t.Errorf("the doctor left %s behind", left[0].Name())
	}
	text := s.mustType("doctor")
	says(t, text, "✓ configuration", "- database", "frontispiece migrate makes it now", "Everything that was tried works.")
	if strings.Contains(text, "\x1b") {
		t.Error("colour on what is no terminal")
	}
}

func TestDoctorBesideARunningAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	api := runningAPI(t, s)
	defer api.Close()
	same(t, "not well", map[string]string{}, unwell(s.examined(0)))
}

func TestDoctorRefusedConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t, "REDIS_URL=http://:hunter2secret@somewhere")
	a := s.types("doctor")
	says(t, a.out, "✗ configuration", "REDIS_URL", "unknown scheme", "→ write redis://", "Broken: configuration.")
	if a.code != 2 || a.errors != "" || strings.Contains(a.out, "hunter2") {
		t.Errorf("exit %d, %q, %q", a.code, a.out, a.errors)
	}
	same(t, "not well", map[string]string{"configuration": "broken"}, unwell(s.examined(2)))
}

// reader stands in for a CDN: it serves what the server has on its disk.
func reader(t *testing.T, gw blobtest.Gateway) string {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(gw.Dir, gw.Bucket))))
	t.Cleanup(server.Close)
	return server.URL
}

// production is a site on real servers.
func production(t *testing.T, gw blobtest.Gateway, redisURL, publicURL string) *site {
	t.Helper()
	s := newSite(t, "DATABASE_URL="+testenv.Postgres(t), "REDIS_URL="+redisURL, "PUBLIC_BASE_URL="+publicURL,
		"AWS_ENDPOINT_URL_S3="+gw.Endpoint, "AWS_S3_REGION="+gw.Region, "AWS_S3_BUCKET="+gw.Bucket,
		"AWS_ACCESS_KEY_ID="+gw.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+gw.SecretAccessKey)
	s.mustType("migrate")
	if err := os.Mkdir(filepath.Join(s.dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// Everything there and well, on real servers; and nothing stays behind in them.
func TestDoctorProduction(t *testing.T) {
	t.Parallel()
	gw, server := blobtest.StartGateway(t), testenv.StartRedis(t)
	s := production(t, gw, server.URL, reader(t, gw))
	found := s.examined(0)
	same(t, "not well", map[string]string{}, unwell(found))
	says(t, found["database"].Happened, "PostgreSQL ")
	says(t, found["redis"].Happened, "Redis ")
	says(t, found["task"].Happened, "it came back in")
	says(t, found["fetch"].Happened, "the same bytes came back")

	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if strings.Contains(key, "doctor") || key == "asynq:queues" {
			t.Errorf("the doctor left the key %s in Redis", key)
		}
	}
	files, err := os.ReadDir(filepath.Join(gw.Dir, gw.Bucket, "generated"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || !strings.HasPrefix(files[0].Name(), "0-00000000") {
		t.Errorf("the bucket holds %v, want the one canary that every put is tried with", files)
	}
	if out := s.types("doctor").out; strings.Contains(out, gw.SecretAccessKey) {
		t.Error("the report shows a secret")
	}
}

// One thing wrong at a time, on real servers: each is told where it is, with
// advice, and nothing else is blamed.
func TestDoctorProductionFaults(t *testing.T) {
	t.Parallel()
	gw, well := blobtest.StartGateway(t), testenv.StartRedis(t)
	evicts := testenv.StartRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	forgets := testenv.StartRedis(t, "--appendonly", "no")
	locked := testenv.StartRedis(t)
	lock(t, locked.Addr)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("an optimised picture")) // the client reads it, or says so
	}))
	t.Cleanup(other.Close)
	cdn := reader(t, gw)
	afterBucket := map[string]string{"put": "skipped", "fetch": "skipped", "delete": "skipped"}
	tests := []struct {
		name    string
		change  string // of one variable
		code    int
		blamed  string
		status  string
		said    string
		next    string
		besides map[string]string
	}{
		{"evicts", "REDIS_URL=" + evicts.URL, 2, "eviction", "broken", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction", nil},
		{"forgets", "REDIS_URL=" + forgets.URL, 1, "persistence", "warning", "rows", "appendonly yes", nil},
		{
			"wants a password", "REDIS_URL=redis://:hunter2secret@" + locked.Addr, 2, "redis", "broken", "refuses", "REDIS_URL",
			map[string]string{"eviction": "skipped", "persistence": "skipped", "paused": "skipped", "task": "skipped"},
		},
		{
			"no Redis", "REDIS_URL=redis://127.0.0.1:1", 2, "redis", "broken", "nobody answers", "redis-cli",
			map[string]string{"eviction": "skipped", "persistence": "skipped", "paused": "skipped", "task": "skipped"},
		},
		{"no such bucket", "AWS_S3_BUCKET=no-such-bucket", 2, "bucket", "broken", "no such bucket", "s3 mb s3://no-such-bucket", afterBucket},
		{"a wrong secret", "AWS_SECRET_ACCESS_KEY=hunter2secret", 2, "client", "broken", "does not belong", "AWS_SECRET_ACCESS_KEY", with(afterBucket, "bucket", "skipped")},
		{"no S3 server", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1", 2, "client", "broken", "127.0.0.1:1", "curl -i http://127.0.0.1:1", with(afterBucket, "bucket", "skipped")},
		{"other bytes", "PUBLIC_BASE_URL=" + other.URL, 2, "fetch", "broken", "other bytes", "curl -i " + other.URL, nil},
		{"no CDN before a private bucket", "PUBLIC_BASE_URL=", 2, "fetch", "broken", "private", "curl -i " + gw.Endpoint, nil},
		{"nothing at the CDN", "PUBLIC_BASE_URL=http://127.0.0.1:1", 2, "fetch", "broken", "cannot be reached", "curl -i", nil},
		{
			"a wrong database password", "DATABASE_URL=" + wrongPassword(t), 2, "database", "broken", "refuses this user or password", "psql",
			map[string]string{"schema": "skipped", "site tables": "skipped", "time-outs": "skipped", "writing": "skipped", "API keys": "skipped"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := production(t, gw, well.URL, cdn)
			s.environ = append(s.environ, tt.change)
			found := s.examined(tt.code)
			f := found[tt.blamed]
			says(t, f.Happened, tt.said)
			says(t, f.Next, tt.next)
			same(t, "not well", with(tt.besides, tt.blamed, tt.status), unwell(found))
			if a := s.types("doctor"); strings.Contains(a.out+a.errors, "hunter2secret") {
				t.Errorf("a secret in:\n%s", a.out)
			}
		})
	}
}

// lock makes a Redis ask for a password.
func lock(t *testing.T, addr string) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	if err := client.ConfigSet(t.Context(), "requirepass", "another").Err(); err != nil {
		t.Fatal(err)
	}
}

func with(m map[string]string, key, value string) map[string]string {
	out := map[string]string{key: value}
	maps.Copy(out, m)
	return out
}

// wrongPassword is the URL of a PostgreSQL that asks for another one.
func wrongPassword(t *testing.T) string {
	t.Helper()
	server := testenv.StartPostgres(t, "ssl=off")
	execPostgres(t, server.URL, `ALTER USER postgres PASSWORD 'another'`)
	hba := execPostgres(t, server.URL, `SHOW hba_file`)
	if err := os.WriteFile(hba, []byte("host all all 127.0.0.1/32 scram-sha-256\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	execPostgres(t, server.URL, `SELECT pg_reload_conf()`)
	return strings.Replace(server.URL, "postgres@", "postgres:hunter2secret@", 1)
}

// A stopped examination ends at once, and blames nobody.
func TestDoctorInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t, "REDIS_URL=redis://127.0.0.1:1", "DATABASE_URL=postgres://me@127.0.0.1:1/site")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := s.typesIn(ctx, "doctor"); a.out == "" || a.errors != "" {
		t.Errorf("exit %d, %q, %q", a.code, a.out, a.errors)
	}
}
