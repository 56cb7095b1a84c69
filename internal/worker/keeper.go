package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
)

// Claims extends claims.
type Claims interface {
	Extend(ctx context.Context, tokens []string) (lost []string, err error)
}

// keeper extends every claim of this worker in one statement, and cancels the
// work whose claim is gone.
type keeper struct {
	claims Claims
	lease  time.Duration
	log    *slog.Logger

	mu   sync.Mutex
	held map[string]*holding
}

type holding struct {
	cancel context.CancelCauseFunc
	until  time.Time // by this process's clock, from before the claim was asked for
}

func newKeeper(claims Claims, lease time.Duration, log *slog.Logger) *keeper {
	return &keeper{claims: claims, lease: lease, log: log, held: make(map[string]*holding)}
}

// hold returns a context that ends with cause ErrLostClaim when the claim does.
func (k *keeper) hold(ctx context.Context, token string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	k.mu.Lock()
	k.held[token] = &holding{cancel: cancel, until: time.Now().Add(k.lease)}
	k.mu.Unlock()
	return ctx, func() {
		k.mu.Lock()
		delete(k.held, token)
		k.mu.Unlock()
		cancel(nil)
	}
}

// run extends four times a lease, so that three lost heartbeats cost nothing.
func (k *keeper) run(ctx context.Context, hurry <-chan struct{}) {
	ticker := time.NewTicker(k.lease / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-hurry:
		}
		k.extend(ctx)
	}
}

func (k *keeper) extend(ctx context.Context) {
	k.mu.Lock()
	tokens := make([]string, 0, len(k.held))
	for token := range k.held {
		tokens = append(tokens, token)
	}
	k.mu.Unlock()
	if len(tokens) == 0 {
		return
	}
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, k.lease/4)
	defer cancel()
	lost, err := k.claims.Extend(ctx, tokens)

	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.log.WarnContext(ctx, "claims could not be extended", "claims", len(tokens), "error", err)
		// Without an answer a claim holds until it runs out, not longer.
		for _, h := range k.held {
			if time.Now().After(h.until) {
				h.cancel(dispatch.ErrLostClaim)
			}
		}
		return
	}
	gone := make(map[string]bool, len(lost))
	for _, token := range lost {
		gone[token] = true
	}
	for _, token := range tokens {
		h, held := k.held[token]
		switch {
		case !held: // ended meanwhile
		case gone[token]:
			h.cancel(dispatch.ErrLostClaim)
		default:
			h.until = asked.Add(k.lease)
		}
	}
}
