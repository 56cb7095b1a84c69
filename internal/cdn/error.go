package cdn

import (
	"fmt"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// The codes of an [Error].
const (
	CodeNotFoundYet    = "not_found_yet"   // 404 or 403: not there yet, or unreadable by the CDN
	CodePrivateBucket  = "private_bucket"  // 403 from the bucket itself, with no CDN before it
	CodeForbidden      = "forbidden"       // readers are asked for a password
	CodeRedirected     = "redirected"      // readers are sent to another host
	CodeDigestMismatch = "digest_mismatch" // other bytes than were put
	CodeUnavailable    = "unavailable"     // 5xx and whatever else is no picture
	CodeUnreachable    = "unreachable"     // no connection, or it broke
	CodeTimeout        = "timeout"
	CodeCanceled       = "canceled" // the caller stopped
)

// Error is why an object could not be proved to be readable.
type Error struct {
	Code  string
	Class editorial.Class
	// Config says that every picture will fail like this until an operator
	// changes something.
	Config  bool
	Message string // for a person: what is wrong and the fix
	Err     error  // the cause; nil when there is none
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func transientf(code string, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Class: editorial.Transient, Message: fmt.Sprintf(format, args...), Err: cause}
}

// configf is transient: the same object will verify once the setting is right.
func configf(code, format string, args ...any) *Error {
	e := transientf(code, nil, format, args...)
	e.Config = true
	return e
}

func canceled(cause error) *Error {
	return &Error{Code: CodeCanceled, Class: editorial.Canceled, Message: "stopped on our side", Err: cause}
}
