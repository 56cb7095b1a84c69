package app

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/telemetry"
)

// Usage answers -h and --version, and refuses any other argument: the
// configuration is the environment. done means that there is nothing to run.
func Usage(args []string, stdout io.Writer) (done bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		_, err = io.WriteString(stdout, config.Reference())
	case "-version", "--version", "version":
		_, err = fmt.Fprintln(stdout, About())
	default:
		err = fmt.Errorf("unknown argument %q: everything is set by environment variables; -h lists them", args[0])
	}
	return true, err
}

// Logger is the program's log, as configured.
func Logger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(telemetry.LogHandler(slog.NewJSONHandler(w, options)))
	}
	return slog.New(telemetry.LogHandler(slog.NewTextHandler(w, options)))
}
