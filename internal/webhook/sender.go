package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Message is an event as the Standard Webhooks specification sends one. All
// deliveries and retries of an event bear its one id, by which a receiver knows
// it again.
type Message struct {
	ID   string
	Body []byte
}

// Final is a refusal that trying again would not change.
type Final struct {
	Code    string // for the delivery's failure
	Status  int    // 0 when there was no answer
	Message string
}

func (f *Final) Error() string { return f.Message }

// Later is a refusal whose receiver says when to come again.
type Later struct {
	After   time.Duration // positive, at most a day
	Message string
}

func (l *Later) Error() string { return l.Message }

// CodeGone is the code of an endpoint that wants no more events.
const CodeGone = "endpoint_gone"

// Sender calls endpoints that callers named. It dials public addresses only,
// whatever a name leads to at that moment, follows no redirect and reads no
// more of an answer than it must.
type Sender struct{ client *http.Client }

// NewSender returns a sender that may also dial the given networks.
func NewSender(private ...netip.Prefix) *Sender {
	return newSender(&net.Dialer{Timeout: 5 * time.Second}, private)
}

// newSender takes the dialer for tests that answer for the name server.
func newSender(dialer *net.Dialer, private []netip.Prefix) *Sender {
	options := []ssrf.Option{ssrf.WithAnyPort()}
	var v4, v6 []netip.Prefix
	for _, p := range private {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	options = append(options, ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	// Looked at after the name was resolved, for each address that is dialled:
	// a name that led elsewhere when it was checked is caught here.
	dialer.Control = ssrf.New(options...).Safe
	return &Sender{client: &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext, // and no Proxy: it would dial for us
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send signs a message with every secret, so that a receiver that has either of
// two believes it, and posts it. status is the answer's, 0 when there was none.
func (s *Sender) Send(ctx context.Context, address string, secrets []string, m Message) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(m.Body))
	if err != nil {
		return 0, &Final{Code: "bad_url", Message: "the webhook's URL is not one"}
	}
	now := time.Now()
	signatures, err := sign(secrets, m, now)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Frontispiece")
	req.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signatures)
	res, err := s.client.Do(req)
	if err != nil {
		return 0, dialError(req.URL.Host, err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again
	return res.StatusCode, answerError(req.URL.Host, res.StatusCode, retryAfter(res.Header.Get("Retry-After"), time.Now()))
}

func sign(secrets []string, m Message, at time.Time) (string, error) {
	var signatures []string
	for _, secret := range secrets {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return "", errors.New("the webhook's secret cannot be read; rotate it")
		}
		signature, err := w.Sign(m.ID, at, m.Body)
		if err != nil {
			return "", fmt.Errorf("sign: %w", err)
		}
		signatures = append(signatures, signature)
	}
	return strings.Join(signatures, " "), nil
}

// answerError is nil for a receiver that has the event. 410 is how one says
// that it wants no more. after is what it says of when to come again, 0 for
// nothing.
func answerError(host string, status int, after time.Duration) error {
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status == http.StatusGone:
		return &Final{Code: CodeGone, Status: status, Message: host + " answers 410: it wants no more events"}
	case status >= 300 && status <= 399:
		return fmt.Errorf("%s answers %d; redirects are not followed, change the webhook's URL", host, status)
	case after > 0:
		return &Later{After: after, Message: fmt.Sprintf("%s answers %d and asks to be left alone for %v", host, status, after)}
	default:
		return fmt.Errorf("%s answers %d", host, status)
	}
}

// maxRetryAfter bounds what a receiver may ask for: nothing is tried for longer.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After header, seconds or a date, in whole seconds. It
// is 0 for one that cannot be read or asks for nothing.
func retryAfter(value string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		after = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		after = maxRetryAfter
	} else if at, err := http.ParseTime(value); err == nil {
		after = at.Sub(now).Round(time.Second)
	}
	return min(max(after, 0), maxRetryAfter)
}

// dialError says what happened without what the error says of the way there:
// addresses inside our network are nobody's business.
func dialError(host string, err error) error {
	var timedOut interface{ Timeout() bool }
	var dns *net.DNSError
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return &Final{Code: "private_address", Message: host + " is not a public address; WEBHOOK_PRIVATE_NETWORKS lists those that may be called all the same"}
	case errors.As(err, &dns):
		return fmt.Errorf("there is no address for %s", host)
	case errors.As(err, &timedOut) && timedOut.Timeout():
		return fmt.Errorf("%s did not answer within %s", host, timeout)
	default:
		var wrapped *url.Error
		if errors.As(err, &wrapped) && strings.Contains(wrapped.Err.Error(), "certificate") {
			return fmt.Errorf("%s shows a certificate that cannot be trusted", host)
		}
		return fmt.Errorf("%s did not answer", host)
	}
}
