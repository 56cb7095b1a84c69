// Command worker handles Frontispiece's tasks: it generates pictures, uploads
// them and publishes what was approved. Any number of them share one queue.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "frontispiece-worker:", err)
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
	if err := cfg.ValidateWorker(); err != nil {
		return err
	}
	log := app.Logger(cfg, stderr)
	for _, w := range cfg.Warnings() {
		log.WarnContext(ctx, w)
	}
	a, err := app.Open(ctx, app.Worker, cfg, log)
	if err != nil {
		return err
	}
	err = a.RunWorker(ctx)
	if closeErr := a.Close(); err == nil {
		err = closeErr
	}
	return err
}
