// Command api is Frontispiece's HTTP API. Without a REDIS_URL it also works on
// the jobs itself, so that one program is the whole product.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "frontispiece-api:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	if done, err := app.Usage(args, stdout); done {
		return err
	}
	cfg, err := config.Load(environ)
	if err != nil {
		return err
	}
	log := app.Logger(cfg, stderr)
	for _, w := range cfg.Warnings() {
		log.WarnContext(ctx, w)
	}
	a, err := app.Open(ctx, app.API, cfg, log)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.RunAPI(ctx, stdout) })
	if cfg.Embedded() {
		group.Go(func() error { return a.RunWorker(ctx) })
	}
	err = group.Wait()
	if closeErr := a.Close(); err == nil {
		err = closeErr
	}
	return err
}
