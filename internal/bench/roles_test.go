package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
)

// This test binary is also each of the children that are no programs of ours:
// the floors, and our worker with a generator that takes no time.
const (
	roleVariable    = "BENCH_ROLE"
	profileVariable = "BENCH_PROFILE"
)

var roles = map[string]func(context.Context) error{
	"api":            func(ctx context.Context) error { return ourProgram(ctx, app.API) },
	"worker":         func(ctx context.Context) error { return ourProgram(ctx, app.Worker) },
	"floor":          serveFloor,
	"floor-asynq":    idleFloor,
	"floor-pipeline": floorPipeline,
	"pipeline":       ourPipeline,
	finishRole:       finishPictures,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := profiled(func() error { return roles[role](ctx) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // stop is for a program that goes on
	}
}

func profiled(run func() error) error {
	path := os.Getenv(profileVariable)
	if path == "" {
		return run()
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// ourProgram is what cmd/api and cmd/worker do, in a process that can be
// profiled.
func ourProgram(ctx context.Context, part app.Part) error {
	cfg, err := config.Load(os.Environ())
	if err != nil {
		return err
	}
	a, err := app.Open(ctx, part, cfg, app.Logger(cfg, os.Stderr))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if part == app.API {
		group.Go(func() error { return a.RunAPI(ctx, os.Stdout) })
	}
	if part == app.Worker || cfg.Embedded() {
		group.Go(func() error { return a.RunWorker(ctx) })
	}
	return errors.Join(group.Wait(), a.Close())
}

// answer is what a role says to whoever started it.
func answer(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }
