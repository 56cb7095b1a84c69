package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/store"
)

// ErrNotYet is returned for what the first start will make.
var ErrNotYet = errors.New("not there yet: the first start makes it")

// Database is a database that answers.
type Database interface {
	// Server is what it calls itself, with its version.
	Server(ctx context.Context) (string, error)
	// Unlimited lists the time-outs that this connection lacks; none where the
	// database has no such thing.
	Unlimited(ctx context.Context) ([]string, error)
	// TryWrite returns nil when rows may be changed.
	TryWrite(ctx context.Context) error
	// Steps lists the migrations; it changes nothing.
	Steps(ctx context.Context) ([]store.Migration, error)
	// CheckSchema returns store.ErrSchemaAhead or store.ErrSchemaBehind.
	CheckSchema(ctx context.Context) error
	// Detect refuses site tables in which a required column is missing.
	Detect(ctx context.Context) error
	// APIKeys lists all keys that were ever made.
	APIKeys(ctx context.Context) ([]store.APIKey, error)
	Close() error
}

type database struct {
	open func(context.Context) (Database, error)
	db   Database
	at   string
	// access is what the keys are judged by.
	access Access
	// migrated says that our tables are there to be tried.
	migrated, behind bool
}

// Databases examines the database at an address, which is shown and so must be
// redacted, and the API keys in it. open returns [ErrNotYet] where a first start
// makes it.
func Databases(at string, access Access, open func(context.Context) (Database, error)) Section {
	d := &database{open: open, at: at, access: access}
	return Section{
		Name: "Database",
		Checks: []Check{
			{Name: "database", Tries: "connect to " + at, Run: d.connect},
			{Name: "time-outs", Tries: "ask which limits hold for our statements", Needs: "database", Run: d.timeouts},
			{Name: "schema", Tries: "compare its tables with this program's", Needs: "database", Run: d.schema},
			{Name: "site tables", Tries: "look for the columns that publishing needs", Needs: "schema", Run: d.siteTables},
			{Name: "writing", Tries: "send an UPDATE that matches no row", Needs: "schema", Run: d.writing},
			{Name: "API keys", Tries: "count those that open something, by role", Needs: "schema", Run: d.keys},
		},
		Close: d.close,
	}
}

func (d *database) close() {
	if d.db != nil {
		_ = d.db.Close() // nothing was written
	}
}

func (d *database) connect(ctx context.Context) Outcome {
	start := time.Now()
	db, err := d.open(ctx)
	if errors.Is(err, ErrNotYet) {
		return Outcome{Skipped, "it is " + ErrNotYet.Error(), "frontispiece migrate makes it now"}
	}
	if err != nil {
		return broken(d.advice(), "%v", err)
	}
	server, err := db.Server(ctx)
	if err != nil {
		_ = db.Close() // the other error says more
		return broken(d.advice(), "it answers and refuses a query: %v", err)
	}
	d.db = db
	return ok("%s, in %s", server, rounded(time.Since(start)))
}

func (d *database) advice() string {
	if strings.HasPrefix(d.at, "sqlite") {
		_, path, _ := strings.Cut(d.at, ":")
		return "ls -l " + path
	}
	return `psql "$DATABASE_URL" -c 'SELECT 1'`
}

// timeouts warns of a pooler between us and the server: it takes no settings
// with a connection, and a statement or a lock that hangs would hang for ever.
func (d *database) timeouts(ctx context.Context) Outcome {
	missing, err := d.db.Unlimited(ctx)
	switch {
	case err != nil:
		return warning("frontispiece doctor, again", "it does not tell: %v", err)
	case len(missing) == 0:
		return ok("no statement or lock is waited for endlessly")
	}
	return warning("ALTER ROLE … SET statement_timeout = '15s', lock_timeout = '5s' and idle_in_transaction_session_timeout = '30s', one statement each, for the user of DATABASE_URL",
		"no %s: a pooler stands between and takes no settings with a connection", strings.Join(missing, ", no "))
}

func (d *database) schema(ctx context.Context) Outcome {
	steps, err := d.db.Steps(ctx)
	if err != nil {
		return broken("frontispiece migrate --plan", "%v", err)
	}
	due := 0
	for _, s := range steps {
		if !s.Applied {
			due++
		}
	}
	if due == len(steps) {
		return warning("frontispiece migrate", "none of ours is there; the first start makes them, or")
	}
	d.migrated = true
	switch err := d.db.CheckSchema(ctx); {
	case errors.Is(err, store.ErrSchemaAhead):
		return broken("deploy the newer version here as well", "%v", err)
	case errors.Is(err, store.ErrSchemaBehind):
		d.behind = true
		return warning("frontispiece migrate", "%v; the next start does it, or", err)
	case err != nil:
		return broken("frontispiece migrate --plan", "%v", err)
	}
	return ok("at step %d, as this program", steps[len(steps)-1].Version)
}

func (d *database) siteTables(ctx context.Context) Outcome {
	if !d.migrated {
		return skipped("frontispiece migrate makes those that are missing")
	}
	if err := d.db.Detect(ctx); err != nil {
		return broken("restore the column, or point DATABASE_URL at the site's database", "%v", err)
	}
	return ok("all there")
}

func (d *database) writing(ctx context.Context) Outcome {
	if !d.migrated {
		return skipped("there is no table of ours yet")
	}
	if err := d.db.TryWrite(ctx); err != nil {
		return broken("point DATABASE_URL at the primary, with a user that may write", "refused: %v", err)
	}
	return ok("allowed")
}

// rounded is a duration for people.
func rounded(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
