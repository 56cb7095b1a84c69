package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/queue"
)

// Redis is a server that may or may not be there.
type Redis interface {
	// Check asks once, and says in one line why nobody answers.
	Check(ctx context.Context) error
	// Paused lists the queues that somebody has paused in the dashboard.
	Paused(ctx context.Context) ([]string, error)
	// Info is the answer to INFO, which also those may ask who may not CONFIG.
	Info(ctx context.Context) (string, error)
}

// RoundTrip sends a task through the queue and returns how long it took to come
// back to a handler.
type RoundTrip func(ctx context.Context) (time.Duration, error)

// oldestRedis has the commands that asynq sends.
const oldestRedis = "6.2"

type redisServer struct {
	redis Redis
	info  map[string]string
	trip  RoundTrip
}

// Queue examines the Redis at an address, which is shown and so must be
// redacted.
func Queue(at string, r Redis, trip RoundTrip) Section {
	s := &redisServer{redis: r, trip: trip}
	return Section{Name: "Queue", Checks: []Check{
		{Name: "redis", Tries: "ask " + at + " for its version", Run: s.server},
		{Name: "eviction", Tries: "ask what it does when its memory is full", Needs: "redis", Run: s.eviction},
		{Name: "persistence", Tries: "ask what it keeps on disk", Needs: "redis", Run: s.persistence},
		{Name: "paused", Tries: "look for queues that somebody has paused", Needs: "redis", Run: s.paused},
		{Name: "task", Tries: "send a task and serve it", Needs: "redis", Run: s.task},
	}}
}

// EmbeddedQueue examines the queue inside the API's process: the same code,
// since that very one cannot be reached from here.
func EmbeddedQueue(trip RoundTrip) Section {
	s := &redisServer{trip: trip}
	return Section{Name: "Queue", Checks: []Check{
		given("redis", "look for REDIS_URL", ok("it is not set: the queue is inside the API's process, and the rows outlive it")),
		{Name: "task", Tries: "send a task through such a queue", Run: s.task},
	}}
}

func (s *redisServer) server(ctx context.Context) Outcome {
	if err := s.redis.Check(ctx); err != nil {
		next := `redis-cli -u "$REDIS_URL" PING`
		if errors.Is(err, queue.ErrRefused) {
			next = "correct the user and the password in REDIS_URL"
		}
		return broken(next, "%v", err)
	}
	text, err := s.redis.Info(ctx)
	if err != nil {
		return warning("allow this user the command INFO", "it answers and does not say what it is: %s", firstLine(err.Error()))
	}
	s.info = parseInfo(text)
	version := s.info["redis_version"]
	switch {
	case version == "":
		return warning("redis-cli INFO server", "it answers and does not tell its version")
	case olderThan(version, oldestRedis):
		return broken("install Redis "+oldestRedis+" or newer, or Valkey", "Redis %s: too old, %s is needed", version, oldestRedis)
	case s.info["role"] == "slave":
		return broken("point REDIS_URL at the primary, or use redis-sentinel://", "Redis %s: a replica, which takes no tasks", version)
	}
	return ok("Redis %s", version)
}

func (s *redisServer) eviction(context.Context) Outcome {
	const fix = `redis-cli -u "$REDIS_URL" CONFIG SET maxmemory-policy noeviction, and the same in redis.conf`
	switch policy := s.info["maxmemory_policy"]; policy {
	case "":
		return warning("see to it that maxmemory-policy is noeviction", "it does not tell its maxmemory-policy")
	case queue.NoEviction:
		return ok("maxmemory-policy is %s: it refuses, and the rows wait", policy)
	default:
		return broken(fix, "maxmemory-policy is %s: it would throw tasks away silently", policy)
	}
}

// persistence only warns: whatever Redis forgets is rung again from the rows.
func (s *redisServer) persistence(context.Context) Outcome {
	const fix = `redis-cli -u "$REDIS_URL" CONFIG SET appendonly yes, and the same in redis.conf`
	aof, known := s.info["aof_enabled"]
	switch {
	case !known:
		return warning("see to it that appendonly is yes", "it does not tell")
	case aof == "1" && s.info["aof_last_write_status"] == "err":
		return warning("df -h, on the machine that Redis runs on", "its last write to the append-only file failed")
	case aof == "1":
		return ok("every change, in the append-only file")
	case s.info["rdb_last_bgsave_status"] == "err":
		return warning("df -h, on the machine that Redis runs on", "its last snapshot failed, and there is no append-only file")
	}
	return warning(fix, "at best snapshots: after its restart the workers ring what it forgot, within seconds, from the rows")
}

func (s *redisServer) paused(ctx context.Context) Outcome {
	names, err := s.redis.Paused(ctx)
	switch {
	case err != nil:
		return warning("frontispiece doctor, again", "it does not tell: %s", firstLine(err.Error()))
	case len(names) > 0:
		return warning("open /ops and press Resume", "paused in the dashboard, so that no worker takes anything from it: %s", strings.Join(names, ", "))
	}
	return ok("none is")
}

func (s *redisServer) task(ctx context.Context) Outcome {
	took, err := s.trip(ctx)
	if err != nil {
		return broken("redis-cli MONITOR, while you try again", "%v", err)
	}
	return ok("it came back in %s", rounded(took))
}

// parseInfo reads the answer to INFO: "name:value" lines between headings.
func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found && !strings.HasPrefix(name, "#") {
			info[name] = value
		}
	}
	return info
}

// olderThan compares the first two numbers of a version; a part that is no
// number counts as 0, so that nobody is refused who only writes it differently.
func olderThan(version, oldest string) bool {
	number := func(v string) (major, minor int) {
		parts := strings.SplitN(v+"..", ".", 3)
		major, _ = strconv.Atoi(parts[0])
		minor, _ = strconv.Atoi(parts[1])
		return major, minor
	}
	major, minor := number(version)
	wantMajor, wantMinor := number(oldest)
	return major < wantMajor || major == wantMajor && minor < wantMinor
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return fmt.Sprintf("%.200s", line)
}
