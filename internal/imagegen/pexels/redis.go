package pexels

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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

// RedisBudget counts in Redis, for all processes together. A Redis that is
// flushed forgets what was spent; Pexels then answers 429, which [RedisBudget.Spent]
// takes down.
type RedisBudget struct {
	redis redis.UniversalClient
}

// NewRedisBudget returns the budget of a free key: PerHour and PerMonth, by
// the clock's hours and the calendar's months in UTC.
func NewRedisBudget(client redis.UniversalClient) *RedisBudget { return &RedisBudget{redis: client} }

// take counts in both or in neither, so that waiting for the hour costs
// nothing of the month.
var take = redis.NewScript(`
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[2]) then return 2 end
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 1 end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], 7200) end
if redis.call('INCR', KEYS[2]) == 1 then redis.call('EXPIRE', KEYS[2], 2764800) end
return 0`)

func hourKey(now time.Time) string { return keyPrefix + "hour:" + now.UTC().Format("2006010215") }

func monthKey(now time.Time) string { return keyPrefix + "month:" + now.UTC().Format("200601") }

// Take counts one request. A spent hour is transient and no attempt, a spent
// month terminal. Without Redis nothing is asked, since nobody is counting.
func (b *RedisBudget) Take(ctx context.Context) error {
	now := time.Now()
	n, err := take.Run(ctx, b.redis, []string{hourKey(now), monthKey(now)}, PerHour, PerMonth).Int()
	switch {
	case err != nil && ctx.Err() != nil:
		return imagegen.AsError(ctx.Err())
	case err != nil:
		return &imagegen.Error{
			Class: editorial.Transient, Code: "budget_unknown", Unreachable: true, Err: err,
			Message: "Redis, which counts the requests to Pexels, does not answer; Pexels is asked when it does",
		}
	case n == 1:
		wait := untilNextHour(now)
		return &imagegen.Error{
			Class: editorial.Transient, Code: codeHour, Unreachable: true, RetryAfter: wait,
			Message: fmt.Sprintf("this hour's %d requests to Pexels are spent; the next are in %s", PerHour, wait.Round(time.Second)),
		}
	case n == 2:
		return imagegen.Terminalf(codeMonth, "this month's %d requests to Pexels are spent", PerMonth)
	}
	return nil
}

// Spent marks the hour as spent for all processes. Without Redis each of them
// hears it from Pexels.
func (b *RedisBudget) Spent(ctx context.Context) {
	b.redis.Set(ctx, hourKey(time.Now()), PerHour, 2*time.Hour)
}

// Used is how many requests of this hour and of this month are spent.
func (b *RedisBudget) Used(ctx context.Context) (hour, month int, err error) {
	now := time.Now()
	values, err := b.redis.MGet(ctx, hourKey(now), monthKey(now)).Result()
	if err != nil {
		return 0, 0, fmt.Errorf("read the budget of Pexels: %w", err)
	}
	counts := make([]int, len(values))
	for i, v := range values {
		if text, ok := v.(string); ok { // absent: nothing was spent
			if counts[i], err = strconv.Atoi(text); err != nil {
				return 0, 0, fmt.Errorf("read the budget of Pexels: %w", err)
			}
		}
	}
	return counts[0], counts[1], nil
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
