// Package config reads the whole configuration of Frontispiece from the
// environment: one struct, one pass, one page of documentation generated from
// it (docs/configuration.md).
//
// No variable at all is a complete configuration: the embedded mode. Each
// variable that is set switches one part to the real thing. A contradiction is
// refused at start-up with one line that names the variable, what is wrong and
// the fix. The package deliberately opens nothing: whether a server answers is
// for the doctor to find out.
//
// The trap: an error or a dump of a configuration is the easiest place to leak
// a password. Whatever may hold one is a [Secret] or a [URL], both of which
// print redacted whatever the verb, and give their value only to Reveal.
package config

import (
	"log/slog"
	"path/filepath"
	"slices"
	"time"
)

// Config is the effective configuration: what [Load] returns has every default
// filled in, also those that depend on other variables. Fields are named after
// their variables, and the help tag is their documentation. A Config is a value
// and never changes after Load.
type Config struct {
	_          struct{} `section:"Listening"`
	ListenAddr string   `env:"LISTEN_ADDR" shown:"127.0.0.1:8000" help:"host:port on which the API listens. Outside loopback it starts only with JWT_SECRET_KEY set or an API key made."`
	Port       string   `env:"PORT" help:"The port alone, as hosting platforms set it: on all addresses once JWT_SECRET_KEY is set or an API key made, else on loopback. Ignored when LISTEN_ADDR is set."`

	_              struct{} `section:"Data"`
	DataDir        string   `env:"DATA_DIR" envDefault:"./data" help:"Folder for everything that is kept locally: the SQLite database, images/ and spool/."`
	SpoolDir       string   `env:"SPOOL_DIR" shown:"DATA_DIR/spool" help:"Folder where finished pictures wait for their upload. A folder shared by several workers lets each of them finish the others' uploads."`
	SpoolQuota     Bytes    `env:"SPOOL_QUOTA" envDefault:"10GiB" min:"64MiB" help:"Size of the spool at which generating pauses until uploads have made room."`
	SpoolLostAfter Duration `env:"SPOOL_LOST_AFTER" envDefault:"15m" min:"1m" max:"168h" help:"How long no worker may have been seen on a spool before its pictures are made again elsewhere. Shorter than UPLOAD_FOR."`
	DatabaseURL    URL      `env:"DATABASE_URL" shown:"sqlite:DATA_DIR/frontispiece.db" help:"postgres://user:password@host:5432/name or sqlite:path."`
	RedisURL       URL      `env:"REDIS_URL" help:"redis://, rediss:// (TLS) or redis-sentinel://host1:26379,host2:26379?master=name. Unset: an in-process queue, and the API works on the jobs itself."`

	_                   struct{} `section:"Storage"`
	S3Bucket            string   `env:"AWS_S3_BUCKET" help:"Bucket for the pictures. Unset: DATA_DIR/images, served by the API. The AWS SDK's own variables (AWS_PROFILE, role variables) work as well."`
	S3Region            string   `env:"AWS_S3_REGION" envDefault:"us-east-1" help:"Region of the bucket."`
	AWSAccessKeyID      string   `env:"AWS_ACCESS_KEY_ID" help:"Access key. Unset: the AWS SDK's own chain of profiles and roles."`
	AWSSecretAccessKey  Secret   `env:"AWS_SECRET_ACCESS_KEY" help:"Secret of AWS_ACCESS_KEY_ID."`
	AWSSessionToken     Secret   `env:"AWS_SESSION_TOKEN" help:"Session token of temporary keys."`
	S3Endpoint          URL      `env:"AWS_ENDPOINT_URL_S3" help:"Endpoint of another S3 server (R2, SeaweedFS, Garage, versitygw); addressed path-style."`
	CloudFrontDomain    string   `env:"AWS_CLOUDFRONT_DOMAIN" help:"Domain of the CloudFront distribution before the bucket, without https://."`
	CloudFrontID        string   `env:"AWS_CLOUDFRONT_DISTRIBUTION_ID" help:"Id of that distribution. With it frontispiece takedown has CloudFront forget the picture, which takes cloudfront:CreateInvalidation."`
	PublicBaseURL       URL      `env:"PUBLIC_BASE_URL" help:"Base of public picture URLs: any other CDN before the bucket or, without a bucket, the public address of this API. http is allowed."`
	UploadConcurrency   int      `env:"UPLOAD_CONCURRENCY" envDefault:"16" min:"1" max:"256" help:"Uploads at once in each worker."`
	UploadTimeout       Duration `env:"UPLOAD_TIMEOUT" envDefault:"1m" min:"1s" max:"30m" help:"For one object, once to put it and once to fetch it back."`
	UploadFor           Duration `env:"UPLOAD_FOR" envDefault:"72h" min:"1m" max:"720h" help:"How long an upload is retried before it is given up. The bytes stay in the spool for an operator's retry."`
	Renditions          Widths   `env:"RENDITIONS" envDefault:"640,1280,1920" help:"Widths in pixels of the smaller WebP copies, or off."`
	_                   struct{} `section:"Generating"`
	Generators          []URL    `env:"GENERATORS" shown:"pexels:,card: with PEXELS_API_KEY, else card:" help:"What makes pictures, in the order of asking, separated by commas: sdcpp+http://host:1234, sdwebui+http://user:password@host:7860, comfyui+http://host:8188?workflow=file.json, sdxl+http://host:9836, openai+https://api.openai.com/v1?model=gpt-image-1, pexels:, card:. Each takes ?concurrency= (pictures at once in one worker; 1 for those on a graphics card) and ?wait= (how long one that cannot be reached is waited for before the next is asked; unset: for ever) and ?cost= (US dollars for one picture, for SPEND_CAP and frontispiece usage). docs/generators.md has a paragraph on each."`
	PexelsAPIKey        Secret   `env:"PEXELS_API_KEY" help:"Key for stock photos from Pexels."`
	OpenAIAPIKey        Secret   `env:"OPENAI_API_KEY" help:"Key for openai+https:// generators whose URL carries none."`
	TrustedHosts        []string `env:"TRUSTED_PICTURE_HOSTS" help:"host:port, separated by commas, from which pictures are copied although their address is private: the site's own file server. Any other private address is refused."`
	GenerateTimeout     Duration `env:"GENERATE_TIMEOUT" envDefault:"5m" min:"1s" max:"6h" help:"For one picture by one generator."`
	GenerateConcurrency int      `env:"GENERATE_CONCURRENCY" shown:"what GENERATORS take together, at most 16" min:"1" max:"64" help:"Pictures at once in each worker, whichever generator makes them. Each generator has a limit of its own besides."`
	GenerateAttempts    int      `env:"GENERATE_ATTEMPTS" envDefault:"4" min:"1" max:"20" help:"Attempts with one generator before the next is asked. Waiting for one that refuses connections is not an attempt."`
	SpendCap            Dollars  `env:"SPEND_CAP" help:"US dollars that generated pictures may cost in a calendar month (UTC). A generator whose next picture would pass it is not asked; the next in line is. Costs are what generators report, or ?cost=0.04 in their entry of GENERATORS. Unset: no cap."`

	_              struct{} `section:"Authentication"`
	JWTSecretKey   Secret   `env:"JWT_SECRET_KEY" help:"The site's secret for its HS256 access tokens, at least 32 characters outside loopback. Unset, and with no API key ever made: everyone on this machine is an operator, and nobody else gets in."`
	JWTSecret      Secret   `env:"JWT_SECRET" help:"The site's other name for JWT_SECRET_KEY, used when that is unset."`
	Editors        []string `env:"EDITORS" help:"User ids, separated by commas, that may approve and reject. Every other user of the site is an author."`
	Operators      []string `env:"OPERATORS" help:"User ids, separated by commas, that may also retry, take down and use the queue dashboard."`
	AllowedOrigins []string `env:"ALLOWED_ORIGINS" shown:"localhost and 127.0.0.1, ports 3000 to 3004" help:"Origins, separated by commas, whose pages may call the API from a browser."`

	_                 struct{} `section:"Limits"`
	RateLimit         int      `env:"RATE_LIMIT" envDefault:"3000" min:"0" max:"1000000" help:"Requests a minute of one caller, and of one address whose callers do not say who they are. 0: no limit. On loopback without authentication there is none."`
	RateLimitFailures int      `env:"RATE_LIMIT_FAILURES" envDefault:"30" min:"0" max:"1000000" help:"Wrong credentials a minute from one address, after which it may try no others until the minute is over. 0: no limit."`
	TrustedProxies    Networks `env:"TRUSTED_PROXIES" envDefault:"private" help:"Proxies whose X-Forwarded-For tells a client's address, for limits and the log: private (this machine and private networks), networks separated by commas, or none."`
	MaxJobs           int      `env:"MAX_JOBS" envDefault:"10000" min:"0" max:"10000000" help:"Unfinished jobs in all; more are refused with 429 until some have ended. 0: no limit."`
	MaxJobsPerCaller  int      `env:"MAX_JOBS_PER_CALLER" envDefault:"1000" min:"0" max:"10000000" help:"Unfinished jobs of one caller; likewise."`

	_                struct{} `section:"The site"`
	SiteBackendURL   URL      `env:"SITE_BACKEND_URL" help:"The site's present backend: paths that we do not serve pass through to it."`
	RevalidateURL    URL      `env:"REVALIDATE_URL" help:"Called after each publication so that the site drops its cached page."`
	RevalidateSecret Secret   `env:"REVALIDATE_SECRET" help:"Sent to REVALIDATE_URL as x-revalidate-secret."`
	WebhookNetworks  Networks `env:"WEBHOOK_PRIVATE_NETWORKS" help:"Private networks in which webhooks may be called, and that over http://, such as 10.0.0.0/8 or 127.0.0.1. Unset: public addresses only."`

	_             struct{}   `section:"Running"`
	WorkerQueues  []string   `env:"WORKER_QUEUES" envDefault:"generate,upload,notify" help:"What this worker works on: generate (backfills too), upload, notify. One without upload makes no picture until another worker takes the uploads of the same SPOOL_DIR."`
	SyncWait      Duration   `env:"SYNC_WAIT" envDefault:"120s" min:"0s" max:"10m" help:"How long the site's generate call waits for its picture before it answers with the job's id."`
	ShutdownGrace Duration   `env:"SHUTDOWN_GRACE" envDefault:"25s" min:"1s" max:"1h" help:"How long SIGTERM lets running work finish. Keep it under the platform's own limit, 30 s on most."`
	LogLevel      slog.Level `env:"LOG_LEVEL" envDefault:"INFO" help:"DEBUG, INFO, WARN or ERROR."`
	LogFormat     string     `env:"LOG_FORMAT" envDefault:"text" oneof:"text json" help:"text or json."`

	_            struct{} `section:"Being watched"`
	MetricsAddr  string   `env:"METRICS_ADDR" help:"host:port on which this process answers /metrics, /healthz and /readyz besides its own port; a worker has no other. Unset: the API answers /metrics on its own port to operators, a worker nowhere. Outside loopback it starts only with METRICS_TOKEN."`
	MetricsToken Secret   `env:"METRICS_TOKEN" help:"Bearer token with which /metrics may be read, at least 16 characters. Unset: operators read it, and on a loopback METRICS_ADDR everybody on this machine."`
	OTLPEndpoint URL      `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"OpenTelemetry collector that traces are sent to over HTTP, such as http://127.0.0.1:4318. Unset: no traces. Headers, sampling and the service's name are set by OpenTelemetry's other variables (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME)."`

	set map[string]bool // the variables that the environment named
}

