package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/testenv"
)

// answerWithin is how long a request may take while Redis is away: the row is
// in, nothing else matters.
const answerWithin = time.Second

// Redis is a doorbell: whatever happens to it, the rows are rung again.
func TestRedisLosesNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		strike func(s *site) (lift func())
	}{
		{"stopped", func(s *site) func() { s.redis.Stop(); return s.startRedis }},
		{"killed and restarted", func(s *site) func() { s.redis.Kill(); s.startRedis(); return func() {} }},
		{"flushed", func(s *site) func() { s.redisDo("FLUSHALL"); return func() {} }},
		{"out of memory", func(s *site) func() {
			s.redisDo("CONFIG", "SET", "maxmemory", "1")
			return func() { s.redisDo("CONFIG", "SET", "maxmemory", "0") }
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, plan{})
			// Work of every kind is under way: queued, generating, uploading.
			for range 4 {
				s.mustSubmit(`{"prompt":"Under way","width":1024,"height":512,"count":2}`)
			}
			s.workers[0].stderr.says(t, productionBound, "msg=stored")

			lift := tt.strike(s)
			draft := s.newDraft("Without a bell")
			for _, body := range []string{orderFor(draft, 2), order, order} {
				a := s.post("/v1/jobs", body).want(http.StatusAccepted)
				if a.took > answerWithin {
					t.Errorf("accepted after %v", a.took)
				}
				var j job
				a.into(&j)
				s.accept(j.ID)
			}
			s.approve(draft)
			s.get("/readyz").want(http.StatusOK)
			lift()

			r := s.check()
			r.wantAllStored(t)
			if len(r.posts) != 1 {
				t.Errorf("%d posts of one approved draft", len(r.posts))
			}
			s.wantCleanRedis()
		})
	}
}

// The master dies under load, the sentinels promote its replica, and the
// programs follow; what the replica had not heard of yet is rung again.
func TestRedisFailsOver(t *testing.T) {
	t.Parallel()
	sentinels := testenv.StartSentinels(t)
	s := startSite(t, plan{redis: sentinels.URL})
	draft := s.approvedDraft("Failed over")
	stop := s.load(order)
	s.awaitStatus(draft, "published", productionBound)

	sentinels.Master.Kill()
	before := len(s.acceptedJobs())
	eventually(t, productionBound, func() error {
		if n := len(s.acceptedJobs()) - before; n < 20 {
			return fmt.Errorf("only %d jobs were accepted since the master died", n)
		}
		return nil
	})
	stop()
	s.check().wantAllStored(t)
}

func (s *site) startRedis() {
	s.t.Helper()
	if err := s.redis.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) redisDo(command ...any) {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.redis.Addr})
	defer client.Close()
	if err := client.Do(s.t.Context(), command...).Err(); err != nil {
		s.t.Fatal(err)
	}
}

// wantCleanRedis waits until the queues are empty, no task is left without a
// state, and the dashboard's list names the queues.
func (s *site) wantCleanRedis() {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.redis.Addr})
	defer client.Close()
	eventually(s.t, productionBound, func() error {
		ctx, cancel := context.WithTimeout(s.t.Context(), answerWithin)
		defer cancel()
		left, err := client.Keys(ctx, "asynq:*:t:*").Result()
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("tasks are left in Redis: %v", left)
		}
		queues, err := client.SCard(ctx, "asynq:queues").Result()
		if err == nil && queues < int64(1+len(s.workers)) { // generate, and each spool's
			err = fmt.Errorf("the dashboard shows %d queues", queues)
		}
		return err
	})
}
