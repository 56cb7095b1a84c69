package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/glad-labs/frontispiece/internal/app"
	"github.com/glad-labs/frontispiece/internal/config"
	"github.com/glad-labs/frontispiece/internal/doctor"
	"github.com/glad-labs/frontispiece/internal/store"
)

type migrateCmd struct {
	Plan bool `help:"Say what would be done, and do nothing."`
}

// Run takes the steps that are due, or lists them.
func (c *migrateCmd) Run(ctx context.Context, s *session) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	rows, err := app.OpenRows(ctx, cfg, !c.Plan)
	if c.Plan && errors.Is(err, doctor.ErrNotYet) {
		return s.planNew(cfg)
	}
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // every statement was checked
	if c.Plan {
		err = s.plan(ctx, rows)
	} else {
		err = s.migrate(ctx, rows)
	}
	if errors.Is(err, store.ErrSchemaAhead) {
		return fmt.Errorf("DATABASE_URL %s: %w; use the newer version's command", cfg.DatabaseURL, err)
	}
	if err != nil {
		return fmt.Errorf("DATABASE_URL %s: %w", cfg.DatabaseURL, err)
	}
	return nil
}

func (s *session) migrate(ctx context.Context, rows *app.Rows) error {
	taken, err := rows.Migrate(ctx)
	if err != nil {
		return err
	}
	for _, m := range taken {
		s.out.line("taken  %s", m.Name)
	}
	if err := rows.Detect(ctx); err != nil {
		return err
	}
	if len(taken) == 0 {
		s.out.line("Nothing to do: the database is of this program's version.")
		return nil
	}
	s.out.line("Done: %s.", plural(len(taken), "step", "steps"))
	return nil
}

// plan lists the steps, and what they would find of the site's own tables.
func (s *session) plan(ctx context.Context, rows *app.Rows) error {
	steps, err := rows.Steps(ctx)
	if err != nil {
		return err
	}
	due := s.list(steps)
	if due == len(steps) {
		there, missing, err := rows.SiteTables(ctx)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			s.out.line("The site's tables %s are there: no column of theirs is changed or dropped.", strings.Join(there, ", "))
		}
		if len(missing) > 0 {
			s.out.line("The site's tables %s are missing and would be made.", strings.Join(missing, ", "))
		}
		return nil
	}
	if err := rows.CheckSchema(ctx); errors.Is(err, store.ErrSchemaAhead) {
		return err
	}
	return nil
}

func (s *session) planNew(cfg config.Config) error {
	steps, err := app.Steps(cfg)
	if err != nil {
		return err
	}
	s.list(steps)
	s.out.line("There is no database at %s yet: it would be made, the site's tables included.", cfg.DatabaseURL)
	return nil
}

// list prints the steps and returns how many are due.
func (s *session) list(steps []store.Migration) (due int) {
	for _, m := range steps {
		state := "taken"
		if !m.Applied {
			state = "due"
			due++
		}
		s.out.line("%-6s %s", state, m.Name)
	}
	if due == 0 {
		s.out.line("Nothing to do.")
	} else {
		s.out.line("%s to take: frontispiece migrate", plural(due, "step", "steps"))
	}
	return due
}
