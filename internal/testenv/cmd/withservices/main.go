// Command withservices brings and starts everything that the tests need, runs
// the command that follows, and stops it all again, whatever happened:
//
//	withservices go test -race ./...
//
// It puts TEST_POSTGRES_URL, TEST_REDIS_URL, VERSITYGW and REQUIRE_SERVICES=1
// into the command's environment and exits with the command's own code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "withservices:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, argv []string) error {
	if len(argv) == 0 {
		return errors.New("name the command to run, as in: withservices go test ./...")
	}
	gateway, err := bring(ctx, ".cache/bin")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "frontispiece-services-")
	if err != nil {
		return fmt.Errorf("make a folder for the servers: %w", err)
	}
	defer os.RemoveAll(dir)
	servers, err := startAll(ctx, dir)
	defer func() {
		for _, s := range servers {
			s.Stop()
		}
	}()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // running its arguments is what this program is for
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "REQUIRE_SERVICES=1", "VERSITYGW="+gateway)
	for i, name := range []string{"TEST_REDIS_URL", "TEST_POSTGRES_URL"} {
		cmd.Env = append(cmd.Env, name+"="+servers[i].URL)
	}
	// The tests stop their own children when they are asked, not when killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	return cmd.Run()
}

// startAll returns what it has started also when it fails, so that it can be
// stopped.
func startAll(ctx context.Context, dir string) ([]*service.Server, error) {
	// PostgreSQL's user has to pass through.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // passing through shows nothing
		return nil, fmt.Errorf("open the servers' folder: %w", err)
	}
	type start func(context.Context, string, ...string) (*service.Server, error)
	var servers []*service.Server
	for name, f := range []start{service.StartRedis, service.StartPostgres} {
		folder := filepath.Join(dir, fmt.Sprint(name))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return servers, fmt.Errorf("make a folder for a server: %w", err)
		}
		began := time.Now()
		s, err := f(ctx, folder)
		if err != nil {
			return servers, err
		}
		fmt.Fprintf(os.Stderr, "withservices: %s at %s, ready in %v\n", s.Name, s.Addr, time.Since(began).Round(time.Millisecond))
		servers = append(servers, s)
	}
	return servers, nil
}
