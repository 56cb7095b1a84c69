// Package imagegen says what a generator of pictures is: something that turns
// a [Request] into bytes, or into an [Error] that says whether asking again can
// help. Each backend lives in a folder of its own and passes the suite in
// imagegentest; the chain asks them in order.
//
// It deliberately neither judges the bytes (package picture) nor stores them
// (packages spool and blob), and it holds no state between calls: whatever a
// restarted worker needs is in the Request.
package imagegen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Request is one picture to make.
type Request struct {
	ImageID        string // ours; backends that take an id of the caller's get this one
	Title          string // what a typographic cover sets; may be empty
	Prompt         string
	NegativePrompt string
	Keywords       []string
	Width, Height  int // pixels; a backend that cannot answers the nearest it can
	Steps          int // 0: the backend's default
	Guidance       float64
	Seed           int64 // always chosen by us
	Page           int   // stock photos: which page of results
	SourceURL      string
	Credit         *editorial.Credit // whose picture SourceURL is; nil when nobody said
	// ProviderJobID is what an earlier, interrupted call passed to Started:
	// resume that job instead of paying for another.
	ProviderJobID string

	// Started, when not nil, must be called with the provider's job id before
	// waiting for it. Its error ends the call: an id that could not be stored
	// would be paid for twice.
	Started func(ctx context.Context, providerJobID string) error
	// Progress, when not nil, may be called often; it throttles by itself and
	// never waits.
	Progress func(Progress)
}

// Progress is how far a picture is. Unknown members are negative or empty.
type Progress struct {
	Percent     float64 // 0 to 100
	Stage       string
	Step, Steps int
	Preview     []byte // a small JPEG or PNG
}

// Result is a picture as the backend answered it, unjudged.
type Result struct {
	Bytes []byte
	Seed  int64  // what the backend reports, else the request's
	Model string // empty when the backend does not say
	// Version is that of the backend's program, empty when it does not say.
	Version string
	// Params are what was asked of the backend, in its own words. "prompt" and
	// "negative_prompt" are the texts as they were sent.
	Params map[string]any
	Credit *editorial.Credit
	// AltText is what the source says is on the picture; empty when it says
	// nothing. A client's own alt text goes before it.
	AltText string
	// Cost of this one picture in US dollars; nil when unknown, which is not 0.
	Cost *float64
}

// Generator makes pictures. Implementations are safe for concurrent use and
// honour ctx; every error that they return is an [*Error] or wraps ctx's.
type Generator interface {
	// Name is the backend's, lower case, stable: it is stored with every
	// picture and part of image.source. "card", "sdcpp", "pexels".
	Name() string
	// Generate makes one picture. The same Request gives an equal picture
	// where the backend can promise that.
	Generate(ctx context.Context, req Request) (Result, error)
	// Health returns nil when the backend could take a request now.
	Health(ctx context.Context) error
}

// Canceler is implemented by backends that can stop a job of ours and no other.
type Canceler interface {
	Cancel(ctx context.Context, providerJobID string) error
}

// Stock is implemented by generators that find pictures instead of making
// them; the seed's use_pexels asks for these and use_generation for the rest.
type Stock interface {
	Generator
	IsStock()
}

// Error is why a backend did not answer with a picture.
type Error struct {
	Class   editorial.Class
	Code    string // lower_snake_case: "refused", "timeout", "moderation_blocked"
	Message string // for a person; never holds a key, never empty
	// RetryAfter is the backend's own wish; 0 when it has none.
	RetryAfter time.Duration
	// Unreachable: nothing was asked of the backend, so no attempt is counted
	// and the caller waits for Health.
	Unreachable bool
	Err         error
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%s): %s", e.Code, e.Class, e.Message) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Terminalf is an error that the same request will meet again.
func Terminalf(code, format string, args ...any) *Error {
	return &Error{Class: editorial.Terminal, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Transientf is an error that may pass.
func Transientf(code, format string, args ...any) *Error {
	return &Error{Class: editorial.Transient, Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsError is err as an [*Error]; anything that is none is taken as transient,
// since giving up on a picture needs a reason that somebody stated.
func AsError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Class: editorial.Transient, Code: "timeout", Message: "no answer within the time allowed", Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Class: editorial.Canceled, Code: "canceled", Message: "stopped on our side", Err: err}
	default:
		return &Error{Class: editorial.Transient, Code: "unexpected", Message: err.Error(), Err: err}
	}
}
