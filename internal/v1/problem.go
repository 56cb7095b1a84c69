package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// Problem is every error's body: RFC 9457, with a code to branch on and the
// fields to mark in a form. Its type is always about:blank and left out.
type Problem struct {
	Title     string         `json:"title" doc:"What the status means" example:"Conflict"`
	Status    int            `json:"status" example:"409"`
	Code      string         `json:"code" doc:"Stable, lower_snake_case: branch on this" example:"picture_changed"`
	Detail    string         `json:"detail" doc:"What is wrong and what would be right, for a person"`
	Instance  string         `json:"instance,omitempty" doc:"The path that was asked"`
	RequestID string         `json:"request_id,omitempty" doc:"Also in the answer's X-Request-ID; quote it to the operators"`
	Errors    []FieldError   `json:"errors,omitempty" nullable:"false" doc:"The fields to blame, when there are any"`
	Details   map[string]any `json:"details,omitempty" doc:"Facts that belong to the code"`

	headers http.Header
}

// FieldError blames one field.
type FieldError struct {
	Field   string `json:"field" doc:"As the client spelled it: a member of the body, a query parameter or a header" example:"prompt"`
	Message string `json:"message" example:"must be 3 to 500 characters long, got 2"`
}

const problemType = "application/problem+json"

// Error, GetStatus, GetHeaders and ContentType make a Problem an answer of huma's.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that belong to the error.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType replaces what was negotiated.
func (p *Problem) ContentType(string) string { return problemType }

// statuses is the one table of what each kind of error answers.
var statuses = map[editorial.Kind]int{
	editorial.Invalid:      http.StatusUnprocessableEntity,
	editorial.NotFound:     http.StatusNotFound,
	editorial.Gone:         http.StatusGone,
	editorial.Conflict:     http.StatusConflict,
	editorial.Mismatch:     http.StatusUnprocessableEntity,
	editorial.Forbidden:    http.StatusForbidden,
	editorial.Unauthorized: http.StatusUnauthorized,
	editorial.Limited:      http.StatusTooManyRequests,
	editorial.Unavailable:  http.StatusServiceUnavailable,
	editorial.Full:         http.StatusInsufficientStorage,
}

// codes are those of errors that arise before dispatch is asked.
var codes = map[int]string{
	http.StatusBadRequest:            "bad_request",
	http.StatusRequestTimeout:        "timeout",
	http.StatusRequestEntityTooLarge: "body_too_large",
	http.StatusUnsupportedMediaType:  "wrong_content_type",
	http.StatusUnprocessableEntity:   "invalid",
	http.StatusNotAcceptable:         "not_acceptable",
	http.StatusMethodNotAllowed:      "method_not_allowed",
}

