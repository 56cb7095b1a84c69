package ratelimit

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/auth"
	"github.com/glad-labs/frontispiece/internal/edge"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Config is what [New] needs.
type Config struct {
	Redis    redis.UniversalClient // nil: this process alone
	Requests int                   // a minute, of one caller; of one address whose callers are unknown. 0: no limit
	Failures int                   // a minute: wrong credentials from one address. 0: no limit
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Pace is an [auth.Pace]. It is safe for concurrent use.
type Pace struct {
	now       func() time.Time
	callers   *limiter
	addresses *limiter
	failures  *limiter
}

// keyPrefix begins every key in Redis.
const keyPrefix = "frontispiece:rate:"

// New returns a Pace.
func New(c Config) *Pace {
	if c.Now == nil {
		c.Now = time.Now
	}
	shared := func(name string) counter {
		if c.Redis == nil {
			return nil
		}
		return &redisCounter{client: c.Redis, prefix: keyPrefix + name + ":", log: c.Log, now: c.Now}
	}
	p := &Pace{
		now: c.Now, callers: newLimiter(c.Requests, shared("caller")), addresses: newLimiter(c.Requests, shared("address")),
		failures: newLimiter(c.Failures, shared("failure")),
	}
	// Rare and worth being exact about: a process learns with its own first
	// failure what the others have counted.
	p.failures.batch = 1
	return p
}

// Try implements [auth.Pace].
func (p *Pace) Try(r *http.Request) error {
	now := p.now()
	if !p.failures.spent(addressOf(r), now) {
		return nil
	}
	return refusal("too_many_failures", p.failures.max, now,
		"this address has sent wrong credentials %d times within a minute (RATE_LIMIT_FAILURES); try again in %d s")
}

// Failed implements [auth.Pace].
func (p *Pace) Failed(r *http.Request) {
	// The answer is on its way: a caller who hangs up is counted all the same.
	p.failures.take(context.WithoutCancel(r.Context()), addressOf(r), p.now())
}

// Admit implements [auth.Pace].
func (p *Pace) Admit(r *http.Request, caller *auth.Identity) error {
	l, name, key := p.addresses, "address", ""
	if caller != nil {
		l, name, key = p.callers, "caller", caller.Subject
	} else {
		key = addressOf(r)
	}
	if l.max == 0 {
		return nil
	}
	now := p.now()
	left, ok := l.take(r.Context(), key, now)
	if h := auth.AnswerHeader(r); h != nil {
		// draft-ietf-httpapi-ratelimit-headers-10
		h.Set("RateLimit-Policy", `"`+name+`";q=`+strconv.Itoa(l.max)+`;w=`+strconv.Itoa(int(window.Seconds())))
		h.Set("RateLimit", `"`+name+`";r=`+strconv.Itoa(left)+`;t=`+strconv.Itoa(untilReset(now)))
	}
	if ok {
		return nil
	}
	message := "too many requests: one caller has %d a minute (RATE_LIMIT); go on in %d s"
	if caller == nil {
		message = "too many requests: one address has %d a minute without credentials (RATE_LIMIT); go on in %d s"
	}
	return refusal("rate_limited", l.max, now, message)
}

func refusal(code string, limit int, now time.Time, format string) error {
	seconds := untilReset(now)
	return &editorial.Error{
		Kind: editorial.Limited, Code: code, Message: fmt.Sprintf(format, limit, seconds),
		Details: map[string]any{"limit": limit, "retry_after": seconds},
	}
}

// addressOf is the address that is counted: of IPv6 the network, since who has
// one address of it has all of them.
func addressOf(r *http.Request) string {
	addr := edge.ClientAddr(r)
	if addr.Is6() && !addr.Is4In6() {
		return netip.PrefixFrom(addr.WithZone(""), 64).Masked().String()
	}
	return addr.String()
}
