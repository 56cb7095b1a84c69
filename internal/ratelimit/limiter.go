package ratelimit

import (
	"context"
	"sync"
	"time"
)

// window is what a limit is for.
const window = time.Minute

// batches is into how many parts a limit is divided: a process takes at most
// one more of them than it uses, which the others then lack until the minute
// is over.
const batches = 50

// maxBuckets bounds the memory of one minute, about 15 MB. Whoever comes after
// that many others shares a bucket with everybody who does.
const maxBuckets = 100_000

// counter is a count that several processes share.
type counter interface {
	// add adds n to the count of key in the minute that begins at start, and
	// returns the sum.
	add(ctx context.Context, key string, start time.Time, n int) (sum int, err error)
}

// limiter bounds one thing.
type limiter struct {
	max    int // a minute; 0: no limit
	batch  int
	shared counter // nil: this process alone

	mu      sync.Mutex
	start   time.Time // of the minute that the buckets are for
	buckets map[string]*bucket
}

// bucket is what one key has in this minute.
type bucket struct {
	mu      sync.Mutex
	granted int // requests taken from the shared count
	used    int // of them
	beyond  int // left in the shared count, as far as this process knows
	closed  bool
}

func newLimiter(limit int, shared counter) *limiter {
	return &limiter{max: limit, batch: max(1, limit/batches), shared: shared}
}

// take uses one request of a key. It returns how many are left and false when
// there was none.
func (l *limiter) take(ctx context.Context, key string, now time.Time) (left int, ok bool) {
	if l.max == 0 {
		return 0, true
	}
	b, start := l.bucket(key, now)
	// Requests of one caller wait for each other here, while one of them asks:
	// else each of them would take a batch.
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used == b.granted && !b.closed {
		l.refill(ctx, b, key, start)
	}
	if b.used == b.granted {
		b.closed = true
		return 0, false
	}
	b.used++
	return b.granted - b.used + b.beyond, true
}

// refill takes a batch from the shared count, or everything from this process'
// own when there is none.
func (l *limiter) refill(ctx context.Context, b *bucket, key string, start time.Time) {
	if l.shared == nil {
		b.granted, b.beyond = l.max, 0
		return
	}
	sum, err := l.shared.add(ctx, key, start, l.batch)
	if err != nil {
		b.granted, b.beyond = l.max, 0
		return
	}
	// The last batch may go beyond the limit.
	over := max(0, sum-l.max)
	b.granted += max(0, l.batch-over)
	b.beyond = max(0, l.max-sum)
}

// spent reports whether a key has used everything, without using anything.
func (l *limiter) spent(key string, now time.Time) bool {
	if l.max == 0 {
		return false
	}
	b, _ := l.bucket(key, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed || b.granted > 0 && b.used == b.granted && b.beyond == 0
}

// bucket is a key's, in the minute that now is in. All buckets of the minute
// before go at once.
func (l *limiter) bucket(key string, now time.Time) (*bucket, time.Time) {
	start := now.Truncate(window)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !start.Equal(l.start) {
		l.start, l.buckets = start, map[string]*bucket{}
	}
	b, ok := l.buckets[key]
	if !ok && len(l.buckets) >= maxBuckets {
		key = ""
		b, ok = l.buckets[key]
	}
	if !ok {
		b = &bucket{}
		l.buckets[key] = b
	}
	return b, start
}

// untilReset is how long the minute goes on, in whole seconds, at least one.
func untilReset(now time.Time) int {
	left := now.Truncate(window).Add(window).Sub(now)
	return int((left + time.Second - 1) / time.Second)
}
