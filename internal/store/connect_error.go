package store

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// connectError says in one line why a database cannot be used. The drivers'
// own texts have several, and name more of the connection than a log should.
func connectError(err error) error {
	var pg *pgconn.PgError
	var dns *net.DNSError
	var lite *sqlite.Error
	switch {
	case errors.As(err, &pg):
		return postgresRefusal(pg)
	case errors.As(err, &dns):
		return errors.New("there is no host of this name; check the spelling and the DNS")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens at this host and port; is the database running?")
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return errors.New("no answer in time; is the host right, and does a firewall let us through?")
	case errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_CANTOPEN:
		return errors.New("the file cannot be opened or made; check the path and who may write there")
	case errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_NOTADB:
		return errors.New("the file is there and is no SQLite database")
	case errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_READONLY:
		return errors.New("the file, or its folder, may not be written")
	default:
		return errors.New("the database cannot be used: " + innermost(err).Error())
	}
}

func postgresRefusal(pg *pgconn.PgError) error {
	// Its code, 08P01, is that of every breach of the protocol.
	if strings.Contains(pg.Message, "startup parameter") {
		return errors.New("a pooler stands before the server and refuses our settings; " +
			"append default_query_exec_mode=exec to the URL's query, and set statement_timeout and lock_timeout on the role")
	}
	switch pg.Code {
	case "28P01", "28000":
		return errors.New("the server refuses this user or password")
	case "3D000":
		return errors.New("the server has no database of this name; create it first")
	case "53300":
		return errors.New("the server has no connection left; raise its max_connections or run fewer processes")
	case "57P03":
		return errors.New("the server is starting up; try again in a moment")
	default:
		return errors.New("the server says: " + pg.Message)
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// innermost is the cause at the bottom, without what was wrapped around it.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
