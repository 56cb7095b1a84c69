package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A request waits at most askTimeout for Redis, and after one that waited in
// vain nobody asks for pause.
const (
	askTimeout = 100 * time.Millisecond
	pause      = 5 * time.Second
)

var errAway = errors.New("redis is away")

// redisCounter counts in Redis, one key a caller and minute.
type redisCounter struct {
	client redis.UniversalClient
	prefix string
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	until time.Time // when Redis is asked again
}

func (c *redisCounter) add(ctx context.Context, key string, start time.Time, n int) (int, error) {
	if c.isPaused() {
		return 0, errAway
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// A digest: what callers and addresses are called is nobody's business in
	// Redis, and may be long.
	sum := sha256.Sum256([]byte(key))
	name := c.prefix + strconv.FormatInt(start.Unix(), 36) + ":" + base64.RawURLEncoding.EncodeToString(sum[:15])
	var count *redis.IntCmd
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		count = p.IncrBy(ctx, name, int64(n))
		p.Expire(ctx, name, 2*window)
		return nil
	})
	if err != nil {
		c.rest(ctx, err)
		return 0, errAway
	}
	return int(count.Val()), nil
}

func (c *redisCounter) isPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Before(c.until)
}

// rest says once in a while that limits are each process' own for now. That
// the caller has gone is not Redis' fault.
func (c *redisCounter) rest(ctx context.Context, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = c.now().Add(pause)
	c.log.WarnContext(ctx, "rate limits are counted by this process alone: Redis does not answer", "error", err)
}