// The members of WORKER_QUEUES.
const (
	QueueGenerate = "generate"
	QueueUpload   = "upload"
	QueueNotify   = "notify"
)

// WorksOn reports whether a worker takes tasks of a class, one of the Queue…
// constants.
func (c Config) WorksOn(class string) bool { return slices.Contains(c.WorkerQueues, class) }

// Duration is time.Duration; the alias keeps the table above narrow.
type Duration = time.Duration

// The parts of a task that no variable sets.
const (
	// TurnWait is the longest that a picture holds a place of its worker while
	// its generator is busy with others.
	TurnWait   = 30 * time.Second
	judgeTime  = time.Minute     // checking and spooling a generated picture
	finishTime = 2 * time.Minute // stripping, provenance and renditions, once
	// maxTask bounds a task: a row that a hung worker holds for longer than a
	// day is not noticed by anybody.
	maxTask = 24 * time.Hour
)

// Embedded reports whether the queue lives in this process, so that the API has
// to work on the jobs itself.
func (c Config) Embedded() bool { return c.RedisURL.IsZero() }

// UsesS3 reports whether pictures go to a bucket; else they stay in ImageDir.
func (c Config) UsesS3() bool { return c.S3Bucket != "" }

// SQLite returns the database's file, and false when it is a PostgreSQL.
func (c Config) SQLite() (path string, ok bool) { return c.DatabaseURL.SQLitePath() }

