package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

const goodSecret = "0123456789abcdef0123456789abcdef"

func load(t *testing.T, environ ...string) Config {
	t.Helper()
	c, err := Load(environ)
	if err != nil {
		t.Fatalf("Load(%q) = %v", environ, err)
	}
	return c
}

func TestNothingSetIsTheEmbeddedMode(t *testing.T) {
	t.Parallel()
	c := load(t, "PATH=/bin", "HOME=/root", "LISTEN_ADDR=")
	if !c.Embedded() || c.UsesS3() || c.AuthConfigured() || !c.Loopback() {
		t.Errorf("Embedded, UsesS3, AuthConfigured, Loopback = %v, %v, %v, %v",
			c.Embedded(), c.UsesS3(), c.AuthConfigured(), c.Loopback())
	}
	if path, ok := c.SQLite(); !ok || path != "data/frontispiece.db" {
		t.Errorf("SQLite() = %q, %v", path, ok)
	}
	if got := text(c.Generators); got != "card:" {
		t.Errorf("Generators = %q, want card:", got)
	}
	if got, want := c.ListenAddr, "127.0.0.1:8000"; got != want {
		t.Errorf("ListenAddr = %q, want %q", got, want)
	}
	if len(c.AllowedOrigins) != 10 || c.AllowedOrigins[9] != "http://127.0.0.1:3004" {
		t.Errorf("AllowedOrigins = %q", c.AllowedOrigins)
	}
	if c.ImageDir() != "data/images" || c.SpoolDir != "data/spool" {
		t.Errorf("ImageDir, SpoolDir = %q, %q", c.ImageDir(), c.SpoolDir)
	}
	if got := c.Warnings(); got != nil {
		t.Errorf("Warnings() = %q, want none", got)
	}
}

