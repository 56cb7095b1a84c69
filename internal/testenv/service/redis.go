package service

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// RedisDatabases is how many numbered databases a Redis of ours has: one for
// each test that asks, over a whole run.
const RedisDatabases = 4096

// StartRedis starts redis-server with its data in dir. It writes every change
// to its append-only file, so that a killed server keeps what it acknowledged.
func StartRedis(ctx context.Context, dir string, extra ...string) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server: %w", ErrMissing)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Name: "Redis", Addr: "127.0.0.1:" + port, URL: "redis://127.0.0.1:" + port + "/0",
		argv: append([]string{
			program, "--port", port, "--bind", "127.0.0.1", "--dir", dir,
			"--databases", strconv.Itoa(RedisDatabases), "--save", "",
			"--appendonly", "yes", "--appendfsync", "no", "--maxmemory-policy", "noeviction",
		}, extra...),
		logPath: filepath.Join(dir, "redis.log"),
		stop:    syscall.SIGTERM,
	}
	s.ready = s.ping
	return s, s.Start(ctx)
}
