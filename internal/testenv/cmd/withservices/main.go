// Command withservices brings and starts everything that the tests need, runs
// the command that follows, and stops it all again, whatever happened:
//
//	withservices go test -race ./...
//
// It puts TEST_POSTGRES_URL, TEST_REDIS_URL, VERSITYGW, AXE and REQUIRE_SERVICES=1
// into the command's environment and exits with the command's own code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
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
		return errors.New("name the command to run, as in: withservices go test -race ./internal/store")
	}
	gateway, err := bring(ctx, ".cache/bin", argv)
	if err != nil {
		return err
	}
	axe, err := bringAxe(ctx, ".cache/bin")
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
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "REQUIRE_SERVICES=1", "VERSITYGW="+gateway, "AXE="+axe)
	for i, name := range []string{"TEST_REDIS_URL", "TEST_POSTGRES_URL"} {
		cmd.Env = append(cmd.Env, name+"="+servers[i].URL)
	}
	// The tests stop their own children when they are asked, not when killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	return cmd.Run()
}
