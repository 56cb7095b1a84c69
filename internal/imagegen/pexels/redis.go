package pexels

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
)

// The limits of a free key.
const (
	PerHour  = 200
	PerMonth = 20_000
)

// The codes of a spent budget.
const (
	codeHour  = "hourly_budget_spent"
	codeMonth = "monthly_budget_spent"
)

// The braces keep the keys of one script in one slot of a cluster.
const keyPrefix = "frontispiece:{pexels}:"

// Months counts a month's requests where nothing is forgotten.
type Months interface {
	// TakeRequest counts one and returns false when limit are spent.
	TakeRequest(ctx context.Context, generator string, limit int64) (bool, error)
	RequestsTaken(ctx context.Context, generator string) (int64, error)
}

// RedisBudget counts the hour in Redis, for all processes together, and the
// month in the database: a Redis that is flushed forgets an hour at most, and
// Pexels then answers 429, which [RedisBudget.Spent] takes down.
type RedisBudget struct {
	redis  redis.UniversalClient
	months Months
}

// NewRedisBudget returns the budget of a free key: PerHour and PerMonth, by
// the clock's hours and the calendar's months in UTC.
func NewRedisBudget(client redis.UniversalClient, months Months) *RedisBudget {
	return &RedisBudget{client, months}
}

// take counts in the hour as long as there is any of it.
var take = redis.NewScript(`
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 1 end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], 7200) end
return 0`)

func hourKey(now time.Time) string { return keyPrefix + "hour:" + now.UTC().Format("2006010215") }

// Take counts one request. A spent hour is transient and no attempt, a spent
// month terminal. Without Redis or the database nothing is asked,
// since nobody is counting.
func (b *RedisBudget) Take(ctx context.Context) error {
	now := time.Now()
	n, err := take.Run(ctx, b.redis, []string{hourKey(now)}, PerHour).Int()
	switch {
	case err != nil:
		return unknownBudget(ctx, err, "Redis")
	case n == 1:
		wait := untilNextHour(now)
		return &imagegen.Error{
			Class: editorial.Transient, Code: codeHour, Unreachable: true, RetryAfter: wait,
			Message: fmt.Sprintf("this hour's %d requests to Pexels are spent; the next are in %s", PerHour, wait.Round(time.Second)),
		}
	}
	// The hour first: waiting for it costs nothing of the month.
	switch ok, err := b.months.TakeRequest(ctx, name, PerMonth); {
	case err != nil:
		return unknownBudget(ctx, err, "the database")
	case !ok:
		return imagegen.Terminalf(codeMonth, "this month's %d requests to Pexels are spent", PerMonth)
	}
	return nil
}

func unknownBudget(ctx context.Context, err error, counter string) error {
	if ctx.Err() != nil {
		return imagegen.AsError(ctx.Err())
	}
	return &imagegen.Error{
		Class: editorial.Transient, Code: "budget_unknown", Unreachable: true, Err: err,
		Message: counter + ", which counts the requests to Pexels, does not answer; Pexels is asked when it does",
	}
}

// Spent marks the hour as spent for all processes. Without Redis each of them
// hears it from Pexels.
func (b *RedisBudget) Spent(ctx context.Context) {
	b.redis.Set(ctx, hourKey(time.Now()), PerHour, 2*time.Hour)
}

// Used is how many requests of this hour and of this month are spent.
func (b *RedisBudget) Used(ctx context.Context) (hour, month int, err error) {
	now := time.Now()
	if hour, err = b.redis.Get(ctx, hourKey(now)).Int(); err != nil && !errors.Is(err, redis.Nil) {
		return 0, 0, fmt.Errorf("read the budget of Pexels: %w", err)
	}
	taken, err := b.months.RequestsTaken(ctx, name)
	if err != nil {
		return 0, 0, fmt.Errorf("read the budget of Pexels: %w", err)
	}
	return hour, int(taken), nil
}

// RedisCache keeps answers for 24 hours.
type RedisCache struct {
	redis redis.UniversalClient
}

// NewRedisCache returns a cache that all processes share.
func NewRedisCache(client redis.UniversalClient) *RedisCache { return &RedisCache{redis: client} }

const cacheFor = 24 * time.Hour

// Get returns what was set in the last 24 hours.
func (c *RedisCache) Get(ctx context.Context, key string) ([]byte, bool) {
	b, err := c.redis.Get(ctx, keyPrefix+"search:"+key).Bytes()
	return b, err == nil
}

// Set keeps an answer. One that cannot be kept is asked for again.
func (c *RedisCache) Set(ctx context.Context, key string, answer []byte) {
	c.redis.Set(ctx, keyPrefix+"search:"+key, answer, cacheFor)
}

// claimFor is longer than a picture takes from being found to being stored,
// from when on Used knows it.
const claimFor = 6 * time.Hour

// ClaimIn is a [Config.Claim] over Redis.
func ClaimIn(client redis.UniversalClient) func(ctx context.Context, photoID, imageID string) (bool, error) {
	return func(ctx context.Context, photoID, imageID string) (bool, error) {
		key := keyPrefix + "claim:" + photoID
		ok, err := client.SetNX(ctx, key, imageID, claimFor).Result()
		if ok || err != nil {
			return ok, err
		}
		holder, err := client.Get(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			return false, nil // it ended just now; the next photo is as good
		}
		return holder == imageID, err
	}
}
