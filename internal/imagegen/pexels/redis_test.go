package pexels_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/imagegen"
	"github.com/glad-labs/frontispiece/internal/imagegen/pexels"
	"github.com/glad-labs/frontispiece/internal/queue"
)

// onRedis runs a test over the Redis inside the process, on a virtual clock.
func onRedis(t *testing.T, test func(*testing.T, *queue.Queue)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.Open("", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		test(t, q)
	})
}

func TestBudgetOfAnHour(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, q *queue.Queue) {
		<-time.After(20 * time.Minute) // virtual
		months := &ledger{}
		one, other := pexels.NewRedisBudget(q.Redis(), months), pexels.NewRedisBudget(q.Redis(), months) // two processes
		for i := range pexels.PerHour / 2 {
			if err := errors.Join(one.Take(t.Context()), other.Take(t.Context())); err != nil {
				t.Fatalf("request %d: %v", 2*i, err)
			}
		}
		var e *imagegen.Error
		err := other.Take(t.Context())
		if !errors.As(err, &e) || e.Class != editorial.Transient || !e.Unreachable || e.RetryAfter <= 0 || e.RetryAfter > time.Hour {
			t.Fatalf("error = %#v, want it to wait for the next hour without an attempt", err)
		}
		<-time.After(e.RetryAfter) // virtual
		if err := one.Take(t.Context()); err != nil {
			t.Errorf("in the next hour: %v", err)
		}
		one.Spent(t.Context())
		if err := other.Take(t.Context()); err == nil {
			t.Error("what Pexels said to one process is not heard by the other")
		}
	})
}

func TestBudgetOfAMonth(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, q *queue.Queue) {
		months := &ledger{taken: pexels.PerMonth - 1}
		b := pexels.NewRedisBudget(q.Redis(), months)
		if err := b.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		q.Redis().FlushAll(t.Context())
		var e *imagegen.Error
		if err := b.Take(t.Context()); !errors.As(err, &e) || e.Class != editorial.Terminal || e.Code != "monthly_budget_spent" {
			t.Errorf("error = %v, want the month's, whatever Redis has forgotten", err)
		}
		if hour, month, err := b.Used(t.Context()); hour != 1 || month != pexels.PerMonth || err != nil {
			t.Errorf("used %d this hour and %d this month, %v", hour, month, err)
		}
		months.err = errors.New("away")
		if err := b.Take(t.Context()); !errors.As(err, &e) || e.Code != "budget_unknown" || !e.Unreachable {
			t.Errorf("error = %v, want to wait for the database", err)
		}
	})
}

// ledger is the database's count.
type ledger struct {
	mu    sync.Mutex
	taken int64
	err   error
}

func (l *ledger) TakeRequest(_ context.Context, _ string, limit int64) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.taken >= limit {
		return false, l.err
	}
	l.taken++
	return true, nil
}

func (l *ledger) RequestsTaken(context.Context, string) (int64, error) { return l.taken, l.err }

func TestWithoutRedisNothingIsAsked(t *testing.T) {
	t.Parallel()
	q, err := queue.Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Close()
	b := pexels.NewRedisBudget(q.Redis(), &ledger{})
	b.Spent(t.Context())
	var e *imagegen.Error
	if err := b.Take(t.Context()); !errors.As(err, &e) || e.Code != "budget_unknown" || !e.Unreachable {
		t.Errorf("error = %v", err)
	}
	c := pexels.NewRedisCache(q.Redis())
	c.Set(t.Context(), "k", []byte("v"))
	if _, ok := c.Get(t.Context(), "k"); ok {
		t.Error("a cache that is away is a miss")
	}
	if ok, err := pexels.ClaimIn(q.Redis())(t.Context(), "1", "a"); ok || err == nil {
		t.Errorf("claim = %v, %v", ok, err)
	}
}

func TestAPhotoIsClaimedOnce(t *testing.T) {
	t.Parallel()
	q, err := queue.Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	claim := pexels.ClaimIn(q.Redis())
	for _, tt := range []struct {
		photo, image string
		want         bool
	}{{"1", "a", true}, {"1", "b", false}, {"1", "a", true}, {"2", "b", true}} {
		if ok, err := claim(t.Context(), tt.photo, tt.image); ok != tt.want || err != nil {
			t.Errorf("claim of %s for %s = %v, %v", tt.photo, tt.image, ok, err)
		}
	}
}

func TestAnswersAreAskedForOnceADay(t *testing.T) {
	t.Parallel()
	q, err := queue.Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	s := &standIn{}
	g := serve(t, s, pexels.Config{Cache: pexels.NewRedisCache(q.Redis()), Claim: pexels.ClaimIn(q.Redis())})
	for _, prompt := range []string{"A Tide Mill", " a tide  mill.", "a tide mill"} {
		req := request()
		req.Prompt = prompt
		if _, err := g.Generate(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.searches) != 1 || len(s.fetched) != 3 {
		t.Errorf("%d searches and %d photos, want 1 and 3", len(s.searches), len(s.fetched))
	}
	ttl, err := q.Redis().TTL(t.Context(), q.Redis().Keys(t.Context(), "*search:*").Val()[0]).Result()
	if err != nil || ttl <= 23*time.Hour || ttl > 24*time.Hour {
		t.Errorf("kept for %v, %v", ttl, err)
	}
}
