package blob

import (
	"context"
	"errors"
	"fmt"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// The codes of an [Error]. The comment says who has to act.
const (
	CodeAccessDenied   = "access_denied"   // operator: the credentials may not do this
	CodeBadCredentials = "bad_credentials" // operator: unknown key, wrong secret, expired token
	CodeNoCredentials  = "no_credentials"  // operator: none were found
	CodeNoSuchBucket   = "no_such_bucket"  // operator: wrong name or not created
	CodeWrongRegion    = "wrong_region"    // operator
	CodeClockSkew      = "clock_skew"      // operator: this machine's clock is wrong
	CodeTLS            = "tls"             // operator: the server's certificate is not trusted
	CodeNotSupported   = "not_supported"   // operator: the store or the disk lacks something we need
	CodeReadOnly       = "read_only"       // operator: the directory cannot be written
	CodeFull           = "full"            // operator or time: no room left
	CodeSlowDown       = "slow_down"       // time
	CodeUnavailable    = "unavailable"     // time: the store answers 5xx
	CodeUnreachable    = "unreachable"     // time: no connection, or it broke
	CodeTimeout        = "timeout"         // time
	CodeConflict       = "conflict"        // time: another put of this key is under way
	CodeBadDigest      = "bad_digest"      // time: the bytes were damaged on their way
	CodeRefused        = "refused"         // the store answers 4xx to this object
	CodeTooLarge       = "too_large"       // nobody: the store will never take it
	CodeKeyTaken       = "key_taken"       // nobody: the key holds another picture
	CodeBadObject      = "bad_object"      // a bug of ours: no valid key, digest or size
	CodeCanceled       = "canceled"        // the caller stopped
	CodeUnexpected     = "unexpected"      // an error that has no better name
)

// Error is why a bucket did not do as it was told.
type Error struct {
	Code string
	// Class is Transient even for a configuration error: the bytes are kept and
	// the same put works once somebody has mended it.
	Class editorial.Class
	// Config says that every put will fail like this until an operator changes
	// something, so uploads should stop, loudly, until [Bucket.Check] works.
	Config  bool
	Message string // for a person: what is wrong and the fix; holds no secret
	Err     error  // the cause, for logs and errors.Is; nil when there is none
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Transientf is an error that passes by itself.
func Transientf(code string, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Class: editorial.Transient, Message: fmt.Sprintf(format, args...), Err: cause}
}

// Terminalf is an error that the same object will meet again.
func Terminalf(code string, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Class: editorial.Terminal, Message: fmt.Sprintf(format, args...), Err: cause}
}

// Configf is an error that lasts until an operator changes something.
func Configf(code string, cause error, format string, args ...any) *Error {
	e := Transientf(code, cause, format, args...)
	e.Config = true
	return e
}

// ContextError is the [*Error] of a context that has ended, nil while it has
// not. Both buckets ask it first, since a canceled call fails in many ways.
func ContextError(ctx context.Context) *Error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return Transientf(CodeTimeout, err, "not done within the time allowed")
	default:
		return &Error{Code: CodeCanceled, Class: editorial.Canceled, Message: "stopped on our side", Err: err}
	}
}

// AsError is err as an [*Error]. Anything that is none is taken as transient,
// since giving up on a picture needs a reason that somebody stated.
func AsError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	default:
		return Transientf(CodeUnexpected, err, "%v", err)
	}
}
