// Package webhook tells others over HTTP that something happened: the site's
// own front end, and endpoints that operators named, in the form of the
// Standard Webhooks specification. It decides nothing and retries nothing: what
// is told, when, and how often is in the rows.
//
// The trap: an endpoint's URL is a stranger's. [Sender] looks at the address at
// the moment of dialling, not at the name before.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// timeout bounds one call; it is shorter than a delivery's claim.
const timeout = 10 * time.Second

// Revalidator tells the site's front end which of its cached pages to make
// anew. The host is the operator's own and trusted.
type Revalidator struct {
	url    string
	secret string
	client *http.Client
}

// NewRevalidator posts to url; secret goes into the x-revalidate-secret header
// and may be empty.
func NewRevalidator(url, secret string) *Revalidator {
	return &Revalidator{url: url, secret: secret, client: &http.Client{
		Timeout: timeout,
		// A redirect would turn the POST into a GET that revalidates nothing
		// and answers 200.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// PathsOf are the pages that show a post: itself, and the lists.
func PathsOf(slug string) []string { return []string{"/", "/archive", "/posts/" + slug} }

// Revalidate tells the site about paths. Its error holds no secret.
func (r *Revalidator) Revalidate(ctx context.Context, paths []string) error {
	_, err := r.Tell(ctx, paths)
	return err
}

// Tell is Revalidate with the status of the answer, 0 when there was none.
func (r *Revalidator) Tell(ctx context.Context, paths []string) (status int, err error) {
	body, err := json.Marshal(map[string]any{"paths": paths})
	if err != nil {
		return 0, fmt.Errorf("revalidate: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("revalidate: REVALIDATE_URL is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	if r.secret != "" {
		req.Header.Set("X-Revalidate-Secret", r.secret)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("revalidate: %s did not answer", req.URL.Host)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return res.StatusCode, fmt.Errorf("revalidate: %s answers %d", req.URL.Host, res.StatusCode)
	}
	return res.StatusCode, nil
}
