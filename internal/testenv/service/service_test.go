package service_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

func startRedis(t *testing.T) (*service.Server, *redis.Client) {
	t.Helper()
	s, err := service.StartRedis(t.Context(), t.TempDir())
	if errors.Is(err, service.ErrMissing) && os.Getenv("REQUIRE_SERVICES") != "1" {
		t.Skip("needs redis-server; run make test")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	client := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, ContextTimeoutEnabled: true, ReadTimeout: time.Second})
	t.Cleanup(func() { client.Close() })
	return s, client
}

func TestAKilledServerComesBackAtItsAddressWithItsData(t *testing.T) {
	t.Parallel()
	s, client := startRedis(t)
	ctx := t.Context()
	if err := client.Set(ctx, "kept", "yes", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Kill() // twice is harmless
	if err := client.Ping(ctx).Err(); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := s.Signal(syscall.SIGCONT); err == nil {
		t.Error("a killed server took a signal")
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(ctx, "kept").Result(); got != "yes" {
		t.Errorf("after a kill: %q, %v", got, err)
	}
}

func TestAFrozenServerHangsAndGoesOn(t *testing.T) {
	t.Parallel()
	s, client := startRedis(t)
	ctx := t.Context()
	if err := s.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(ctx).Err(); err == nil {
		t.Error("a frozen server answers")
	}
	if err := s.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(ctx).Err(); err != nil {
		t.Errorf("after SIGCONT: %v", err)
	}
}

func TestAStartThatFailsSaysWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	_, err := service.StartRedis(t.Context(), t.TempDir(), "--no-such-setting", "1")
	if errors.Is(err, service.ErrMissing) && os.Getenv("REQUIRE_SERVICES") != "1" {
		t.Skip("needs redis-server; run make test")
	}
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("StartRedis() = %v, want the server's own complaint", err)
	}
}
