// Package wire is the HTTP under the backends: one JSON call with its limits,
// and every way in which it can fail as an [imagegen.Error] of the right class.
//
// It deliberately knows no backend, never tries twice (the worker does) and
// follows no redirect: an operator's address that moved must be mended, not
// sent a key somewhere else. Hosts are those that the operator configured, so
// loopback and private addresses are allowed; a URL out of an answer belongs
// to package importer.
//
// The trap: what a server says may repeat the key that it was sent. Its words
// reach a message through [Client] only, which withholds those that do.
package wire

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// The most that is read of an answer, in bytes.
const (
	MaxPicture     = 30 << 20             // package picture's own limit
	MaxPictureJSON = MaxPicture/3*4 + 1e6 // the same in base64, with what stands around it
	MaxJSON        = 1 << 20              // answers without a picture
)

// Quick is the time allowed to a call that makes no picture.
const Quick = 20 * time.Second

const dialTimeout = 5 * time.Second

// Client asks one server. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	header  http.Header
	secrets []string
	http    *http.Client
}

// NewClient returns a client for the address e that sends header with every
// request. The values of header, and the password of e, never appear in an
// error; e's user is not sent by itself, since only the backend knows how.
func NewClient(e Endpoint, header http.Header) *Client {
	c := &Client{
		base:   e.Base,
		header: header.Clone(),
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
				TLSHandshakeTimeout: dialTimeout,
				MaxIdleConnsPerHost: 4,
				IdleConnTimeout:     30 * time.Second,
				ForceAttemptHTTP2:   true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if e.User != nil {
		if password, ok := e.User.Password(); ok {
			c.addSecret(password)
		}
	}
	for _, values := range header {
		for _, v := range values {
			c.addSecret(v)
			if _, key, ok := strings.Cut(v, " "); ok { // Bearer key, Basic key
				c.addSecret(key)
			}
		}
	}
	return c
}

func (c *Client) addSecret(s string) {
	if s != "" {
		c.secrets = append(c.secrets, s, url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte(s)))
	}
}

// Host is the server's host and port, as messages name it.
func (c *Client) Host() string { return c.base.Host }

// Call is one request.
type Call struct {
	Method string // empty: POST when In is set, else GET
	Path   string // below the endpoint's own; made of constants and [PathElement]
	Query  url.Values
	In     any // sent as JSON when not nil
	// Timeout is how long the whole answer may take; 0: as long as ctx allows.
	Timeout time.Duration
	// Max is the most that is read of the answer; 0 is MaxJSON.
	Max int64
}

// JSON makes a call and decodes the answer into out unless that is nil. Every
// error is an [*imagegen.Error]; one that a status made wraps a [*StatusError].
func (c *Client) JSON(ctx context.Context, call Call, out any) error {
	body, err := c.Bytes(ctx, call)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &imagegen.Error{
			Class: transient, Code: "bad_answer",
			Message: fmt.Sprintf("%s answered something else than was asked for: %s", c.Host(), c.Clean(jsonProblem(body, err))),
			Err:     err,
		}
	}
	return nil
}

// Bytes makes a call and returns the body of the answer, whose status is below
// 300. Its errors are those of [Client.JSON].
func (c *Client) Bytes(ctx context.Context, call Call) ([]byte, error) {
	callCtx := ctx
	if call.Timeout > 0 {
		var cancel context.CancelFunc
		callCtx, cancel = context.WithTimeout(ctx, call.Timeout)
		defer cancel()
	}
	req, err := c.request(callCtx, call)
	if err != nil {
		return nil, imagegen.Terminalf("bad_request", "the request to %s could not be written: %v", c.Host(), err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(ctx, err)
	}
	defer res.Body.Close()
	limit := call.Max
	if limit == 0 {
		limit = MaxJSON
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		limit = MaxJSON
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case res.StatusCode >= http.StatusMultipleChoices:
		return nil, c.statusError(res, body)
	case err != nil:
		return nil, c.transportError(ctx, err)
	case int64(len(body)) > limit:
		return nil, imagegen.Terminalf("too_large", "%s answered with more than %d MB", c.Host(), limit>>20)
	}
	return body, nil
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	u := c.base.JoinPath(call.Path)
	u.RawQuery = call.Query.Encode()
	var body io.Reader
	method := call.Method
	if method == "" {
		method = http.MethodGet
	}
	if call.In != nil {
		b, err := json.Marshal(call.In)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
		if call.Method == "" {
			method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, errors.New("its address cannot be read")
	}
	if c.header != nil {
		req.Header = c.header.Clone()
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// jsonProblem says what is wrong with a body that did not decode.
func jsonProblem(body []byte, err error) string {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "nothing at all"
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		return "a web page"
	default:
		return err.Error()
	}
}
