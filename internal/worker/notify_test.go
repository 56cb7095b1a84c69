package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/dispatch"
	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/queue"
	"github.com/glad-labs/frontispiece/internal/store"
	"github.com/glad-labs/frontispiece/internal/webhook"
	"github.com/glad-labs/frontispiece/internal/worker"
	"github.com/glad-labs/frontispiece/tasks"
)

// deliveryBook is one delivery and what became of it.
type deliveryBook struct {
	delivery  store.Delivery
	claimErr  error
	ended     bool
	failure   *editorial.Failure
	postponed time.Duration
}

func (b *deliveryBook) ClaimDelivery(context.Context, string) (store.Delivery, error) {
	return b.delivery, b.claimErr
}

func (b *deliveryBook) EndDelivery(_ context.Context, _ store.Delivery, f *editorial.Failure) error {
	b.ended, b.failure = true, f
	return nil
}

func (b *deliveryBook) PostponeDelivery(_ context.Context, _ store.Delivery, f *editorial.Failure, delay time.Duration) error {
	b.failure, b.postponed = f, delay
	return nil
}

type targetFunc func() error

func (f targetFunc) Deliver(context.Context, store.Delivery) (int, error) { return 0, f() }

func TestNotify(t *testing.T) {
	t.Parallel()
	arrives := targetFunc(func() error { return nil })
	refuses := targetFunc(func() error { return errors.New("site.example answers 503") })
	gone := targetFunc(func() error { return &webhook.Final{Code: webhook.CodeGone, Message: "site.example answers 410"} })
	tests := []struct {
		name       string
		claimErr   error
		age        time.Duration
		target     worker.Target
		endpoints  worker.Target
		ended      bool
		failure    string
		comesAgain bool
	}{
		{name: "arrives", target: arrives, ended: true},
		{name: "refused", target: refuses, failure: "not_delivered", comesAgain: true},
		{name: "refused for a day", target: refuses, age: 25 * time.Hour, ended: true, failure: "not_delivered"},
		{name: "refused for good", target: gone, ended: true, failure: webhook.CodeGone},
		{name: "an endpoint", endpoints: arrives, ended: true},
		{name: "an endpoint that is away", endpoints: refuses, failure: "not_delivered", comesAgain: true},
		{name: "nobody to tell any more", ended: true, failure: "no_target"},
		{name: "somebody else tells it", claimErr: dispatch.ErrNotDue, target: refuses},
		{name: "the database is away", claimErr: errors.New("connection refused"), target: refuses, comesAgain: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			book := &deliveryBook{claimErr: tt.claimErr, delivery: store.Delivery{
				ID: "d", Event: "post.published", Target: "revalidate", Attempt: 1, CreatedAt: time.Now().Add(-tt.age),
			}}
			n := &worker.Notifier{Rows: book, Targets: map[string]worker.Target{}, MaxWait: time.Minute, Log: slog.New(slog.DiscardHandler)}
			n.Endpoints = tt.endpoints
			if tt.target != nil {
				n.Targets["revalidate"] = tt.target
			}
			err := n.Notify(t.Context(), tasks.NewPayload("d", 0))
			var again *queue.RetryAfter
			if errors.As(err, &again) != tt.comesAgain || !tt.comesAgain && err != nil {
				t.Errorf("the task ends with %v, want it to come again: %v", err, tt.comesAgain)
			}
			code := ""
			if book.failure != nil {
				code = book.failure.Code
			}
			if book.ended != tt.ended || code != tt.failure {
				t.Errorf("ended %v with %q, want %v with %q", book.ended, code, tt.ended, tt.failure)
			}
		})
	}
}

// What a receiver asks for is kept, but for no flood and not beyond the day in
// which an event is tried.
func TestNotifyComesAgainWhenItIsAsked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		asks     time.Duration
		first    time.Duration // until the second try, or up to a tenth more
		min, max int           // tries within the day
	}{
		"in ten minutes": {10 * time.Minute, 10 * time.Minute, 130, 146},
		"every second":   {time.Second, time.Second, 1400, 3000},
		"in ten hours":   {10 * time.Hour, 10 * time.Hour, 4, 4},
		"after the day":  {24 * time.Hour, 24 * time.Hour, 2, 2},
		"does not":       {0, 0, 25, 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				book := &deliveryBook{delivery: store.Delivery{ID: "d", Event: "post.published", Target: "e", CreatedAt: time.Now()}}
				var at []time.Duration
				n := &worker.Notifier{Rows: book, Log: slog.New(slog.DiscardHandler), Endpoints: targetFunc(func() error {
					at = append(at, time.Since(book.delivery.CreatedAt))
					if tt.asks == 0 {
						return errors.New("site.example answers 503")
					}
					return &webhook.Later{After: tt.asks, Message: "site.example answers 503"}
				})}
				for !book.ended {
					book.delivery.Attempt++
					err := n.Notify(t.Context(), tasks.NewPayload("d", 0))
					var again *queue.RetryAfter
					if !errors.As(err, &again) {
						break
					}
					if again.Delay != book.postponed {
						t.Fatalf("the task comes in %v, the row says %v", again.Delay, book.postponed)
					}
					<-time.After(again.Delay + time.Millisecond)
				}
				if !book.ended || book.failure == nil || len(at) < tt.min || len(at) > tt.max {
					t.Errorf("ended %v with %v after %d tries, want between %d and %d", book.ended, book.failure, len(at), tt.min, tt.max)
				}
				if len(at) > 1 && (at[1] < tt.first || tt.asks > 0 && at[1] > tt.first+tt.first/10+time.Second) {
					t.Errorf("the second try after %v, want %v", at[1], tt.first)
				}
				if last := at[len(at)-1]; last < 24*time.Hour-time.Second || last > 25*time.Hour {
					t.Errorf("the last try after %v, want a day", last)
				}
			})
		})
	}
}
