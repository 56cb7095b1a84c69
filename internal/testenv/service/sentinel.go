package service

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// MasterName is the name under which sentinels of ours know their master.
const MasterName = "frontispiece"

// Sentinels is a Redis that survives the loss of its master: two of the three
// sentinels agree within about a second that it is gone, and promote the
// replica.
type Sentinels struct {
	URL       string // redis-sentinel://… with all three
	Master    *Server
	Replica   *Server
	Sentinels []*Server
}

// StartSentinels starts them all, each with its data in a folder of its own
// below dir, and waits until they know of each other. What it started before an
// error is returned with the error, to be stopped.
func StartSentinels(ctx context.Context, dir string) (*Sentinels, error) {
	s := &Sentinels{}
	folder := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"master", "replica", "sentinel0", "sentinel1", "sentinel2"} {
		if err := os.Mkdir(folder(name), 0o700); err != nil {
			return s, fmt.Errorf("make a folder for a server: %w", err)
		}
	}
	var err error
	// A delay waits for more replicas, to copy everything once for all of them.
	if s.Master, err = StartRedis(ctx, folder("master"), "--repl-diskless-sync-delay", "0"); err != nil {
		return s, err
	}
	host, port, err := net.SplitHostPort(s.Master.Addr)
	if err != nil {
		return s, err
	}
	if s.Replica, err = StartRedis(ctx, folder("replica"), "--replicaof", host, port); err != nil {
		return s, err
	}
	if err := s.Replica.await(ctx, s.Replica.isCopy); err != nil {
		return s, fmt.Errorf("copy the master: %w", err)
	}
	addrs := make([]string, 0, 3)
	for i := range 3 {
		sentinel, err := startSentinel(ctx, folder("sentinel"+strconv.Itoa(i)), host, port)
		if err != nil {
			return s, err
		}
		s.Sentinels, addrs = append(s.Sentinels, sentinel), append(addrs, sentinel.Addr)
	}
	s.URL = "redis-sentinel://" + strings.Join(addrs, ",") + "?master=" + MasterName
	return s, s.awaitQuorum(ctx)
}

// Stop ends what runs, sentinels first: they would only promote somebody.
func (s *Sentinels) Stop() {
	for _, server := range append(s.Sentinels, s.Replica, s.Master) {
		if server != nil {
			server.Stop()
		}
	}
}

// awaitQuorum waits until every sentinel knows the replica and the other two:
// before that, none of them would promote anybody.
func (s *Sentinels) awaitQuorum(ctx context.Context) error {
	for _, sentinel := range s.Sentinels {
		err := sentinel.await(ctx, func(ctx context.Context) error {
			client := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
			defer func() { _ = client.Close() }() // it has answered
			knows, err := client.Master(ctx, MasterName).Result()
			if err == nil && (knows["num-slaves"] != "1" || knows["num-other-sentinels"] != "2") {
				err = fmt.Errorf("%s replicas and %s other sentinels are known", knows["num-slaves"], knows["num-other-sentinels"])
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("assemble the sentinels: %w", err)
		}
	}
	return nil
}

// startSentinel starts one that watches the master of an address. It is
// redis-server itself, and keeps what it learns in its configuration.
func startSentinel(ctx context.Context, dir, masterHost, masterPort string) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server: %w", ErrMissing)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "sentinel.conf")
	lines := []string{
		"port " + port, "bind 127.0.0.1", "dir " + dir,
		fmt.Sprintf("sentinel monitor %s %s %s 2", MasterName, masterHost, masterPort),
		"sentinel down-after-milliseconds " + MasterName + " 1000",
		"sentinel failover-timeout " + MasterName + " 1000", // an election without a winner is held again after twice that
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("configure a sentinel: %w", err)
	}
	s := &Server{
		Name: "Redis Sentinel", Addr: "127.0.0.1:" + port,
		argv:    []string{program, config, "--sentinel"},
		logPath: filepath.Join(dir, "sentinel.log"),
		stop:    syscall.SIGTERM,
	}
	s.ready = s.ping
	return s, s.Start(ctx)
}

// ping asks a Redis, or a sentinel, whether it answers.
func (s *Server) ping(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: s.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	return client.Ping(ctx).Err()
}

// isCopy asks a replica whether it has all that its master has.
func (s *Server) isCopy(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: s.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	info, err := client.Info(ctx, "replication").Result()
	if err == nil && !strings.Contains(info, "master_link_status:up") {
		err = fmt.Errorf("not connected to its master")
	}
	return err
}
