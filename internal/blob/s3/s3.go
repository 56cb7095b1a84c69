// Package s3 is the bucket on Amazon S3 and on stores that speak its protocol:
// R2, versitygw, SeaweedFS, Garage, MinIO.
//
// It uses one call, PutObject, so that an uploader needs no right but
// s3:PutObject on generated/*; [Bucket.Delete], which only operators' commands
// use, needs s3:DeleteObject as well. It deliberately neither lists nor reads.
//
// The trap is the SDK: it waits for ever for an answer unless told otherwise, and
// it sends checksums in a form that many compatible stores refuse. Most of
// client.go is there for one of these.
package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/glad-labs/frontispiece/internal/blob"
)

// maxMetadata bounds a metadata value in bytes; S3 allows 2 KB for all of them.
const maxMetadata = 512

// Bucket is one S3 bucket. Its client is built when it is first needed and
// again after it could not be built or was refused, so that mended credentials
// and endpoints are picked up without a restart.
type Bucket struct {
	cfg    Config
	client *lazyClient
	// unconditional is set when the store does not know If-None-Match.
	unconditional atomic.Bool
}

var _ blob.Bucket = (*Bucket)(nil)

// New returns the bucket that cfg names. It does no I/O and reports nothing:
// a wrong configuration is found by [Bucket.Check] and by the first put.
func New(cfg Config) *Bucket {
	cfg = cfg.withDefaults()
	return &Bucket{cfg: cfg, client: newLazyClient(cfg)}
}

// Name is "s3".
func (b *Bucket) Name() string { return "s3" }

// Put stores o with one PutObject. A key that exists already is success, since
// without the right to read nobody here can tell our own earlier put from
// another's object: the comparison is the caller's fetch-back.
func (b *Bucket) Put(ctx context.Context, o blob.Object) error {
	if err := o.Validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	conditional := !b.unconditional.Load()
	err := b.put(ctx, o, conditional)
	if conditional && isNotImplemented(err) {
		// Remembered only once it helped: 501 may be about something else.
		if err = b.put(ctx, o, false); err == nil {
			b.unconditional.Store(true)
		}
	}
	if err == nil || isPreconditionFailed(err) {
		return nil
	}
	return b.refused(ctx, err)
}

// Delete removes the object; one that is not there is success.
func (b *Bucket) Delete(ctx context.Context, key blob.Key) error {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return blob.Terminalf(blob.CodeBadObject, err, "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	client, err := b.client.get(ctx)
	if err == nil {
		_, err = client.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: &b.cfg.Bucket, Key: aws.String(string(key))})
	}
	if err == nil || isNoSuchKey(err) {
		return nil
	}
	err = b.refused(ctx, err)
	if e := blob.AsError(err); e.Code == blob.CodeAccessDenied {
		return blob.Configf(e.Code, e, "bucket %s: the credentials may not delete: allow s3:DeleteObject on generated/*", b.cfg.Bucket)
	}
	return err
}

// Check puts [blob.Canary], always with the same bytes.
func (b *Bucket) Check(ctx context.Context) error {
	const body = "Frontispiece puts this file to see whether uploads work.\n"
	sum := sha256.Sum256([]byte(body))
	return b.Put(ctx, blob.Object{
		Key: blob.Canary, Body: strings.NewReader(body), Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]),
	})
}

func (b *Bucket) put(ctx context.Context, o blob.Object, conditional bool) error {
	client, err := b.client.get(ctx)
	if err != nil {
		return err
	}
	// The SDK takes wherever the body stands for its start.
	if _, err := o.Body.Seek(0, io.SeekStart); err != nil {
		return blob.Transientf(blob.CodeUnexpected, err, "rewind the picture's bytes: %v", err)
	}
	in, err := b.input(o)
	if err != nil {
		return err
	}
	if conditional {
		in.IfNoneMatch = aws.String("*")
	}
	_, err = client.PutObject(ctx, in, signedWith(o.SHA256))
	return err
}

func (b *Bucket) input(o blob.Object) (*sdk.PutObjectInput, error) {
	sum, err := hex.DecodeString(o.SHA256)
	if err != nil {
		return nil, blob.Terminalf(blob.CodeBadObject, err, "object %s: its SHA-256 is not hex", o.Key)
	}
	meta := make(map[string]string, 2)
	if o.TaskID != "" {
		meta["task-id"] = headerValue(o.TaskID)
	}
	if !o.GeneratedAt.IsZero() {
		meta["generated-date"] = o.GeneratedAt.UTC().Format(time.RFC3339)
	}
	return &sdk.PutObjectInput{
		Bucket:        &b.cfg.Bucket,
		Key:           aws.String(string(o.Key)),
		Body:          o.Body,
		ContentLength: &o.Size,
		ContentType:   aws.String(o.MediaType()),
		CacheControl:  aws.String(blob.CacheControl),
		// Our own checksum is one plain header. Left to itself the SDK sends a
		// CRC in an aws-chunked trailer, which many stores answer with 501.
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum)),
		Metadata:       meta,
	}, nil
}

// refused classifies err and lets the client go when an operator has to act, so
// that the next call sees what the operator changed.
func (b *Bucket) refused(ctx context.Context, err error) error {
	e := classify(ctx, err, b.cfg)
	if e.Config {
		b.client.forget()
	}
	return e
}

// signedWith hands the digest that we know to the signer, which would otherwise
// read and hash the whole picture a second time.
func signedWith(sha256Hex string) func(*sdk.Options) {
	return func(o *sdk.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("KnownPayloadHash",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
					middleware.InitializeOutput, middleware.Metadata, error,
				) {
					return next.HandleInitialize(v4.SetPayloadHash(ctx, sha256Hex), in)
				}), middleware.After)
		})
	}
}

// headerValue makes any draft id fit for a header. The ids are the site's, so
// one with a line break or in another script must not cost the upload.
func headerValue(s string) string {
	for _, c := range []byte(s) {
		if c < 0x21 || c > 0x7e {
			s = url.PathEscape(s)
			break
		}
	}
	return s[:min(len(s), maxMetadata)]
}

func isNotImplemented(err error) bool {
	status, code := answer(err)
	return status == 501 || code == "NotImplemented"
}

func isPreconditionFailed(err error) bool {
	status, _ := answer(err)
	return status == 412
}

func isNoSuchKey(err error) bool {
	var e interface{ ErrorCode() string }
	return errors.As(err, &e) && e.ErrorCode() == "NoSuchKey"
}
