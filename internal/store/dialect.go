package store

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is everything in which the two databases differ. Statements are
// written once, with these marks:
//
//	{now}     the database's time
//	{month}   its month in UTC, 2006-01; {month finalized_at} that of a column
//	{now+?}   the same, so many seconds later (a float64 argument)
//	{lock}    FOR NO KEY UPDATE where rows can be locked: it lets through the
//	          key share that inserting an event takes on its job
//	{uuids ?} a list of UUIDs as the posts.tag_ids column wants it
type dialect struct {
	name         string
	bind         int
	marks        *strings.Replacer
	singleWriter bool
	// insertsInWith: a WITH may hold INSERTs.
	insertsInWith bool
	isRetryable   func(error) bool

	statements sync.Map // as written -> as sent
}

// Times are RFC 3339, UTC, milliseconds: readable by a person, sortable as text.
const sqliteNow = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now'`

func newPostgres() *dialect {
	return &dialect{
		name: "postgres",
		bind: sqlx.DOLLAR,
		marks: strings.NewReplacer(
			// Milliseconds, as times travel: a cursor would skip what lies between.
			"{now}", "date_trunc('milliseconds', statement_timestamp())",
			"{now+?}", "(date_trunc('milliseconds', statement_timestamp()) + CAST(? AS double precision) * interval '1 second')",
			"{month}", "to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM')",
			"{month finalized_at}", "to_char(finalized_at AT TIME ZONE 'UTC', 'YYYY-MM')",
			"{lock}", "FOR NO KEY UPDATE",
			"{uuids ?}", "CAST(? AS uuid[])",
		),
		insertsInWith: true,
		isRetryable:   isRetryablePostgres,
	}
}

func newSQLite() *dialect {
	return &dialect{
		name: "sqlite",
		bind: sqlx.QUESTION,
		marks: strings.NewReplacer(
			"{now}", sqliteNow+")",
			"{now+?}", sqliteNow+", CAST(? AS TEXT) || ' seconds')",
			"{month}", "strftime('%Y-%m', 'now')",
			"{month finalized_at}", "substr(finalized_at, 1, 7)",
			"{lock}", "",
			"{uuids ?}", "?",
		),
		singleWriter: true,
		isRetryable:  isRetryableSQLite,
	}
}

// sql is a statement as the database wants it; the work is done once a statement.
func (d *dialect) sql(query string) string {
	if sent, ok := d.statements.Load(query); ok {
		return sent.(string)
	}
	sent := d.expand(query)
	d.statements.Store(query, sent)
	return sent
}

// expand is sql for statements whose text depends on their arguments.
func (d *dialect) expand(query string) string {
	return sqlx.Rebind(d.bind, d.marks.Replace(query))
}

// isRetryablePostgres: serialization failure, deadlock, lock timeout. A lost
// connection is not among them: whether its commit happened is unknown.
func isRetryablePostgres(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "55P03") || isStalePlan(err)
}

// isStalePlan: the site changed a table's columns since this connection first
// read them all. The driver has forgotten the statement; asking again works.
func isStalePlan(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "0A000"
}

func isRetryableSQLite(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_BUSY
}

// IsDuplicate reports whether err is a broken unique constraint.
func IsDuplicate(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// IsFull reports whether the disk under the database is full.
func IsFull(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "53100"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_FULL
}

// IsUnavailable reports whether the database could not be reached, as opposed
// to having refused the statement.
func IsUnavailable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// 08: connection, 57P: shutting down or starting up, 53300: too many clients.
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P") || pg.Code == "53300"
	}
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}
