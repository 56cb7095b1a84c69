package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/doctor"
	"github.com/glad-labs/frontispiece/internal/store"
)

const fine = "redis_version:7.2.4\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\naof_last_write_status:ok\r\n"

func TestQueue(t *testing.T) {
	t.Parallel()
	all := func(server, eviction, persistence, task doctor.Status) map[string]doctor.Status {
		paused := doctor.OK
		if server == doctor.Broken {
			paused = doctor.Skipped
		}
		return map[string]doctor.Status{"redis": server, "eviction": eviction, "persistence": persistence, "paused": paused, "task": task}
	}
	paused := all(doctor.OK, doctor.OK, doctor.OK, doctor.OK)
	paused["paused"] = doctor.Warning
	const ok, warn, bad, skip = doctor.OK, doctor.Warning, doctor.Broken, doctor.Skipped
	tests := []struct {
		name  string
		redis redis
		trip  error
		want  map[string]doctor.Status
	}{
		{"as it should be", redis{info: fine}, nil, all(ok, ok, ok, ok)},
		{"away", redis{err: errors.New("nobody answers")}, nil, all(bad, skip, skip, skip)},
		{"too old", redis{info: strings.Replace(fine, "7.2.4", "6.0.16", 1)}, nil, all(bad, skip, skip, skip)},
		{"the oldest that does", redis{info: strings.Replace(fine, "7.2.4", "6.2.0", 1)}, nil, all(ok, ok, ok, ok)},
		{"two digits", redis{info: strings.Replace(fine, "7.2.4", "10.0.1", 1)}, nil, all(ok, ok, ok, ok)},
		{"a replica", redis{info: strings.Replace(fine, "master", "slave", 1)}, nil, all(bad, skip, skip, skip)},
		{"evicts", redis{info: strings.Replace(fine, "noeviction", "volatile-lru", 1)}, nil, all(ok, bad, ok, ok)},
		{"only snapshots", redis{info: strings.Replace(fine, "aof_enabled:1", "aof_enabled:0", 1)}, nil, all(ok, ok, warn, ok)},
		{"its disk is full", redis{info: strings.Replace(fine, "status:ok", "status:err", 1)}, nil, all(ok, ok, warn, ok)},
		{"says nothing of itself", redis{quiet: errors.New("NOPERM")}, nil, all(warn, warn, warn, ok)},
		{"an answer of another kind", redis{info: "hello"}, nil, all(warn, warn, warn, ok)},
		{"a paused queue", redis{info: fine, paused: []string{"generate"}}, nil, paused},
		{"takes no task", redis{info: fine}, errors.New("OOM command not allowed"), all(ok, ok, ok, bad)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trip := func(context.Context) (time.Duration, error) { return time.Millisecond, tt.trip }
			report := doctor.Examine(t.Context(), doctor.Queue("redis://there", tt.redis, trip))
			if diff := cmp.Diff(tt.want, outcomes(report)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			everyComplaintHelps(t, report)
		})
	}
}

// everyComplaintHelps: what is not well says what to type.
func everyComplaintHelps(t *testing.T, r doctor.Report) {
	t.Helper()
	for _, s := range r.Sections {
		for _, f := range s.Checks {
			if f.Said == "" || (f.Status == doctor.Broken || f.Status == doctor.Warning) && f.Next == "" {
				t.Errorf("%s is %s, says %q and advises %q", f.Name, f.Status, f.Said, f.Next)
			}
		}
	}
}

func withKeys(want map[string]doctor.Status, keys doctor.Status) map[string]doctor.Status {
	want["API keys"] = keys
	return want
}

