package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/blob"
	"github.com/glad-labs/frontispiece/internal/editorial"
)

// probeEvery is how often a bucket that refused for want of configuration is
// tried again with its canary.
const probeEvery = 15 * time.Second

// breaker stops uploads before they claim anything while the bucket refuses
// every put until an operator changes something: wrong credentials, no such
// bucket. It closes by itself when a canary put works. It is this process's
// alone: pausing the queue would halt every worker and be forgotten by a flush.
type breaker struct {
	check func(context.Context) error
	log   *slog.Logger

	mu    sync.Mutex
	why   *editorial.Failure // nil: closed
	since time.Time
}

// trip opens the breaker, loudly the first time.
func (b *breaker) trip(f *editorial.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why == nil {
		b.since = time.Now()
		b.log.Error("uploads are paused: the bucket refuses every put; the pictures are kept and go on by themselves once this is mended",
			"code", f.Code, "message", f.Message)
	}
	b.why = f
}

// open returns why uploads are paused, nil when they are not.
func (b *breaker) open() *editorial.Failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// run tries the bucket while the breaker is open.
func (b *breaker) run(ctx context.Context) {
	b.first(ctx)
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if b.open() != nil {
				b.probe(ctx)
			}
		}
	}
}

// first tries the bucket once at the start, so that a wrong configuration is
// said before the first picture meets it.
func (b *breaker) first(ctx context.Context) {
	var be *blob.Error
	if err := b.check(ctx); errors.As(err, &be) && be.Config {
		b.trip(editorial.NewFailure(be.Code, editorial.StageUpload, be.Class, "bucket", be.Message))
	}
}

func (b *breaker) probe(ctx context.Context) {
	if err := b.check(ctx); err != nil {
		b.log.WarnContext(ctx, "uploads are still paused", "error", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.InfoContext(ctx, "uploads go on: a canary put worked", "paused", time.Since(b.since).Round(time.Second))
	b.why = nil
}