// ImageDir is where pictures are stored without a bucket.
func (c Config) ImageDir() string { return filepath.Join(c.DataDir, "images") }

// PortAlone reports whether only the port was given, so that the address
// depends on whether there is any way to tell callers apart.
func (c Config) PortAlone() bool { return c.Port != "" && !c.set["LISTEN_ADDR"] }

// AuthConfigured reports whether the environment has a way to tell callers
// apart. API keys are another, which only the database knows of.
func (c Config) AuthConfigured() bool { return !c.JWTSecretKey.IsZero() }

// Loopback reports whether only this machine can reach the API.
func (c Config) Loopback() bool { return isLoopback(c.ListenAddr) }

// GenerateTaskTimeout bounds one task of generating: one pass down the whole
// chain, with a wait for each generator's turn, and what happens to the bytes
// afterwards.
func (c Config) GenerateTaskTimeout() time.Duration {
	return time.Duration(len(c.Generators))*(c.GenerateTimeout+TurnWait) + judgeTime
}

// UploadTaskTimeout bounds one task of uploading: finishing, then a put and a
// fetch back for the original and each rendition.
func (c Config) UploadTaskTimeout() time.Duration {
	objects := time.Duration(1 + len(c.Renditions))
	return finishTime + objects*2*c.UploadTimeout
}
