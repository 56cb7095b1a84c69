package editorial

import (
	"fmt"
	"strings"
	"time"
)

// Class says whether trying the same thing again can help.
type Class string

// The classes of a failure.
const (
	Transient Class = "transient" // the same call may work later
	Terminal  Class = "terminal"  // the same call will fail again
	Canceled  Class = "canceled"  // we asked for it to stop
)

// Failure is what is recorded when something went wrong (promise P10). It is
// stored as JSON on the job and the image and shown to clients, so it never
// holds a secret and no member of it is ever empty; build it with [NewFailure].
type Failure struct {
	Code     string    `json:"code"` // lower_snake_case, stable: clients branch on it
	Stage    Stage     `json:"stage"`
	Class    Class     `json:"class"`
	Provider string    `json:"provider"` // the generator, "s3", "file", "cdn", "worker"
	Message  string    `json:"message"`  // one sentence for a person
	At       time.Time `json:"at"`
}

// maxFailureMessage bounds what a chatty server can write into our rows.
const maxFailureMessage = 500

// NewFailure builds a Failure and fills what the caller left empty: an error
// without text is the disease that made the site's operators read "failed ()"
// for weeks.
func NewFailure(code string, stage Stage, class Class, provider, message string) *Failure {
	if code == "" {
		code = "unknown"
	}
	if class == "" {
		class = Transient
	}
	if provider == "" {
		provider = "worker"
	}
	message = strings.TrimSpace(strings.ToValidUTF8(message, "?"))
	if message == "" {
		message = fmt.Sprintf("%s gave no reason (%s)", provider, code)
	}
	if r := []rune(message); len(r) > maxFailureMessage {
		message = string(r[:maxFailureMessage-1]) + "…"
	}
	return &Failure{Code: code, Stage: stage, Class: class, Provider: provider, Message: message}
}

// Error makes a Failure an error that says everything in one line.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: %s at %s (%s): %s", f.Provider, f.Code, f.Stage, f.Class, f.Message)
}

// Kind is the category of an [Error]; the HTTP packages own the table from
// kind to status code.
type Kind string

// The kinds of error that a caller can act on.
const (
	Invalid      Kind = "invalid"      // the request is wrong; Field says where
	NotFound     Kind = "not_found"    // no such thing, or not yours to see
	Gone         Kind = "gone"         // it was there and was taken down
	Conflict     Kind = "conflict"     // the thing is not in the state that the request needs
	Mismatch     Kind = "mismatch"     // same idempotency key, other body
	Forbidden    Kind = "forbidden"    // the caller is known and may not
	Unauthorized Kind = "unauthorized" // the caller is not known
	Limited      Kind = "limited"      // too much of it; try later
	Unavailable  Kind = "unavailable"  // nothing configured or reachable can do it
	Full         Kind = "full"         // no room to store
)

// Error is an answer to a caller who asked for something that cannot be done.
// Anything that is not an Error is internal: it is logged, never shown.
type Error struct {
	Kind    Kind
	Code    string // stable, lower_snake_case; empty means the kind itself
	Field   string // the request's field, in the caller's spelling; empty when none is to blame
	Message string // what is wrong and what would be right
	Details map[string]any
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// Invalidf says that a field is wrong and what would be right.
func Invalidf(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Code: "invalid", Field: field, Message: fmt.Sprintf(format, args...)}
}

// NotFoundf says that there is no such thing.
func NotFoundf(format string, args ...any) *Error {
	return &Error{Kind: NotFound, Code: "not_found", Message: fmt.Sprintf(format, args...)}
}

// Conflictf says that the thing is not in the state that the request needs.
// code tells the conflicts apart.
func Conflictf(code, format string, args ...any) *Error {
	return &Error{Kind: Conflict, Code: code, Message: fmt.Sprintf(format, args...)}
}
