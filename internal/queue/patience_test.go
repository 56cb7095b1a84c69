package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestWhoeverIsToldNoAtOnceIsSlowedDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		gone bool // the caller
		err  error
		want time.Duration
	}{
		{"an answer", false, nil, 0},
		{"nothing there", false, redis.Nil, 0},
		{"part of the protocol", false, errors.New("NOSCRIPT No matching script"), 0},
		{"full", false, errors.New("OOM command not allowed"), patienceAfterError},
		// What go-redis says at once, once enough dials have failed that way.
		{"nobody answered the last dial", false, context.DeadlineExceeded, patienceAfterError},
		{"the caller has gone", true, context.DeadlineExceeded, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.gone {
					cancel()
				}
				began := time.Now()
				call := patience{}.ProcessHook(func(context.Context, redis.Cmder) error { return c.err })
				if err := call(ctx, nil); !errors.Is(err, c.err) {
					t.Errorf("the error became %v", err)
				}
				if waited := time.Since(began); waited != c.want {
					t.Errorf("waited %s, want %s", waited, c.want)
				}
			})
		})
	}
}
