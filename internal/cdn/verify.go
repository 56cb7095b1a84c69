package cdn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
)

// Verify fetches key back through its public URL and returns nil when it is
// wantBytes long and has the SHA-256 wantSHA256, lower-case hex. It reads the
// object once, keeps none of it, and stops at the first byte too many. Every
// other error is an [*Error].
func (d *Distribution) Verify(ctx context.Context, key, wantSHA256 string, wantBytes int64) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	got := &receipt{header: make(http.Header), sum: sha256.New(), limit: wantBytes}
	var err error
	if d.local != nil {
		err = d.askLocal(ctx, key, got)
	} else {
		err = d.askPublic(ctx, key, got)
	}
	if err != nil {
		return d.unanswered(ctx, err)
	}
	if got.status != http.StatusOK {
		return d.badStatus(got)
	}
	if sum := hex.EncodeToString(got.sum.Sum(nil)); got.bytes != wantBytes || sum != wantSHA256 {
		return d.mismatch(got, sum, wantSHA256, wantBytes)
	}
	return nil
}

func (d *Distribution) askPublic(ctx context.Context, key string, got *receipt) error {
	req, err := d.request(ctx, d.URL(key))
	if err != nil {
		return err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got.header = resp.Header
	got.WriteHeader(resp.StatusCode)
	if got.status != http.StatusOK {
		return nil
	}
	_, err = io.Copy(got, resp.Body)
	if errors.Is(err, errTooLong) {
		return nil // the count tells it
	}
	return err
}

func (d *Distribution) askLocal(ctx context.Context, key string, got *receipt) error {
	req, err := d.request(ctx, LocalPrefix+key)
	if err != nil {
		return err
	}
	d.local.ServeHTTP(got, req)
	got.WriteHeader(http.StatusOK) // what a handler means that says nothing
	return ctx.Err()
}

func (d *Distribution) request(ctx context.Context, url string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "frontispiece")
	return req, nil
}

// unanswered judges an error without a whole answer.
func (d *Distribution) unanswered(ctx context.Context, err error) *Error {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return canceled(ctx.Err())
	case errors.As(err, &timeout) && timeout.Timeout():
		return transientf(CodeTimeout, err, "the public URL did not answer within the time allowed (%s)", d.where())
	case errors.Is(err, io.ErrUnexpectedEOF):
		return transientf(CodeUnreachable, err, "the public URL broke off before the end of the picture (%s)", d.where())
	default:
		return transientf(CodeUnreachable, err, "the public URL cannot be reached (%s): %v", d.where(), innermost(err))
	}
}

func (d *Distribution) badStatus(got *receipt) *Error {
	switch s := got.status; {
	case s == http.StatusForbidden && d.direct:
		return configf(CodePrivateBucket, "the bucket is private and no CDN is configured: readers get 403 from %s. "+
			"Set AWS_CLOUDFRONT_DOMAIN or PUBLIC_BASE_URL, or allow everybody s3:GetObject on generated/*", d.base)
	case s == http.StatusNotFound && d.local != nil:
		return transientf(CodeNotFoundYet, nil, "the picture is not in the local directory: do the worker and the API share one DATA_DIR?")
	case s == http.StatusForbidden || s == http.StatusNotFound || s == http.StatusGone:
		return transientf(CodeNotFoundYet, nil, "the public URL answers %d (%s): the object is not there yet, or the CDN may not read the bucket",
			s, d.where())
	case s == http.StatusUnauthorized:
		return configf(CodeForbidden, "the public URL asks readers for a password (%s): pictures must be readable by everybody", d.where())
	case s >= 300 && s < 400:
		return configf(CodeRedirected, "the public URL sends readers to another host, %q (%s): configure that one",
			redact(locationHost(got.header)), d.where())
	default:
		return transientf(CodeUnavailable, nil, "the public URL answers %d %s (%s)", s, http.StatusText(s), d.where())
	}
}

// mismatch is transient: a cache may hold a broken copy for a while, and when a
// CDN changes pictures on their way an operator can stop it. The row does not
// say "stored" meanwhile, and the bytes wait in the spool.
func (d *Distribution) mismatch(got *receipt, sum, wantSHA256 string, wantBytes int64) *Error {
	size := fmt.Sprintf("%d bytes", got.bytes)
	if got.bytes > wantBytes {
		size = fmt.Sprintf("more than %d bytes", wantBytes)
	}
	hint := "another picture has this key, or a CDN changes pictures on their way: switch its image optimisation off"
	if enc := got.header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		hint = fmt.Sprintf("it was sent as %.20q although we asked for the plain bytes: switch compression of pictures off", enc)
	}
	return transientf(CodeDigestMismatch, nil,
		"the public URL serves other bytes (%s): %s of %.40q with the SHA-256 %.12s…, not %d with %.12s…; %s",
		d.where(), size, got.header.Get("Content-Type"), sum, wantBytes, wantSHA256, hint)
}

// where names the setting and the host for people.
func (d *Distribution) where() string { return d.variable + ", " + d.base }

func locationHost(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Host == "" {
		return "nowhere"
	}
	return u.Scheme + "://" + u.Host
}

// innermost drops the layers that repeat the URL.
func innermost(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

var errTooLong = errors.New("longer than it should be")

// receipt is what a reader got: enough to judge it, none of its bytes. As an
// http.ResponseWriter it takes a handler's answer without a network.
type receipt struct {
	header http.Header
	status int
	sum    hash.Hash
	bytes  int64
	limit  int64 // one byte more than this is enough to know
}

var _ http.ResponseWriter = (*receipt)(nil)

// Header implements [http.ResponseWriter].
func (r *receipt) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter]; the first final status counts.
func (r *receipt) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

// Write implements [http.ResponseWriter].
func (r *receipt) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.sum.Write(p) // never fails, see hash.Hash
	r.bytes += int64(len(p))
	if r.bytes > r.limit {
		return 0, errTooLong
	}
	return len(p), nil
}