func TestDatabases(t *testing.T) {
	t.Parallel()
	taken := []store.Migration{{Version: 1, Applied: true}, {Version: 2, Applied: true}}
	half := []store.Migration{{Version: 1, Applied: true}, {Version: 2}}
	none := []store.Migration{{Version: 1}, {Version: 2}}
	behind := fmt.Errorf("%w (it is at 1)", store.ErrSchemaBehind)
	all := func(connect, schema, site, writing doctor.Status) map[string]doctor.Status {
		limits := connect
		if connect == doctor.Broken {
			limits = doctor.Skipped
		}
		keys := writing
		if writing == doctor.Broken {
			keys = doctor.OK // they are only read
		}
		return map[string]doctor.Status{"database": connect, "time-outs": limits, "schema": schema, "site tables": site, "writing": writing, "API keys": keys}
	}
	pooled := all(doctor.OK, doctor.OK, doctor.OK, doctor.OK)
	pooled["time-outs"] = doctor.Warning
	const ok, warn, bad, skip = doctor.OK, doctor.Warning, doctor.Broken, doctor.Skipped
	tests := []struct {
		name string
		open error
		db   database
		want map[string]doctor.Status
	}{
		{"as it should be", nil, database{steps: taken}, all(ok, ok, ok, ok)},
		{"a pooler without time-outs", nil, database{steps: taken, unlimited: []string{"statement_timeout", "lock_timeout"}}, pooled},
		{"not there yet", fmt.Errorf("the file is %w", doctor.ErrNotYet), database{}, all(skip, skip, skip, skip)},
		{"refuses the password", errors.New("the server refuses this user or password"), database{}, all(bad, skip, skip, skip)},
		{"answers and refuses queries", nil, database{server: errors.New("no")}, all(bad, skip, skip, skip)},
		{"without our tables", nil, database{steps: none, schema: behind}, all(ok, warn, skip, skip)},
		{
			"a step behind that makes the keys' table", nil,
			database{steps: half, schema: behind, keysErr: errors.New("no such table")},
			withKeys(all(ok, warn, ok, ok), skip),
		},
		{"the keys cannot be read", nil, database{steps: taken, keysErr: errors.New("no right")}, withKeys(all(ok, ok, ok, ok), bad)},
		{"a step behind", nil, database{steps: half, schema: behind}, all(ok, warn, ok, ok)},
		{"ahead", nil, database{steps: taken, schema: store.ErrSchemaAhead}, all(ok, bad, skip, skip)},
		{"a column is missing", nil, database{steps: taken, detected: errors.New("no column")}, all(ok, ok, bad, ok)},
		{"a standby", nil, database{steps: taken, write: errors.New("read-only transaction")}, all(ok, ok, ok, bad)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			closed := false
			tt.db.closed = &closed
			report := doctor.Examine(t.Context(), doctor.Databases("postgres://there", doctor.Access{Loopback: true}, func(context.Context) (doctor.Database, error) {
				return tt.db, tt.open
			}))
			if diff := cmp.Diff(tt.want, outcomes(report)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if tt.open == nil && !closed {
				t.Error("the connection was left open")
			}
			everyComplaintHelps(t, report)
		})
	}
}

// Who gets in is half in the configuration and half in the database. Nothing of
// a key is told but its role.
func TestWhoGetsIn(t *testing.T) {
	t.Parallel()
	key := func(role string, more ...func(*store.APIKey)) store.APIKey {
		k := store.APIKey{ID: "k3x9secretly", Name: "olga", Role: role}
		for _, change := range more {
			change(&k)
		}
		return k
	}
	revoked := func(k *store.APIKey) { k.RevokedAt = time.Now() }
	ends := func(after time.Duration) func(*store.APIKey) {
		return func(k *store.APIKey) { k.ExpiresAt = time.Now().Add(after) }
	}
	local, open := doctor.Access{Listens: "127.0.0.1:8000", Loopback: true}, doctor.Access{Listens: "0.0.0.0:8000"}
	platform := doctor.Access{Listens: "127.0.0.1:3000", Loopback: true, PortAlone: true}
	site, sitesOperators := doctor.Access{Listens: ":8000", Tokens: true}, doctor.Access{Listens: ":8000", Tokens: true, Operators: true}
	taken, due := []store.Migration{{Version: 1, Applied: true}}, []store.Migration{{Version: 1}}
	for _, tt := range []struct {
		name   string
		access doctor.Access
		steps  []store.Migration
		keys   []store.APIKey
		want   doctor.Status
		says   string
	}{
		{"a laptop", local, taken, nil, doctor.OK, "none: whoever is on this machine may do everything"},
		{"a platform's port and no key", platform, taken, nil, doctor.Warning, "PORT opens it"},
		{"open to others and no key", open, taken, nil, doctor.Broken, "0.0.0.0:8000 can be reached from other machines: the API refuses to start"},
		{"the same before there are tables", open, due, nil, doctor.Broken, "refuses to start"},
		{"a laptop before there are tables", local, due, nil, doctor.Skipped, "no table of ours"},
		{
			"keys of every role", open, taken,
			[]store.APIKey{key("author"), key("operator"), key("editor"), key("editor", revoked)},
			doctor.OK,
			"3 work: 1 operator, 1 editor, 1 author; 1 is revoked or expired",
		},
		{"all are over", open, taken, []store.APIKey{key("operator", revoked), key("editor", ends(-time.Hour))}, doctor.Broken, "none works; 2 are revoked or expired, and JWT_SECRET_KEY is not set: nobody gets in"},
		{"all are over on a laptop", local, taken, []store.APIKey{key("operator", revoked)}, doctor.Broken, "nobody gets in"},
		{"no operator among them", open, taken, []store.APIKey{key("editor")}, doctor.Warning, "1 works: 1 editor; nobody is an operator"},
		{"one ends soon", open, taken, []store.APIKey{key("operator", ends(48*time.Hour)), key("editor", ends(900*time.Hour))}, doctor.Warning, "1 of them ends within a week"},
		{"the site's tokens and no operator", site, taken, nil, doctor.Warning, "nobody is an operator"},
		{"the site's tokens", sitesOperators, taken, nil, doctor.OK, "none; the site's tokens open it"},
		{"the site's tokens, and all keys are over", sitesOperators, taken, []store.APIKey{key("editor", revoked)}, doctor.OK, "none works; 1 is revoked or expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := database{steps: tt.steps, keys: tt.keys, closed: new(bool)}
			report := doctor.Examine(t.Context(), doctor.Databases("postgres://there", tt.access, func(context.Context) (doctor.Database, error) { return db, nil }))
			for _, f := range report.Sections[0].Checks {
				if f.Name != "API keys" {
					continue
				}
				if f.Status != tt.want || !strings.Contains(f.Said, tt.says) {
					t.Errorf("%s: %q; want %s and %q", f.Status, f.Said, tt.want, tt.says)
				}
				if strings.Contains(f.Said+f.Next, "k3x9") || strings.Contains(f.Said+f.Next, "olga") {
					t.Errorf("a report that is pasted into tickets names a key: %q", f.Said)
				}
			}
			everyComplaintHelps(t, report)
		})
	}
}

