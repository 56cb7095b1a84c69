package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/glad-labs/frontispiece/internal/testenv/service"
)

// startAll returns what it has started also when it fails, so that it can be
// stopped.
func startAll(ctx context.Context, dir string) ([]*service.Server, error) {
	// PostgreSQL's user has to pass through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("open the servers' folder: %w", err)
	}
	type start func(context.Context, string, ...string) (*service.Server, error)
	var servers []*service.Server
	for i, f := range []start{service.StartRedis, service.StartPostgres} {
		folder := filepath.Join(dir, fmt.Sprint(i))
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
