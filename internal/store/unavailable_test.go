package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/glad-labs/frontispiece/internal/store"
)

// Whoever asks while the database is away is told to come back (503); the text
// of a driver that was cut off must not become an internal error (500).
func TestWhatSaysThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{refused, true},
		{pgconn.ErrConnClosed, true}, // the server went while we held the connection
		{io.ErrUnexpectedEOF, true},
		{context.DeadlineExceeded, true},        // it hangs
		{&pgconn.PgError{Code: "57P01"}, true},  // shut down by its operator
		{&pgconn.PgError{Code: "57P03"}, true},  // starting up
		{&pgconn.PgError{Code: "08P01"}, true},  // a pooler whose server is away
		{&pgconn.PgError{Code: "53300"}, true},  // no connection left
		{&pgconn.PgError{Code: "23505"}, false}, // an answer
		{&pgconn.PgError{Code: "53100"}, false}, // an answer as well: the disk is full
		{store.ErrNotFound, false},
		{context.Canceled, false}, // the client has gone
		{errors.New("a mistake of ours"), false},
		{nil, false},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("commit: %w", err)
		}
		if got := store.IsUnavailable(err); got != c.want {
			t.Errorf("IsUnavailable(%v) = %v, want %v", err, got, c.want)
		}
	}
}
