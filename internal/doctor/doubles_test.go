package doctor_test

import (
	"context"
	"sync"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/cdn"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/store"
)

// bucket takes everything, unless it has a reason not to.
type bucket struct {
	check, put error
	deny       bool // refuse to delete, as least privilege has it

	mu   sync.Mutex
	puts []blob.Object
	gone []blob.Key
}

func (b *bucket) Name() string                { return "s3" }
func (b *bucket) Check(context.Context) error { return b.check }

func (b *bucket) Put(_ context.Context, o blob.Object) error {
	if err := o.Validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts = append(b.puts, o)
	return b.put
}

func (b *bucket) Delete(_ context.Context, key blob.Key) error {
	if b.deny {
		return blob.Configf(blob.CodeAccessDenied, nil, "the credentials may not delete here")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = append(b.gone, key)
	return nil
}

// delivery is a bucket without a CDN that nobody may read.
type delivery struct{}

func (delivery) URL(key string) string {
	return "https://pictures.s3.eu-central-1.amazonaws.com/" + key
}

func (delivery) Verify(context.Context, string, string, int64) error {
	return &cdn.Error{Code: cdn.CodePrivateBucket, Config: true, Message: "the bucket is private and no CDN is configured"}
}

type redis struct {
	info       string
	err, quiet error
	paused     []string
}

func (r redis) Paused(context.Context) ([]string, error) { return r.paused, nil }

func (r redis) Check(context.Context) error          { return r.err }
func (r redis) Info(context.Context) (string, error) { return r.info, r.quiet }

type spool struct {
	used, quota int64
	full        bool
}

func (s spool) ID() string          { return "00112233445566778899aabbccddeeff" }
func (s spool) Usage() (int64, int) { return s.used, 12 }
func (s spool) Quota() int64        { return s.quota }
func (s spool) Full() bool          { return s.full }
func (s spool) Close() error        { return nil }

type generator struct {
	name string
	err  error
}

func (g generator) Name() string                 { return g.name }
func (g generator) Health(context.Context) error { return g.err }
func (g generator) Generate(context.Context, imagegen.Request) (imagegen.Result, error) {
	return imagegen.Result{}, imagegen.Terminalf("unexpected", "the doctor makes no pictures")
}

// database answers, and is as its members say.
type database struct {
	steps                           []store.Migration
	server, write, schema, detected error
	unlimited                       []string
	keys                            []store.APIKey
	keysErr                         error
	closed                          *bool
}

func (d database) Server(context.Context) (string, error)           { return "PostgreSQL 17.5", d.server }
func (d database) Unlimited(context.Context) ([]string, error)      { return d.unlimited, nil }
func (d database) TryWrite(context.Context) error                   { return d.write }
func (d database) Steps(context.Context) ([]store.Migration, error) { return d.steps, nil }
func (d database) CheckSchema(context.Context) error                { return d.schema }
func (d database) Detect(context.Context) error                     { return d.detected }
func (d database) APIKeys(context.Context) ([]store.APIKey, error)  { return d.keys, d.keysErr }
func (d database) Close() error {
	if d.closed != nil {
		*d.closed = true
	}
	return nil
}

func asGenerators(list []generator) []imagegen.Generator {
	out := make([]imagegen.Generator, len(list))
	for i, g := range list {
		out[i] = g
	}
	return out
}

// base serves everything below it.
type base string

func (b base) URL(key string) string                             { return string(b) + key }
func (base) Verify(context.Context, string, string, int64) error { return nil }
