// Package cli is the operators' command: doctor, migrate, jobs, retry,
// usage, reconcile, keys and ping, each a file.
//
// It decides nothing: what it changes it changes through dispatch, as the API
// does, and every command works beside running programs. It reads no input and
// asks no questions, so that it can stand in a script; what a command would do
// is shown by its --plan.
//
// The trap is the embedded mode: the queue is inside the API's process, where
// this one cannot ring. Commands commit the row and say that the API notices.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
)

// The exit codes. The doctor's are its report's: 1 is a warning, 2 is broken.
const (
	exitOK     = 0
	exitFailed = 1 // not done, or not all of it
	exitUsage  = 2 // the arguments make no sense
)

// grammar is the command line.
type grammar struct {
	Doctor    doctorCmd        `cmd:"" help:"Try everything that the programs depend on, and say what to type next."`
	Migrate   migrateCmd       `cmd:"" help:"Bring the database to this program's version. The programs do it by themselves when they start."`
	Jobs      jobsCmd          `cmd:"" help:"List jobs, newest first."`
	Retry     retryCmd         `cmd:"" help:"Send failed jobs back to the stage at which they failed: an upload is retried alone, with the bytes that are paid for."`
	Reconcile reconcileCmd     `cmd:"" help:"Ring whatever the rows say is due, as every worker does every few seconds."`
	Keys      keysCmd          `cmd:"" help:"Make, list and revoke API keys."`
	Backfill  backfillCmd      `cmd:"" help:"Mend published posts that the site left without a picture of their own, or without author, category, tags and dates; and undo it."`
	Reap      reapCmd          `cmd:"" help:"Delete pictures that no post and no draft uses any more. Without --delete it only lists them."`
	Takedown  takedownCmd      `cmd:"" help:"Delete one picture everywhere: bucket, posts, drafts, CDN. Without --yes it only says what that would change."`
	Usage     usageCmd         `cmd:"" help:"What a month's pictures took and cost, and what keeping and delivering them costs."`
	Ping      pingCmd          `cmd:"" help:"For health checks: ask a program of this machine, exit 0 or 1."`
	Version   kong.VersionFlag `help:"Say which version this is."`
}

const description = "The operators' command of Frontispiece. It reads the same environment variables as the programs " +
	"(api -h lists them) and may run beside them."

// session is what a command works with.
type session struct {
	environ []string
	out     *printer
	err     io.Writer
	now     func() time.Time
}

// exit is how kong's --help and --version end: it expects not to be returned to.
type exit int

// code is an exit code whose reason has been printed.
type code int

func (c code) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Run runs the command that args name, without the program's own name, in the
// environment of environ, and returns the exit code. An error is one line on
// stderr that says what is wrong and the fix.
func Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) (exitCode int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exit:
			exitCode = int(r)
		default:
			panic(r)
		}
	}()
	parser, err := kong.New(&grammar{},
		kong.Name("frontispiece"), kong.Description(description), kong.Writers(stdout, stderr),
		kong.Vars{"version": app.About()}, kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return complain(stderr, err) // unreachable: the grammar is ours
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return refuse(parser, stderr, err)
	}
	width, _ := columns(stdout)
	s := &session{environ: environ, out: &printer{w: stdout, width: width}, err: stderr, now: time.Now}
	if err := parsed.Run(s); err != nil {
		return complain(stderr, err)
	}
	if s.out.err != nil {
		return complain(stderr, fmt.Errorf("write the answer: %w", s.out.err))
	}
	return exitOK
}

// refuse answers arguments that make no sense with the usage of the command
// that was meant.
func refuse(parser *kong.Kong, stderr io.Writer, err error) int {
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		parser.Stdout = stderr
		_ = parse.Context.PrintUsage(true) // the line below says what matters
		_, _ = fmt.Fprintln(stderr)
	}
	complain(stderr, err)
	return exitUsage
}

func complain(stderr io.Writer, err error) int {
	var said code
	if errors.As(err, &said) {
		return int(said)
	}
	line := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
	_, _ = fmt.Fprintln(stderr, "frontispiece: "+line) // nowhere left to report it
	return exitFailed
}

// config reads the environment, as the programs do.
func (s *session) config() (config.Config, error) { return config.Load(s.environ) }

// operator opens the rows for a command that works on them.
func (s *session) operator(ctx context.Context) (*app.Operator, config.Config, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, cfg, err
	}
	o, err := app.OpenOperator(ctx, cfg, s.log(cfg))
	return o, cfg, err
}

// log shows warnings, whatever LOG_LEVEL says: these are commands, not services.
func (s *session) log(cfg config.Config) *slog.Logger {
	cfg.LogLevel = max(cfg.LogLevel, slog.LevelWarn)
	return app.Logger(cfg, s.err)
}

// printer remembers the first error of its writer, so that printing reads as a
// text and is checked once.
type printer struct {
	w     io.Writer
	width int // columns of the terminal, 0 for none: a log breaks no lines
	err   error
}

// line prints a line, broken between words where the terminal is narrower.
func (p *printer) line(format string, args ...any) {
	for _, line := range wrap(fmt.Sprintf(format, args...), p.width) {
		p.raw(line)
	}
}

// raw prints a line as it is.
func (p *printer) raw(line string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, line+"\n")
	}
}

// Write implements [io.Writer].
func (p *printer) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	var n int
	n, p.err = p.w.Write(b)
	return n, p.err
}

// plural is a count with its noun, both numbers of it.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