func TestSpools(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		open     error
		spool    spool
		free     int64
		freeErr  error
		writable doctor.Status
		room     doctor.Status
	}{
		{"as it should be", nil, spool{used: 1 << 20, quota: 10 << 30}, 20 << 30, nil, doctor.OK, doctor.OK},
		{"not there yet", doctor.ErrNotYet, spool{}, 0, nil, doctor.Skipped, doctor.Skipped},
		{"read-only", errors.New("user 1000 may not write here"), spool{}, 0, nil, doctor.Broken, doctor.Skipped},
		{"full", nil, spool{used: 10 << 30, quota: 10 << 30, full: true}, 20 << 30, nil, doctor.OK, doctor.Broken},
		{"more quota than disk", nil, spool{quota: 10 << 30}, 9 << 30, nil, doctor.OK, doctor.Warning},
		{"what is used counts", nil, spool{used: 5 << 30, quota: 10 << 30}, 5 << 30, nil, doctor.OK, doctor.OK},
		{"a system that does not tell", nil, spool{quota: 10 << 30}, 0, errors.ErrUnsupported, doctor.OK, doctor.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report := doctor.Examine(t.Context(), doctor.Spools("/spool",
				func() (doctor.Spool, error) { return tt.spool, tt.open },
				func(string) (int64, error) { return tt.free, tt.freeErr }))
			want := map[string]doctor.Status{"spool": tt.writable, "room": tt.room}
			if diff := cmp.Diff(want, outcomes(report)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			everyComplaintHelps(t, report)
		})
	}
}

func TestDiskFree(t *testing.T) {
	t.Parallel()
	if free, err := doctor.DiskFree(t.TempDir()); err != nil || free <= 0 {
		t.Errorf("DiskFree = %d, %v, want some room", free, err)
	}
}

// One generator that is away is a warning, since the next one answers; all of
// them is not.
func TestGenerators(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	tests := []struct {
		name string
		list []generator
		want int
	}{
		{"both there", []generator{{name: "sdcpp"}, {name: "card"}}, 0},
		{"one away", []generator{{name: "sdcpp", err: away}, {name: "card"}}, 1},
		{"all away", []generator{{name: "sdcpp", err: away}, {name: "pexels", err: away}}, 2},
		{"the only one away", []generator{{name: "sdcpp", err: away}}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report := doctor.Examine(t.Context(), doctor.Generators(asGenerators(tt.list)...))
			if got := report.ExitCode(); got != tt.want {
				t.Errorf("exit code = %d, want %d: %v", got, tt.want, outcomes(report))
			}
			everyComplaintHelps(t, report)
		})
	}
}

