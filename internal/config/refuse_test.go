package config

import (
	"errors"
	"strings"
	"testing"
)

// A wrong configuration ends with one line that names the variable and what to
// write, and nothing of a secret in it.
func TestWrongConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	const (
		jwt  = "JWT_SECRET_KEY=" + goodSecret
		open = "LISTEN_ADDR=0.0.0.0:8000"
		leak = "hunter2"
	)
	tests := []struct {
		name, environ string // variables separated by spaces
		want          string // the variable to blame
		says          string // part of the line
	}{
		{"no port", "LISTEN_ADDR=127.0.0.1", "LISTEN_ADDR", "host:port"},
		{"a URL for an address", "LISTEN_ADDR=http://127.0.0.1:80", "LISTEN_ADDR", "host:port"},
		{"a service name for a port", "LISTEN_ADDR=127.0.0.1:http", "LISTEN_ADDR", "host:port"},
		{"a port out of range", "PORT=65536", "PORT", "0 to 65535"},
		{"a signed port", "PORT=+80", "PORT", "0 to 65535"},
		{"a wrong port behind an address", "LISTEN_ADDR=127.0.0.1:1 PORT=x", "PORT", "65535"},

		{"spool in the served folder", "SPOOL_DIR=data/images/spool", "SPOOL_DIR", "served to everybody"},
		{"spool is the served folder", "DATA_DIR=/srv SPOOL_DIR=/srv/images/", "SPOOL_DIR", "/srv/spool"},
		{"spool is the data folder", "DATA_DIR=/srv SPOOL_DIR=/srv", "SPOOL_DIR", "/srv/spool"},
		{"quota too small", "SPOOL_QUOTA=1MB", "SPOOL_QUOTA", "64MiB or more"},
		{"an unknown class of work", "REDIS_URL=redis://r WORKER_QUEUES=generate,paint", "WORKER_QUEUES", "generate, upload, notify"},
		{"nothing to work on", "REDIS_URL=redis://r WORKER_QUEUES=,", "WORKER_QUEUES", "list some of"},
		{"work left to nobody", "WORKER_QUEUES=generate,notify", "WORKER_QUEUES", "leaves out upload"},
		{"quota not a size", "SPOOL_QUOTA=lots", "SPOOL_QUOTA", "10GiB"},
		{"quota overflows", "SPOOL_QUOTA=9223372036854775807TiB", "SPOOL_QUOTA", "10GiB"},

		{"unknown database", "DATABASE_URL=mysql://u:" + leak + "@h/d", "DATABASE_URL", `"mysql"`},
		{"a password alone", "DATABASE_URL=" + leak, "DATABASE_URL", "percent-encode"},
		{"a password with a colon", "DATABASE_URL=" + leak + ":x", "DATABASE_URL", "unknown scheme"},
		{"key=value form", "DATABASE_URL=host=db_password=" + leak, "DATABASE_URL", "scheme://"},
		{"an unescaped password", "DATABASE_URL=postgres://u:" + leak + "#a@h/d", "DATABASE_URL", "percent-encode"},
		{"a password that reads like a port and a path", "DATABASE_URL=postgres://u:1/" + leak + "@h/d", "DATABASE_URL", "percent-encode"},
		{
			"a queue for all and a database for one", "LISTEN_ADDR=:8000 JWT_SECRET_KEY=0123456789abcdef0123456789abcdef REDIS_URL=redis://r",
			"DATABASE_URL", "which no worker sees",
		},
		{"database without a host", "DATABASE_URL=postgres:///site", "DATABASE_URL", "no host"},
		{"SQLite without a file", "DATABASE_URL=sqlite:", "DATABASE_URL", "names no file"},
		{"SQLite in memory", "DATABASE_URL=sqlite::memory:", "DATABASE_URL", "lose accepted jobs"},
		{"SQLite with pragmas", "DATABASE_URL=sqlite:a.db?_txlock=deferred", "DATABASE_URL", "pragmas"},

		{"unknown queue", "REDIS_URL=amqp://r", "REDIS_URL", "rediss://"},
		{"queue without a host", "REDIS_URL=redis:///1", "REDIS_URL", "no host"},
		{"queue with a bad number", "REDIS_URL=redis://r/one", "REDIS_URL", "database number"},
		{"sentinel without a master", "REDIS_URL=redis-sentinel://:" + leak + "@a:1,b:2", "REDIS_URL", "?master="},

		{"key without secret", "AWS_ACCESS_KEY_ID=AKIA AWS_S3_BUCKET=abc", "AWS_SECRET_ACCESS_KEY", "set both"},
		{"secret without key", "AWS_SECRET_ACCESS_KEY=" + leak, "AWS_ACCESS_KEY_ID", "set both"},
		{"token without key", "AWS_SESSION_TOKEN=" + leak, "AWS_ACCESS_KEY_ID", "together"},
		{"bucket by URL", "AWS_S3_BUCKET=s3://abc", "AWS_S3_BUCKET", "name alone"},
		{"region by sentence", "AWS_S3_REGION=us_east_1", "AWS_S3_REGION", "us-east-1"},
		{"endpoint without bucket", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9", "AWS_S3_BUCKET", "keep pictures locally"},
		{"endpoint without scheme", "AWS_S3_BUCKET=abc AWS_ENDPOINT_URL_S3=minio:9000", "AWS_ENDPOINT_URL_S3", "https://"},
		{"CDN without bucket", "AWS_CLOUDFRONT_DOMAIN=d1.cloudfront.net", "AWS_S3_BUCKET", "AWS_CLOUDFRONT_DOMAIN"},
		{"CDN by URL", "AWS_S3_BUCKET=abc AWS_CLOUDFRONT_DOMAIN=https://d1.cloudfront.net", "AWS_CLOUDFRONT_DOMAIN", "domain alone"},
		{"a distribution's ARN for its id", "AWS_S3_BUCKET=abc AWS_CLOUDFRONT_DOMAIN=d1.cloudfront.net AWS_CLOUDFRONT_DISTRIBUTION_ID=arn:aws:cloudfront::1:distribution/E1", "AWS_CLOUDFRONT_DISTRIBUTION_ID", "id alone"},
		{"a distribution without its domain", "AWS_S3_BUCKET=abc AWS_CLOUDFRONT_DISTRIBUTION_ID=E2EXAMPLE1ABCD", "AWS_CLOUDFRONT_DOMAIN", "AWS_CLOUDFRONT_DISTRIBUTION_ID"},
		{"a trusted host without a port", "TRUSTED_PICTURE_HOSTS=files.internal", "TRUSTED_PICTURE_HOSTS", "files.internal:80"},
		{"two public addresses", "AWS_S3_BUCKET=abc AWS_CLOUDFRONT_DOMAIN=d1.cloudfront.net PUBLIC_BASE_URL=https://cdn", "PUBLIC_BASE_URL", "unset one"},
		{"public address by path", "PUBLIC_BASE_URL=/images", "PUBLIC_BASE_URL", "scheme://host"},
		{"public address with a query", "PUBLIC_BASE_URL=https://cdn/?v=1", "PUBLIC_BASE_URL", "query"},

		{"too many uploads", "UPLOAD_CONCURRENCY=1000", "UPLOAD_CONCURRENCY", "1 to 256"},
		{"no uploads", "UPLOAD_CONCURRENCY=0", "UPLOAD_CONCURRENCY", "1 to 256"},
		{"a number in words", "GENERATE_CONCURRENCY=two", "GENERATE_CONCURRENCY", "whole number"},
		{"a negative number", "GENERATE_ATTEMPTS=-1", "GENERATE_ATTEMPTS", "1 to 20"},
		{"a duration without unit", "GENERATE_TIMEOUT=90", "GENERATE_TIMEOUT", "90s"},
		{"a duration in days", "UPLOAD_FOR=3d", "UPLOAD_FOR", "72h"},
		{"a negative duration", "SYNC_WAIT=-1s", "SYNC_WAIT", "0s to 10m"},
		{"renditions by name", "RENDITIONS=small", "RENDITIONS", "640,1280"},
		{"a rendition too wide", "RENDITIONS=640,9000", "RENDITIONS", "2048"},
		{"too many renditions", "RENDITIONS=100,200,300,400,500,600,700,800,900", "RENDITIONS", "at most 8"},

		{"unknown generator", "GENERATORS=card:,dalle://" + leak + "@x", "GENERATORS", "entry 2"},
		{"empty generator", "GENERATORS=card:,", "GENERATORS", "extra comma"},
		{"generator without a host", "GENERATORS=sdcpp+http://", "GENERATORS", "sdcpp+http://host:port"},
		{"unescaped generator", "GENERATORS=openai+https://:" + leak + "#@h", "GENERATORS", "percent-encode"},
		{"generator with an address that has none", "GENERATORS=card://" + leak, "GENERATORS", "card: alone"},
		{"address without the transport", "GENERATORS=sdcpp://gpu:1234", "GENERATORS", "entry 1"},
		{"setting that the built-in has not", "GENERATORS=card:?model=x", "GENERATORS", "?concurrency=, ?wait= and ?cost="},
		{"no pictures at once", "GENERATORS=sdcpp+http://gpu:1234?concurrency=0", "GENERATORS", "1 to 64"},
		{"pictures at once in words", "GENERATORS=card:,sdcpp+http://gpu:1234?concurrency=two", "GENERATORS", "entry 2"},
		{"a cost in words", "GENERATORS=openai+http://x:1?cost=cheap", "GENERATORS", "cost=0.04"},
		{"a negative cost", "GENERATORS=openai+http://x:1?cost=-1", "GENERATORS", "cost=0.04"},
		{"a cost that is no number", "GENERATORS=openai+http://x:1?cost=NaN", "GENERATORS", "cost=0.04"},
		{"a cap of nothing", "SPEND_CAP=0", "SPEND_CAP", "unset it"},
		{"a cap in euros", "SPEND_CAP=25€", "SPEND_CAP", "US dollars"},
		{"a wait without unit", "GENERATORS=sdcpp+http://gpu:1234?wait=90", "GENERATORS", "wait=10m"},
		{"no workflow", "GENERATORS=comfyui+http://gpu:8188", "GENERATORS", "Export (API)"},
		{"no model", "OPENAI_API_KEY=" + leak + " GENERATORS=openai+https://api.openai.com/v1", "GENERATORS", "model=gpt-image-1"},
		{"no key", "GENERATORS=openai+https://api.openai.com/v1?model=gpt-image-1", "OPENAI_API_KEY", "remove that entry"},
		{"stock photos without a key", "GENERATORS=pexels:", "PEXELS_API_KEY", "remove pexels:"},

		{"published secret", open + " JWT_SECRET_KEY=" + devJWTSecret, "JWT_SECRET_KEY", "openssl rand"},
		{"published secret by its other name", "PORT=80 JWT_SECRET=" + devJWTSecret, "JWT_SECRET", "anybody can sign"},
		{"short secret", open + " JWT_SECRET_KEY=" + leak, "JWT_SECRET_KEY", "32 characters"},
		{"editors without a way to know them", "EDITORS=7", "EDITORS", "JWT_SECRET_KEY"},
		{"operators without a way to know them", "OPERATORS=7", "OPERATORS", "JWT_SECRET_KEY"},
		{"everybody an editor", jwt + " EDITORS=*", "EDITORS", "list the ids"},
		{"any origin", "ALLOWED_ORIGINS=*", "ALLOWED_ORIGINS", "credentials"},
		{"an origin with a slash", "ALLOWED_ORIGINS=https://glad-labs.com/", "ALLOWED_ORIGINS", "slash at the end"},
		{"an origin without scheme", "ALLOWED_ORIGINS=glad-labs.com", "ALLOWED_ORIGINS", "https://host"},

		{"backend without scheme", "SITE_BACKEND_URL=backend:8000", "SITE_BACKEND_URL", "https://"},
		{"backend is ourselves", "SITE_BACKEND_URL=http://localhost:8000", "SITE_BACKEND_URL", "come back to us"},
		{"revalidation secret alone", "REVALIDATE_SECRET=" + leak, "REVALIDATE_URL", "set both"},
		{"unknown level", "LOG_LEVEL=loud", "LOG_LEVEL", "DEBUG"},
		{"unknown format", "LOG_FORMAT=xml", "LOG_FORMAT", "json"},

		{"generating outlasts its task", "GENERATE_TIMEOUT=6h GENERATORS=card:,card:,card:,card:", "GENERATE_TIMEOUT", "fewer generators"},
		{"an upload outlasts its days", "UPLOAD_FOR=10m SPOOL_LOST_AFTER=1m", "UPLOAD_FOR", "more than 10m0s"},
		{"a spool outlasts its uploads", "UPLOAD_FOR=15m", "SPOOL_LOST_AFTER", "less than 15m0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(strings.Fields(tt.environ))
			checkRefusal(t, err, tt.want)
			if line := err.Error(); !strings.Contains(line, tt.says) || strings.Contains(line, leak) {
				t.Errorf("%q does not say %q, or says too much", line, tt.says)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range fields() {
		f.Add(s.name, s.fallback)
		f.Add(s.name, "postgres://u:hunter2@h:1/d?x=y")
		f.Add(s.name, "\x00\n%zz\xff")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		c, err := Load([]string{name + "=" + value})
		if err != nil {
			var refusal *Error
			if !errors.As(err, &refusal) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%s=%q: %q is not a refusal of one line", name, value, err)
			}
			return
		}
		if !c.set["LISTEN_ADDR"] && !c.Loopback() && !c.AuthConfigured() {
			t.Fatalf("%s=%q alone opens the API to everybody", name, value)
		}
		if got := len(c.Lines()); got != len(fields()) {
			t.Fatalf("%d lines", got)
		}
	})
}

func FuzzURLNeverLeaksItsPassword(f *testing.F) {
	f.Add("postgres", "u", "p4ssw0rd", "db:5432")
	f.Add("redis-sentinel", "", "p4ss:w/0rd#@", "a:1,b:2")
	f.Fuzz(func(t *testing.T, scheme, user, password, host string) {
		if len(password) < 6 || strings.Contains(scheme+user+host+"[set]", password) || strings.EqualFold(scheme, "sqlite") {
			t.Skip("the password is part of what may be shown")
		}
		u, err := ParseURL(scheme + "://" + user + ":" + password + "@" + host)
		if err != nil && strings.Contains(err.Error(), password) {
			t.Fatalf("the error leaks: %v", err)
		}
		if err == nil && strings.Contains(u.String(), password) {
			t.Fatalf("%q leaks", u)
		}
	})
}
