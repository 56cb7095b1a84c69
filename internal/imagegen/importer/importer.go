// Package importer is the generator that makes nothing: it copies a picture
// from a URL that came from outside. Hosts are checked when they are dialled,
// redirects included, so that neither a name nor an answer leads it to a
// private address.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// maxBytes is the most that is read of an answer, the limit of package picture.
const maxBytes = 30 << 20

// Importer implements [imagegen.Generator] for requests with a SourceURL.
type Importer struct {
	client *http.Client
}

// New returns an importer that dials public addresses on the web ports only,
// and the hosts in trusted, each a host:port that the operator has named,
// wherever they are.
func New(trusted ...string) *Importer { return NewWithControl(ssrf.New().Safe, trusted...) }

// NewWithControl returns an importer whose connections are checked by control,
// for tests whose servers are on loopback.
func NewWithControl(control func(network, address string, c syscall.RawConn) error, trusted ...string) *Importer {
	const patience = 5 * time.Second
	guarded, open := &net.Dialer{Timeout: patience, Control: control}, &net.Dialer{Timeout: patience}
	return &Importer{client: &http.Client{
		Transport: &http.Transport{
			// The name as the URL has it: what it resolves to is the operator's own affair.
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if slices.ContainsFunc(trusted, func(t string) bool { return strings.EqualFold(t, address) }) {
					return open.DialContext(ctx, network, address)
				}
				return guarded.DialContext(ctx, network, address)
			},
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 15 * time.Second,
			DisableKeepAlives:     true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return errCircle
			}
			if err := checkURL(req.URL); err != nil {
				return &badURLError{err}
			}
			return nil
		},
	}}
}

// Name is "import".
func (*Importer) Name() string { return "import" }

// Health is always nil: whether a stranger's server answers is not ours to say.
func (*Importer) Health(context.Context) error { return nil }

// Generate fetches the picture.
func (i *Importer) Generate(ctx context.Context, req imagegen.Request) (imagegen.Result, error) {
	res, u, err := i.open(ctx, req.SourceURL)
	if err != nil {
		return imagegen.Result{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBytes+1))
	if err != nil {
		return imagegen.Result{}, fetchError(ctx, u.Host, err)
	}
	if len(body) > maxBytes {
		return imagegen.Result{}, imagegen.Terminalf("too_large", "%s answers with more than %d MB", u.Host, maxBytes>>20)
	}
	credit := req.Credit
	if credit == nil {
		credit = &editorial.Credit{PageURL: u.Redacted(), Provider: u.Hostname()}
	}
	return imagegen.Result{Bytes: body, Seed: req.Seed, Params: map[string]any{"source_url": u.Redacted()}, Credit: credit}, nil
}

// Probe returns nil when the picture could be fetched now. It reads no more than
// the answer's head.
func (i *Importer) Probe(ctx context.Context, source string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	res, u, err := i.open(ctx, source)
	if err != nil {
		return errors.New(imagegen.AsError(err).Message)
	}
	defer res.Body.Close()
	if kind := res.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") {
		return fmt.Errorf("%s answers with %.40s instead of a picture", u.Host, kind)
	}
	return nil
}

// open asks for the picture; the body of a nil error is the caller's to close.
func (i *Importer) open(ctx context.Context, source string) (*http.Response, *url.URL, error) {
	u, err := url.Parse(source)
	if err == nil {
		err = checkURL(u)
	}
	if err != nil {
		return nil, nil, imagegen.Terminalf("bad_url", "the picture's URL cannot be fetched: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, imagegen.Terminalf("bad_url", "the picture's URL cannot be fetched")
	}
	req.Header.Set("Accept", "image/png, image/jpeg, image/webp")
	res, err := i.client.Do(req)
	if err != nil {
		return nil, nil, fetchError(ctx, u.Host, err)
	}
	if err := statusError(u.Host, res.StatusCode); err != nil {
		_ = res.Body.Close() // nothing of it is wanted
		return nil, nil, err
	}
	return res, u, nil
}

// errCircle is a picture that is always somewhere else.
var errCircle = errors.New("more than 5 redirects")

// badURLError is a redirect to what is no address on the web.
type badURLError struct{ error }

func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the scheme is %q, not http or https", u.Scheme)
	}
	if u.Hostname() == "" {
		return errors.New("it names no host")
	}
	return nil
}

func fetchError(ctx context.Context, host string, err error) error {
	var netErr net.Error
	var bad *badURLError
	switch {
	case ctx.Err() != nil:
		return imagegen.AsError(ctx.Err())
	case errors.Is(err, errCircle):
		return imagegen.Terminalf("redirected", "%s leads from one address to the next, more than 5 times", host)
	case errors.As(err, &bad):
		return imagegen.Terminalf("bad_url", "%s leads to an address that cannot be fetched: %v", host, bad)
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork), errors.Is(err, ssrf.ErrProhibitedPort):
		return imagegen.Terminalf("private_address", "%s is not a public address and is not fetched", host)
	case errors.As(err, &netErr) && netErr.Timeout():
		return imagegen.Transientf("timeout", "%s did not answer in time", host)
	default:
		return imagegen.Transientf("unreachable", "%s could not be reached", host)
	}
}

func statusError(host string, status int) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return imagegen.Transientf("unavailable", "%s answers %d", host, status)
	default:
		return imagegen.Terminalf("not_there", "%s answers %d for this picture", host, status)
	}
}