// The object of an examination has a key of its own, is put as a picture is,
// fetched though it cannot be deleted, and deleted though it cannot be fetched.
func TestPicturesThereAndBack(t *testing.T) {
	t.Parallel()
	b := &bucket{}
	s := doctor.Storage{Bucket: b, Delivery: delivery{}, S3: true, Name: "s3://pictures", Region: "us-east-1"}
	report := doctor.Examine(t.Context(), doctor.Pictures(s))
	want := map[string]doctor.Status{
		"client": doctor.OK, "bucket": doctor.OK, "put": doctor.OK, "fetch": doctor.Broken, "delete": doctor.OK, "url": doctor.OK,
	}
	if diff := cmp.Diff(want, outcomes(report)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	doctor.Examine(t.Context(), doctor.Pictures(s))
	if len(b.puts) != 2 || len(b.gone) != 2 {
		t.Fatalf("two examinations put %d objects and deleted %d", len(b.puts), len(b.gone))
	}
	if b.puts[0].Key == b.puts[1].Key || b.puts[0].Key == blob.Canary {
		t.Errorf("keys %s and %s: a CDN could answer for an earlier examination", b.puts[0].Key, b.puts[1].Key)
	}
	if b.puts[0].Key != b.gone[0] {
		t.Errorf("put %s and deleted %s", b.puts[0].Key, b.gone[0])
	}
}

// What the bucket answers is told at the check that it is about, with advice.
func TestPicturesBlame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code, blamed, advice string
	}{
		{blob.CodeNoCredentials, "client", "AWS_ACCESS_KEY_ID"},
		{blob.CodeBadCredentials, "client", "AWS_SECRET_ACCESS_KEY"},
		{blob.CodeClockSkew, "client", "timedatectl"},
		{blob.CodeTLS, "client", "curl"},
		{blob.CodeUnreachable, "client", "curl -i http://s3.test:9000"},
		{blob.CodeTimeout, "client", "curl"},
		{blob.CodeSlowDown, "client", "try again"},
		{blob.CodeNoSuchBucket, "bucket", "aws --endpoint-url http://s3.test:9000 s3 mb s3://pictures"},
		{blob.CodeWrongRegion, "bucket", "AWS_S3_REGION"},
		{blob.CodeAccessDenied, "bucket", "s3:PutObject on arn:aws:s3:::pictures/generated/*"},
		{blob.CodeFull, "bucket", "quota"},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			report := doctor.Examine(t.Context(), doctor.Pictures(doctor.Storage{
				Bucket: &bucket{check: blob.Configf(tt.code, nil, "it says no")}, Delivery: delivery{}, S3: true,
				Name: "s3://pictures", Region: "us-east-1", Endpoint: "http://s3.test:9000",
			}))
			f := find(t, report, tt.blamed)
			if f.Status != doctor.Broken || !strings.Contains(f.Next, tt.advice) {
				t.Errorf("%s is %s and advises %q, want it broken and %q", tt.blamed, f.Status, f.Next, tt.advice)
			}
			if got := outcomes(report)["put"]; got != doctor.Skipped {
				t.Errorf("put is %s, want one complaint and not two", got)
			}
		})
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		base string
		want doctor.Status
		next string
	}{
		{"/images/", doctor.OK, "PUBLIC_BASE_URL"},
		{"https://cdn.test/", doctor.OK, "next.config.js"},
		{"http://localhost:8000/images/", doctor.OK, "next.config.js"},
		{"http://127.0.0.1:9000/pictures/", doctor.OK, "next.config.js"},
		{"http://cdn.test/", doctor.Warning, "https"},
	}
	for _, tt := range tests {
		t.Run(tt.base, func(t *testing.T) {
			t.Parallel()
			report := doctor.Examine(t.Context(), doctor.Pictures(doctor.Storage{
				Bucket: &bucket{}, Delivery: base(tt.base), S3: true, Name: "s3://pictures",
			}))
			if f := find(t, report, "url"); f.Status != tt.want || !strings.Contains(f.Next, tt.next) || !strings.HasPrefix(f.Said, tt.base) {
				t.Errorf("%s %q, next %q; want %s and %q", f.Status, f.Said, f.Next, tt.want, tt.next)
			}
		})
	}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	for webp, want := range map[bool]doctor.Status{true: doctor.OK, false: doctor.Warning} {
		f := find(t, doctor.Examine(t.Context(), doctor.Program("v0.1.0", webp)), "version")
		if f.Status != want || !strings.HasPrefix(f.Said, "v0.1.0") || strings.Contains(f.Said, "JPEG") == webp {
			t.Errorf("with libwebp %v: %s %q", webp, f.Status, f.Said)
		}
	}
}
