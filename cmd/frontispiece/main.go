// Command frontispiece is for operators: doctor, migrate, jobs, retry and
// reconcile. It reads the same environment as the programs and may run beside
// them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/glad-labs/frontispiece/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