func newProblem(status int, code, format string, args ...any) *Problem {
	return &Problem{Title: title(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

func title(status int) string {
	if s := http.StatusText(status); s != "" {
		return s
	}
	return "Error " + strconv.Itoa(status)
}

// problemOf is any error as an answer. What is no editorial.Error is ours to
// read and not the client's: it is logged and answered in general words.
func (a *API) problemOf(ctx context.Context, err error) *Problem {
	var p *Problem
	var e *editorial.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &e):
		return problemFor(e)
	case errors.Is(err, store.ErrNotFound):
		return newProblem(http.StatusNotFound, "not_found", "there is no such thing here")
	case ctx.Err() != nil:
		return newProblem(http.StatusServiceUnavailable, "canceled", "the request ended before its answer was ready")
	case store.IsFull(err):
		a.Log.ErrorContext(ctx, "the database's disk is full", "error", err)
		return newProblem(http.StatusInsufficientStorage, "full", "there is no room to store this; nothing was changed")
	case store.IsUnavailable(err):
		a.Log.ErrorContext(ctx, "the database does not answer", "error", err)
		return retryLater(newProblem(http.StatusServiceUnavailable, "database_unavailable",
			"the database does not answer at the moment; try again in a few seconds"), unavailablePause)
	default:
		a.Log.ErrorContext(ctx, "a request failed", "error", err)
		return newProblem(http.StatusInternalServerError, "internal", "something went wrong on our side; the operators' log has the reason under this request id")
	}
}

// What a client is told to wait when nobody knows better, in seconds.
const (
	unavailablePause = 5
	limitedPause     = 10
)

// howToSend are the codes of those who seem not to know how to say who they are.
var howToSend = map[string]bool{"missing_credentials": true, "invalid_header": true}

func problemFor(e *editorial.Error) *Problem {
	status, ok := statuses[e.Kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	code := e.Code
	if code == "" {
		code = string(e.Kind)
	}
	p := newProblem(status, code, "%s", e.Error())
	if e.Kind == editorial.Unauthorized && howToSend[code] {
		p.Detail += "; send Authorization: Bearer followed by the site's access token or an API key (fp_…)"
	}
	if e.Field != "" {
		p.Errors = []FieldError{{Field: e.Field, Message: e.Message}}
	}
	p.Details = e.Details
	if e.Kind == editorial.Limited {
		seconds, ok := e.Details["retry_after"].(int)
		if !ok || seconds < 1 {
			seconds = limitedPause
		}
		return retryLater(p, seconds)
	}
	return p
}

func retryLater(p *Problem, seconds int) *Problem {
	p.headers = http.Header{"Retry-After": {strconv.Itoa(seconds)}}
	return p
}

// place fills in where the problem arose. The request id is the one that
// whoever stands around this API has put into the answer.
func (p *Problem) place(w http.ResponseWriter, r *http.Request) *Problem {
	p.Instance = r.URL.Path
	p.RequestID = w.Header().Get("X-Request-ID")
	return p
}

// WriteError answers with any error as a Problem: for what stands before the
// API, such as rate limits.
func (a *API) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problemOf(r.Context(), err).place(w, r)
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client hung up: nobody to tell
}

// asProblem is the huma transformer through which every error passes: huma's
// own become Problems, and all of them learn where they arose. The value that
// was wrong is not echoed: it may be long, or a secret in the wrong place.
func asProblem(ctx huma.Context, _ string, v any) (any, error) {
	r, w := humago.Unwrap(ctx)
	switch e := v.(type) {
	case *Problem:
		return e.place(w, r), nil
	case *huma.ErrorModel:
		return fromHuma(e).place(w, r), nil
	default:
		return v, nil
	}
}

func fromHuma(e *huma.ErrorModel) *Problem {
	code, ok := codes[e.Status]
	if !ok {
		code = "invalid"
	}
	p := newProblem(e.Status, code, "%s", e.Detail)
	for _, detail := range e.Errors {
		if detail != nil {
			p.Errors = append(p.Errors, fieldError(detail))
		}
	}
	if len(p.Errors) > 0 {
		p.Detail = p.Errors[0].Field + ": " + p.Errors[0].Message
		if more := len(p.Errors) - 1; more > 0 {
			p.Detail += fmt.Sprintf(" (and %d more)", more)
		}
	}
	return p
}

// fieldError turns "body.keywords[3]" into "keywords[3]", and blames a missing
// member by its own name instead of the object that lacks it.
func fieldError(d *huma.ErrorDetail) FieldError {
	field := d.Location
	for _, prefix := range []string{"body.", "query.", "path.", "header."} {
		field = strings.TrimPrefix(field, prefix)
	}
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	if rest, ok := strings.CutPrefix(d.Message, before); ok && strings.HasSuffix(rest, after) {
		name := strings.TrimSuffix(rest, after)
		if field != "body" {
			name = field + "." + name
		}
		return FieldError{Field: name, Message: "is required"}
	}
	return FieldError{Field: field, Message: inWords(d.Message)}
}

// phrases turn huma's messages into advice: what begins with the first is said
// with the second, in which %s is the rest.
var phrases = []struct{ prefix, advice string }{
	{"unexpected property", "there is no such field"},
	{"unknown query parameter", "there is no such parameter"},
	{"expected length >= ", "must be at least %s characters long"},
	{"expected length <= ", "must be at most %s characters long"},
	{"expected number >= ", "must be at least %s"},
	{"expected number <= ", "must be at most %s"},
	{"expected array length >= ", "must have at least %s items"},
	{"expected array length <= ", "must have at most %s items"},
	{"expected array items to be unique", "must not name anything twice"},
	{"expected value to be one of ", "must be one of %s"},
	{"expected value to match exactly one schema", "must have one of the forms that the documentation shows"},
	{"expected string to be RFC 4122 uuid", "must be a UUID"},
	{"expected string to be ", "must be %s"},
	{"expected string", "must be a string"},
	{"expected boolean", "must be true or false"},
	{"expected integer", "must be a whole number"},
	{"invalid integer", "must be a whole number"},
	{"expected number", "must be a number"},
	{"expected array", "must be a list"},
	{"expected object", "must be an object"},
}

func inWords(message string) string {
	for _, p := range phrases {
		if rest, ok := strings.CutPrefix(message, p.prefix); ok {
			return strings.ReplaceAll(p.advice, "%s", rest)
		}
	}
	return message
}
