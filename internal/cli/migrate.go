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
	JSON bool `help:"Print JSON, for programs."`
}

// migrationJSON is the machine's form of a plan, and of a run. Names and
// meanings stay; members may be added.
type migrationJSON struct {
	Database string   `json:"database"` // its URL, without the password
	New      bool     `json:"new"`      // there is none yet: it would be made
	Taken    []string `json:"taken"`    // steps that it has, those of this run included
	Due      []string `json:"due"`      // steps that it lacks
	Now      []string `json:"now"`      // steps that this run took
	// The site's own tables, in the plan for a database that was never migrated:
	// those that are there stay as they are, the others would be made.
	SiteTables *siteTablesJSON `json:"site_tables,omitempty"`
}

type siteTablesJSON struct {
	There   []string `json:"there"`
	Missing []string `json:"missing"`
}

func newMigration(cfg config.Config, steps []store.Migration) migrationJSON {
	out := migrationJSON{Database: cfg.DatabaseURL.String(), Taken: []string{}, Due: []string{}, Now: []string{}}
	for _, m := range steps {
		if m.Applied {
			out.Taken = append(out.Taken, m.Name)
		} else {
			out.Due = append(out.Due, m.Name)
		}
	}
	return out
}

// Run takes the steps that are due, or lists them.
func (c *migrateCmd) Run(ctx context.Context, s *session) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	rows, err := app.OpenRows(ctx, cfg, !c.Plan)
	if c.Plan && errors.Is(err, doctor.ErrNotYet) {
		return c.planNew(s, cfg)
	}
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // every statement was checked
	if c.Plan {
		err = c.plan(ctx, s, cfg, rows)
	} else {
		err = c.migrate(ctx, s, cfg, rows)
	}
	if errors.Is(err, store.ErrSchemaAhead) {
		return fmt.Errorf("DATABASE_URL %s: %w; use the newer version's command", cfg.DatabaseURL, err)
	}
	if err != nil {
		return fmt.Errorf("DATABASE_URL %s: %w", cfg.DatabaseURL, err)
	}
	return nil
}

func (c *migrateCmd) migrate(ctx context.Context, s *session, cfg config.Config, rows *app.Rows) error {
	taken, err := rows.Migrate(ctx)
	if err != nil {
		return err
	}
	if !c.JSON {
		for _, m := range taken {
			s.out.line("taken  %s", m.Name)
		}
	}
	if err := rows.Detect(ctx); err != nil {
		return err
	}
	if c.JSON {
		steps, err := rows.Steps(ctx)
		if err != nil {
			return err
		}
		out := newMigration(cfg, steps)
		for _, m := range taken {
			out.Now = append(out.Now, m.Name)
		}
		return printJSON(s.out, out)
	}
	if len(taken) == 0 {
		s.out.line("Nothing to do: the database is of this program's version.")
		return nil
	}
	s.out.line("Done: %s.", plural(len(taken), "step", "steps"))
	return nil
}

// plan lists the steps, and what they would find of the site's own tables.
func (c *migrateCmd) plan(ctx context.Context, s *session, cfg config.Config, rows *app.Rows) error {
	if err := rows.CheckSchema(ctx); errors.Is(err, store.ErrSchemaAhead) {
		return err
	}
	steps, err := rows.Steps(ctx)
	if err != nil {
		return err
	}
	out := newMigration(cfg, steps)
	if len(out.Taken) == 0 {
		there, missing, err := rows.SiteTables(ctx)
		if err != nil {
			return err
		}
		out.SiteTables = &siteTablesJSON{append([]string{}, there...), append([]string{}, missing...)}
	}
	if c.JSON {
		return printJSON(s.out, out)
	}
	s.list(steps)
	if out.SiteTables == nil {
		return nil
	}
	if there := out.SiteTables.There; len(there) > 0 {
		s.out.line("The site's tables %s are there: no column of theirs is changed or dropped.", strings.Join(there, ", "))
	}
	if missing := out.SiteTables.Missing; len(missing) > 0 {
		s.out.line("The site's tables %s are missing and would be made.", strings.Join(missing, ", "))
	}
	return nil
}

func (c *migrateCmd) planNew(s *session, cfg config.Config) error {
	steps, err := app.Steps(cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		out := newMigration(cfg, steps)
		out.New = true
		return printJSON(s.out, out)
	}
	s.list(steps)
	s.out.line("There is no database at %s yet: it would be made, the site's tables included.", cfg.DatabaseURL)
	return nil
}

// list prints the steps.
func (s *session) list(steps []store.Migration) {
	due := 0
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
}
