package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/glad-labs/frontispiece/internal/blob"
)

// Config says which bucket and how long to wait for it. Whatever is empty is
// left to the SDK's own chain: environment, profiles, roles, and then Region is
// us-east-1.
type Config struct {
	Bucket   string // required
	Region   string
	Endpoint string // a URL; path-style addressing is used with one
	// AccessKeyID and SecretAccessKey belong together.
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string

	// HeaderTimeout bounds the wait for an answer once the bytes are sent; 0
	// means 10 s.
	HeaderTimeout time.Duration
	// AttemptTimeout bounds one try; 0 means 40 s, enough for 8 MiB at 2 Mbit/s.
	AttemptTimeout time.Duration
	// Timeout bounds a whole Put, Delete or Check with its tries and the waits
	// between them; 0 means 60 s. A task's own timeout must be longer.
	Timeout time.Duration
}

// What the SDK may do by itself: three tries with waits of up to one second
// each. Longer troubles are the queue's to sit out.
const (
	maxAttempts = 3
	maxBackoff  = time.Second
)

// idleConns keeps a connection for every upload that a worker has in flight.
const idleConns = 64

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&c.HeaderTimeout, 10*time.Second)
	def(&c.AttemptTimeout, 40*time.Second)
	def(&c.Timeout, 60*time.Second)
	return c
}

// Longest is the most that one call can take, for whoever nests it in a timeout.
func (c Config) Longest() time.Duration { return c.withDefaults().Timeout }

// lazyClient builds the SDK's client once and forgets a failure to do so.
type lazyClient struct {
	cfg Config
	// turn is a lock that a waiting caller can leave when its context ends:
	// asking a role's metadata server may take as long as it likes.
	turn   chan struct{}
	client *sdk.Client
}

func newLazyClient(cfg Config) *lazyClient {
	return &lazyClient{cfg: cfg, turn: make(chan struct{}, 1)}
}

func (l *lazyClient) get(ctx context.Context) (*sdk.Client, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l.client == nil {
		client, err := l.cfg.build(ctx)
		if err != nil {
			return nil, err
		}
		l.client = client
	}
	return l.client, nil
}

// forget makes the next get build a new client. It does not wait: while the
// turn is taken somebody is building one already.
func (l *lazyClient) forget() {
	select {
	case l.turn <- struct{}{}:
		l.client = nil
		<-l.turn
	default:
	}
}

// build loads the SDK's configuration and asks for credentials at once: without
// this a machine that has none reports a failed metadata request from deep
// within the first put.
func (c Config) build(ctx context.Context) (*sdk.Client, error) {
	if c.Bucket == "" {
		return nil, blob.Configf(blob.CodeNoSuchBucket, nil, "no bucket is named: set AWS_S3_BUCKET")
	}
	loaded, err := config.LoadDefaultConfig(ctx, c.loadOptions()...)
	if err != nil {
		return nil, buildError(ctx, err)
	}
	if loaded.Region == "" {
		loaded.Region = "us-east-1"
	}
	if _, err := loaded.Credentials.Retrieve(ctx); err != nil {
		return nil, buildError(ctx, err)
	}
	return sdk.NewFromConfig(loaded, func(o *sdk.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(strings.TrimRight(c.Endpoint, "/"))
		}
		// Not only for our own Endpoint: a profile may name one too.
		o.UsePathStyle = o.BaseEndpoint != nil
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}), nil
}

func (c Config) loadOptions() []func(*config.LoadOptions) error {
	opts := []func(*config.LoadOptions) error{
		config.WithHTTPClient(c.httpClient()),
		config.WithRetryer(newRetryer),
		// Its own log goes to stderr in a form of its own, and says nothing that
		// the errors do not.
		config.WithLogger(logging.Nop{}),
	}
	if c.Region != "" {
		opts = append(opts, config.WithRegion(c.Region))
	}
	if c.AccessKeyID != "" {
		opts = append(opts, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	return opts
}

func (c Config) httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithTimeout(c.AttemptTimeout).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = c.HeaderTimeout
			t.MaxIdleConnsPerHost = idleConns
			// Fewer and larger writes: a picture is megabytes, the default 4 KiB.
			t.WriteBufferSize = 64 << 10
		})
}

func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
		// A try that ran into its timeout has used up what this layer may spend.
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(neverTimeouts)}, o.Retryables...)
	})
}

func neverTimeouts(err error) aws.Ternary {
	if isTimeout(err) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