func TestListenAddress(t *testing.T) {
	t.Parallel()
	const jwt = "JWT_SECRET_KEY=" + goodSecret
	tests := []struct {
		name    string
		environ []string
		want    string
	}{
		{"port alone without authentication stays on loopback", []string{"PORT=8080"}, "127.0.0.1:8080"},
		{"port alone with authentication is everywhere", []string{"PORT=8080", jwt}, ":8080"},
		{"authentication alone opens nothing", []string{jwt}, "127.0.0.1:8000"},
		{"the address goes before the port", []string{"PORT=8080", "LISTEN_ADDR=127.0.0.1:9"}, "127.0.0.1:9"},
		{"all of 127/8 is loopback", []string{"LISTEN_ADDR=127.9.9.9:1"}, "127.9.9.9:1"},
		{"so is IPv6's", []string{"LISTEN_ADDR=[::1]:8000"}, "[::1]:8000"},
		{"and the mapped form", []string{"LISTEN_ADDR=[::ffff:127.0.0.1]:8000"}, "[::ffff:127.0.0.1]:8000"},
		{"a port of the system's choice", []string{"LISTEN_ADDR=localhost:0"}, "localhost:0"},
		{"the site's other name of the secret counts", []string{"LISTEN_ADDR=0.0.0.0:80", "JWT_SECRET=" + goodSecret}, "0.0.0.0:80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, tt.environ...).ListenAddr; got != tt.want {
				t.Errorf("ListenAddr = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProduction(t *testing.T) {
	t.Parallel()
	c := load(t,
		"DATABASE_URL=postgres://fp:pw@db:5432/site",
		"REDIS_URL=redis-sentinel://:pw@a:26379,b:26379?master=mymaster",
		"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=wJal", "AWS_S3_BUCKET=glad-labs-images",
		"AWS_CLOUDFRONT_DOMAIN=d1a2b3c4.cloudfront.net",
		"GENERATORS=sdcpp+http://gpu:1234, openai+https://:sk-1@api.openai.com/v1?model=gpt-image-1,pexels:,card:",
		"PEXELS_API_KEY=p", "JWT_SECRET_KEY="+goodSecret+"\n", "EDITORS= 7, 8 ,", "OPERATORS=9", "PORT=8000",
		"RENDITIONS=1280,640,640", "SPOOL_QUOTA=2 GB", "UPLOAD_FOR=1h",
	)
	if c.Embedded() || !c.UsesS3() || c.Loopback() {
		t.Errorf("Embedded, UsesS3, Loopback = %v, %v, %v", c.Embedded(), c.UsesS3(), c.Loopback())
	}
	if got := c.JWTSecretKey.Reveal(); got != goodSecret {
		t.Errorf("the line break of a secret's file was kept: %q", got)
	}
	if diff := cmp.Diff([]string{"7", "8"}, c.Editors); diff != "" {
		t.Errorf("Editors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Widths{640, 1280}, c.Renditions); diff != "" {
		t.Errorf("Renditions (-want +got):\n%s", diff)
	}
	if c.SpoolQuota != 2e9 {
		t.Errorf("SpoolQuota = %d", c.SpoolQuota)
	}
	if got, want := c.GenerateTaskTimeout(), 4*(5*time.Minute+TurnWait)+judgeTime; got != want {
		t.Errorf("GenerateTaskTimeout() = %v, want %v", got, want)
	}
	if got, want := c.UploadTaskTimeout(), finishTime+3*2*time.Minute; got != want {
		t.Errorf("UploadTaskTimeout() = %v, want %v", got, want)
	}
	if err := c.ValidateWorker(); err != nil {
		t.Errorf("ValidateWorker() = %v", err)
	}
}

func TestPexelsKeyPutsPexelsFirst(t *testing.T) {
	t.Parallel()
	if got, want := text(load(t, "PEXELS_API_KEY=k").Generators), "pexels:,card:"; got != want {
		t.Errorf("Generators = %q, want %q", got, want)
	}
}

func TestSQLitePath(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"sqlite:a/b.db":     "a/b.db",
		"sqlite:./b.db":     "./b.db",
		"sqlite:/a/b.db":    "/a/b.db",
		"sqlite:///a/b.db":  "/a/b.db",
		"SQLite:a b é.db":   "a b é.db",
		"sqlite://a/b@c.db": "a/b@c.db",
	} {
		if got, ok := load(t, "DATABASE_URL="+raw).SQLite(); !ok || got != want {
			t.Errorf("SQLite() of %q = %q, %v, want %q", raw, got, ok, want)
		}
	}
	if path, ok := load(t, "DATABASE_URL=postgresql:///site?host=/run/postgresql").SQLite(); ok {
		t.Errorf("a PostgreSQL was taken for the file %q", path)
	}
}

func TestWorkerThatSharesNothingIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, environ, wantName string }{
		{"nothing", "", "REDIS_URL"},
		{"a database alone", "DATABASE_URL=postgres://db/site", "REDIS_URL"},
		{"a queue alone", "REDIS_URL=redis://r", "DATABASE_URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, load(t, tt.environ).ValidateWorker(), tt.wantName)
		})
	}
	shared := load(t, "REDIS_URL=redis://r", "DATABASE_URL=sqlite:/srv/f.db")
	if err := shared.ValidateWorker(); err != nil {
		t.Errorf("a database file on the same machine is shared, got %v", err)
	}
}

// checkRefusal wants one line that names the variable and a fix.
func checkRefusal(t *testing.T, err error, name string) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal of %s", err, name)
	}
	line := err.Error()
	if refusal.Name != name {
		t.Errorf("%q names %s, want %s", line, refusal.Name, name)
	}
	if strings.ContainsAny(line, "\n\r") || !strings.Contains(line, ";") {
		t.Errorf("%q is not one line with a fix", line)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ []string
		want    string
	}{
		{"nobody may approve", []string{"JWT_SECRET_KEY=" + goodSecret}, "EDITORS and OPERATORS"},
		{"keys without a bucket", []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}, "AWS_S3_BUCKET is not"},
		{"workers without a bucket", []string{"REDIS_URL=redis://r", "DATABASE_URL=postgres://d/x"}, "must see the same"},
		{"a queue without a worker's database", []string{"REDIS_URL=redis://r", "AWS_S3_BUCKET=abc"}, "DATABASE_URL=sqlite:data/frontispiece.db"},
		{"the published secret at home", []string{"JWT_SECRET=" + devJWTSecret, "EDITORS=1"}, "published development secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, tt.environ...).Warnings()
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("Warnings() = %q, want one with %q", got, tt.want)
			}
		})
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	const leak = "hunter2"
	c := load(t,
		"DATABASE_URL=postgres://u:"+leak+"@db/site?sslpassword="+leak,
		"REDIS_URL=rediss://:"+leak+"@r:6379/1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY="+leak,
		"AWS_SESSION_TOKEN="+leak, "AWS_S3_BUCKET=bucket", "PEXELS_API_KEY="+leak, "OPENAI_API_KEY="+leak,
		"GENERATORS=openai+https://"+leak+"@api/v1?model=m&api_key="+leak+",sdwebui+http://u:"+leak+"@gpu",
		"JWT_SECRET_KEY="+leak+goodSecret, "JWT_SECRET="+leak+goodSecret,
		"REVALIDATE_URL=https://site/", "REVALIDATE_SECRET="+leak)
	inner := struct{ s, u any }{c.JWTSecretKey, c.DatabaseURL}
	unexported := struct {
		s Secret
		u URL
	}{c.JWTSecretKey, c.DatabaseURL}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08b", "%y"} {
		for _, value := range []any{c, &c, inner, unexported, c.JWTSecretKey, c.DatabaseURL, c.Generators, c.Lines()} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, leak) || strings.Contains(got, fmt.Sprintf("%x", leak)) {
				t.Errorf("Sprintf(%q, %T) leaks: %s", verb, value, got)
			}
		}
	}
	b, err := json.Marshal(c)
	if err != nil || strings.Contains(string(b), leak) {
		t.Errorf("JSON leaks: %s, %v", b, err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "s", c.JWTSecretKey, "u", c.DatabaseURL, "c", c)
	if strings.Contains(log.String(), leak) {
		t.Errorf("slog leaks: %s", &log)
	}
	if got := c.PexelsAPIKey.Reveal(); got != leak {
		t.Errorf("Reveal() = %q", got)
	}
}

