package queue

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The limits of one Redis call. Without ContextTimeoutEnabled a half-open
// connection holds a caller for seconds, whatever its context says.
const (
	dialTimeout = time.Second
	callTimeout = 2 * time.Second
	redisTries  = 1

	// sentinelDialTimeout covers asking who the master is. A sentinel that hangs
	// is asked twice, for callTimeout each; a dial that gives up before go-redis
	// has given the sentinel up begins with the same one the next time, for ever.
	sentinelDialTimeout = 3 * callTimeout
)

// go-redis has one logger for the whole process and writes to stderr. What it
// says there, our callers are told by the error.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// noMaintenance: managed clouds' hand-over notices, which plain servers refuse
// at every new connection.
var noMaintenance = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// connect returns a client for a URL and what to close after it.
func connect(rawURL string) (client redis.UniversalClient, closeAfter func(), err error) {
	if rawURL == "" {
		return embedded()
	}
	none := func() {}
	if rest, ok := strings.CutPrefix(rawURL, "redis-sentinel://"); ok {
		opt, err := sentinelOptions(rest)
		if err != nil {
			return nil, nil, err
		}
		opt.ContextTimeoutEnabled = true
		opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.MaxRetries = sentinelDialTimeout, callTimeout, callTimeout, redisTries
		opt.DialerRetries = redisTries
		client = redis.NewFailoverClient(opt)
	} else {
		opt, err := redis.ParseURL(rawURL)
		if err != nil {
			// go-redis quotes the URL, password included.
			return nil, nil, errors.New("not a Redis URL; expected redis://user:password@host:6379/0")
		}
		opt.ContextTimeoutEnabled = true
		opt.MaintNotificationsConfig = noMaintenance
		opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.MaxRetries = dialTimeout, callTimeout, callTimeout, redisTries
		opt.DialerRetries = redisTries
		client = redis.NewClient(opt)
	}
	client.AddHook(patience{})
	client.AddHook(newUnhurried())
	return client, none, nil
}

// embedded is a Redis inside the process, reached through a pipe: nothing
// listens. It forgets everything when the process ends, which the rows do not.
func embedded() (redis.UniversalClient, func(), error) {
	mini := miniredis.NewMiniRedis()
	// Keys with a TTL (asynq's lists of servers and workers) follow the clock;
	// without this they would live until told to go.
	mini.ClockTTL(true)
	client := redis.NewClient(&redis.Options{
		Addr: "embedded",
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			conn, err := mini.Dial()
			if err != nil {
				return nil, err
			}
			return elastic(conn), nil
		},
		ContextTimeoutEnabled: true,
		DisableIdentity:       true,
		// It would look the address up in the DNS.
		MaintNotificationsConfig: noMaintenance,
	})
	client.AddHook(idle{mini})
	return client, mini.Close, nil
}

// sentinelOptions reads user:password@host:26379,host:26379/0?master=name: the
// credentials are Redis' own, and the sentinels' password is the same unless
// sentinel_password says otherwise, empty for none.
func sentinelOptions(rest string) (*redis.FailoverOptions, error) {
	form := errors.New("not a Sentinel URL; expected redis-sentinel://user:password@host:26379,host:26379/0?master=name")
	opt := &redis.FailoverOptions{}
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		user, password, _ := strings.Cut(rest[:i], ":")
		rest = rest[i+1:]
		var err error
		if opt.Username, err = url.PathUnescape(user); err != nil {
			return nil, form
		}
		if opt.Password, err = url.PathUnescape(password); err != nil {
			return nil, form
		}
		opt.SentinelPassword = opt.Password
	}
	rest, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, form
	}
	if values.Has("sentinel_password") {
		opt.SentinelPassword = values.Get("sentinel_password")
	}
	hosts, db, _ := strings.Cut(rest, "/")
	if db != "" {
		if opt.DB, err = strconv.Atoi(db); err != nil || opt.DB < 0 {
			return nil, form
		}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			return nil, form
		}
		opt.SentinelAddrs = append(opt.SentinelAddrs, withSentinelPort(host))
	}
	if opt.MasterName = values.Get("master"); opt.MasterName == "" {
		return nil, form
	}
	return opt, nil
}

// withSentinelPort adds the usual port to a host that has none.
func withSentinelPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "26379")
}

// patience slows down whoever gets immediate errors from Redis: asynq asks
// again at once, tens of thousands of times a second when the server is full or
// refuses a command, or when go-redis answers with the last dial's time-out
// instead of dialling.
type patience struct{}

const patienceAfterError = 200 * time.Millisecond

func (patience) DialHook(next redis.DialHook) redis.DialHook { return next }

func (patience) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if isRefusal(err) || errors.Is(err, context.DeadlineExceeded) {
			timer := time.NewTimer(patienceAfterError)
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		return err
	}
}

func (patience) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// isRefusal recognises the answers that will not change by asking again at
// once. NOSCRIPT is part of the protocol and must stay fast.
func isRefusal(err error) bool {
	if err == nil {
		return false
	}
	for _, prefix := range []string{"NOPERM", "OOM", "MISCONF", "READONLY", "LOADING", "NOAUTH"} {
		if strings.Contains(err.Error(), prefix) {
			return true
		}
	}
	return false
}
