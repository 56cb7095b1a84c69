package wire

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

const (
	transient = editorial.Transient
	terminal  = editorial.Terminal
)

// maxRetryAfter bounds a server's wish, so that a wrong clock parks no picture.
const maxRetryAfter = time.Hour

// maxSaid is how much of a server's words a message repeats, in characters.
const maxSaid = 300

// StatusError is an answer of 300 and above. Backends that know more about one
// of their statuses find it with errors.As.
type StatusError struct {
	Status int
	Body   []byte // as it came: for decisions, never for a message
	Said   string // the server's explanation, fit for a message; may be empty
}

func (e *StatusError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("status %d: %s", e.Status, e.Said)
}

// Status is the HTTP status that made err, 0 when none did.
func Status(err error) int {
	var s *StatusError
	if errors.As(err, &s) {
		return s.Status
	}
	return 0
}

// transportError is why no whole answer came. ctx is the caller's: its end is
// no fault of the server's.
func (c *Client) transportError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return imagegen.AsError(ctx.Err())
	}
	var (
		op   *net.OpError
		cert *tls.CertificateVerificationError
		dns  *net.DNSError
		wait net.Error
	)
	switch {
	case errors.As(err, &cert):
		return &imagegen.Error{
			Class: terminal, Code: "certificate", Err: cert,
			Message: fmt.Sprintf("the certificate of %s is not to be trusted: %v", c.Host(), cert.Err),
		}
	case errors.As(err, &op) && op.Op == "dial", errors.As(err, &dns):
		// Nothing was asked: down, restarting, or not in the DNS while it does.
		return &imagegen.Error{
			Class: transient, Code: "unreachable", Unreachable: true, Err: err,
			Message: fmt.Sprintf("%s cannot be reached: %s; start it, or correct GENERATORS", c.Host(), dialProblem(err)),
		}
	case errors.As(err, &wait) && wait.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return imagegen.Transientf("timeout", "%s did not answer within the time allowed", c.Host())
	default:
		return imagegen.Transientf("connection_lost", "%s closed the connection before its answer was complete", c.Host())
	}
}

func dialProblem(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "its name is not known"
	}
	var wait net.Error
	if errors.As(err, &wait) && wait.Timeout() {
		return "nothing answers there"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return "no connection"
}

func (c *Client) statusError(res *http.Response, body []byte) error {
	s := &StatusError{Status: res.StatusCode, Body: body, Said: c.Clean(said(body))}
	e := &imagegen.Error{Err: s, RetryAfter: retryAfter(res.Header, time.Now())}
	e.Class, e.Code = classify(res.StatusCode)
	e.Message = fmt.Sprintf("%s answered %d %s", c.Host(), s.Status, http.StatusText(s.Status))
	switch {
	case e.Code == "redirected":
		e.Message += "; write the address that it leads to into GENERATORS"
	case s.Said != "":
		e.Message += ": " + s.Said
	case e.Code == "unauthorized":
		e.Message += "; check the user, password or key"
	}
	return e
}

// classify is the table of generators.md §10.4.
func classify(status int) (editorial.Class, string) {
	switch {
	case status == http.StatusTooManyRequests:
		return transient, "rate_limited"
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		return transient, "unavailable"
	case status < 400:
		return terminal, "redirected"
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return terminal, "unauthorized"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone:
		return terminal, "not_found"
	default:
		return terminal, "refused"
	}
}

// retryAfter reads seconds or a date, 0 when there is neither.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if !(s > 0) { // a NaN too
			return 0
		}
		return time.Duration(min(s, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// said finds the explanation in the shapes that generators answer errors in:
// {"error":{"message"}}, {"error":"text"}, {"error":"code","message":"text"},
// {"detail":"text"|[{"msg"}]|{...}}, {"errors":[...]}, or plain text.
func said(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		text := strings.TrimSpace(string(body))
		if strings.HasPrefix(text, "<") {
			return "" // a proxy's page
		}
		return text
	}
	return explanation(v, 0)
}

func explanation(v any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			return explanation(v[0], depth+1)
		}
	case map[string]any:
		for _, name := range []string{"message", "msg", "detail", "errors", "error", "reason", "title"} {
			if s := explanation(v[name], depth+1); s != "" {
				return s
			}
		}
	}
	return ""
}

// Clean is a server's words as a message may repeat them: one short line that
// holds none of the client's credentials.
func (c *Client) Clean(s string) string {
	for _, secret := range c.secrets {
		if strings.Contains(s, secret) {
			return "(its words repeat our credentials and are withheld)"
		}
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxSaid {
		s = string([]rune(s)[:maxSaid]) + "…"
	}
	return s
}