func TestRedactedURLStaysUseful(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"postgres://fp:pw@db:5432/site?sslmode=require": "postgres://fp:[set]@db:5432/site?sslmode=require",
		"redis://:pw@r:6379/2":                          "redis://:[set]@r:6379/2",
		"redis-sentinel://a:1,b:2?master=m":             "redis-sentinel://a:1,b:2?master=m",
		"openai+https://sk-key@api/v1?model=m&token=t":  "openai+https://[set]@api/v1?model=m&token=[set]",
		"pexels:":            "pexels:",
		"sqlite:/a b/c@d.db": "sqlite:/a b/c@d.db",
	} {
		u, err := ParseURL(raw)
		if err != nil || u.String() != want {
			t.Errorf("ParseURL(%q).String() = %q, %v, want %q", raw, u, err, want)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	lines := load(t, "SPOOL_QUOTA=64MiB", "JWT_SECRET_KEY="+goodSecret, "EDITORS=1").Lines()
	if len(lines) != len(fields()) {
		t.Fatalf("%d lines for %d variables", len(lines), len(fields()))
	}
	all := strings.Join(lines, "\n") + "\n"
	for _, want := range []string{
		"SPOOL_QUOTA=64MiB\n", "JWT_SECRET_KEY=[set]\n", "UPLOAD_FOR=72h0m0s  (default)\n",
		"RENDITIONS=640,1280,1920  (default)\n", "DATABASE_URL=sqlite:data/frontispiece.db  (default)\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("Lines() lack %q:\n%s", want, all)
		}
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(path, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), Reference()); diff != "" {
		t.Errorf("%s is stale, run make generate (-file +code):\n%s", path, diff)
	}
}

func TestEveryVariableIsDescribed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range fields() {
		if seen[f.name] {
			t.Errorf("%s appears twice", f.name)
		}
		seen[f.name] = true
		if f.section == "" || !strings.HasSuffix(f.help, ".") || strings.Contains(f.help, "|") {
			t.Errorf("%s: section %q, help %q", f.name, f.section, f.help)
		}
		low, high := f.bounds()
		ranged := f.kind == reflect.TypeFor[Duration]() || f.kind == reflect.TypeFor[int]() || f.kind == reflect.TypeFor[Bytes]()
		if ranged && (f.min == "" || low >= high || low < 0 || (high == 0 && f.max != "")) {
			t.Errorf("%s: range %q to %q", f.name, f.min, f.max)
		}
		if name := strings.ReplaceAll(f.name, "AWS_SECRET_ACCESS_KEY", "SECRET"); f.kind == reflect.TypeFor[string]() &&
			(strings.Contains(name, "SECRET") || strings.Contains(name, "API_KEY") || strings.Contains(name, "TOKEN")) {
			t.Errorf("%s sounds like a secret and is a plain string", f.name)
		}
	}
}
