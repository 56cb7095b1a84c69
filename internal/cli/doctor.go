package cli

import (
	"context"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/doctor"
)

type doctorCmd struct {
	JSON bool `help:"Print JSON, for programs."`
}

// Help is what --help says below the usage.
func (*doctorCmd) Help() string {
	return "Exit code: 0 everything works, 1 it works with warnings, 2 something is broken."
}

// Run examines what the configuration names. A configuration that is refused is
// a finding like any other.
func (c *doctorCmd) Run(ctx context.Context, s *session) error {
	cfg, err := s.config()
	var report doctor.Report
	if err != nil {
		report = doctor.Examine(ctx, doctor.Misconfigured(err))
	} else {
		report = examine(ctx, cfg)
	}
	report = report.Redacted(cfg)
	if c.JSON {
		err = report.JSON(s.out)
	} else {
		err = report.Text(s.out, s.style())
	}
	if err != nil {
		return err
	}
	if n := report.ExitCode(); n != exitOK {
		return code(n)
	}
	return nil
}

func examine(ctx context.Context, cfg config.Config) doctor.Report {
	sections, done := app.Examination(ctx, cfg)
	report := doctor.Examine(ctx, sections...)
	_ = done() // nothing was written, and the report is what matters
	return report
}

// style suits whatever the report is written to.
func (s *session) style() doctor.Style {
	width, terminal := columns(s.out.w)
	return doctor.Style{Width: width, Colour: terminal && !s.isSet("NO_COLOR")}
}
