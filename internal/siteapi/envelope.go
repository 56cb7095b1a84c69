package siteapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/glad-labs/frontispiece/internal/editorial"
	"github.com/glad-labs/frontispiece/internal/store"
)

// envelope is the site's error body. The front ends read message in some calls
// and detail in others, so both say the same.
type envelope struct {
	ErrorCode string         `json:"error_code"`
	Message   string         `json:"message"`
	Detail    string         `json:"detail"`
	Details   map[string]any `json:"details"`
	RequestID string         `json:"request_id"`
}

// Kinds that only HTTP knows.
const (
	tooLarge    editorial.Kind = "too_large"
	badMethod   editorial.Kind = "bad_method"
	stillMaking editorial.Kind = "still_making" // the picture, when SyncWait has passed
)

// answers is the one table from what went wrong to what HTTP calls it.
var answers = map[editorial.Kind]struct {
	status int
	code   string
}{
	editorial.Invalid:      {http.StatusBadRequest, "VALIDATION_ERROR"},
	editorial.NotFound:     {http.StatusNotFound, "NOT_FOUND"},
	editorial.Gone:         {http.StatusGone, "GONE"},
	editorial.Conflict:     {http.StatusConflict, "CONFLICT"},
	editorial.Mismatch:     {http.StatusUnprocessableEntity, "MISMATCH"},
	editorial.Forbidden:    {http.StatusForbidden, "FORBIDDEN"},
	editorial.Unauthorized: {http.StatusUnauthorized, "UNAUTHORIZED"},
	editorial.Limited:      {http.StatusTooManyRequests, "RATE_LIMITED"},
	editorial.Unavailable:  {http.StatusServiceUnavailable, "UNAVAILABLE"},
	editorial.Full:         {http.StatusInsufficientStorage, "STORAGE_FULL"},
	tooLarge:               {http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE"},
	badMethod:              {http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
	stillMaking:            {http.StatusGatewayTimeout, "TIMEOUT"},
}

// retryAfter is what a client is told when the database or a backend is away:
// long enough for a restart, short enough for an editor.
const retryAfter = "5"

// pauseFor is the pause that an error knows, else the usual one.
func pauseFor(e *editorial.Error) string {
	if seconds, ok := e.Details["retry_after"].(int); ok && seconds > 0 {
		return strconv.Itoa(seconds)
	}
	return retryAfter
}

// Fail writes an error in the envelope. Whatever is not meant for the caller is
// logged and answered as an internal error.
func (a *API) Fail(w http.ResponseWriter, r *http.Request, err error) {
	id := requestID(w)
	e := a.callersError(r, id, err)
	if e == nil {
		writeJSON(w, http.StatusInternalServerError, envelope{
			ErrorCode: "INTERNAL_ERROR", Message: "Internal server error", Detail: "Internal server error",
			Details: map[string]any{}, RequestID: id,
		})
		return
	}
	answer := answers[e.Kind]
	details := map[string]any{}
	for name, v := range e.Details {
		details[name] = v
	}
	if e.Code != "" {
		details["code"] = e.Code
	}
	if e.Field != "" {
		details["field"], details["reason"] = e.Field, e.Message
	}
	if e.Kind == editorial.Unavailable || e.Kind == editorial.Limited {
		w.Header().Set("Retry-After", pauseFor(e))
	}
	writeJSON(w, answer.status, envelope{
		ErrorCode: answer.code, Message: e.Error(), Detail: e.Error(), Details: details, RequestID: id,
	})
}

// callersError is err as the caller may see it, nil when it is our own affair.
func (a *API) callersError(r *http.Request, id string, err error) *editorial.Error {
	var e *editorial.Error
	switch {
	case errors.As(err, &e):
		if _, known := answers[e.Kind]; known {
			return e
		}
	case errors.Is(err, store.ErrNotFound):
		return editorial.NotFoundf("there is no such thing")
	case r.Context().Err() != nil:
		return &editorial.Error{Kind: editorial.Unavailable, Code: "canceled", Message: "the request was given up"}
	case store.IsFull(err):
		a.Log.ErrorContext(r.Context(), "the database's disk is full", "request_id", id, "error", err)
		return &editorial.Error{Kind: editorial.Full, Code: "database_full", Message: "there is no room to store this; nothing was changed"}
	case store.IsUnavailable(err):
		a.Log.ErrorContext(r.Context(), "the database is away", "request_id", id, "error", err)
		return &editorial.Error{Kind: editorial.Unavailable, Code: "database_away", Message: "the database cannot be reached; try again in a moment"}
	}
	a.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "route", r.Pattern, "request_id", id, "error", err)
	return nil
}

// requestIDHeader is set on the answer by the middleware around us.
const requestIDHeader = "X-Request-ID"

func requestID(w http.ResponseWriter) string {
	id := w.Header().Get(requestIDHeader)
	if id == "" {
		id = uuid.NewString()
		w.Header().Set(requestIDHeader, id)
	}
	return id
}

// writeJSON writes an answer. Content is HTML often enough, and JSON is no
// place to escape it.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	// The status is out and the shapes are our own: an error here is a client
	// that hung up.
	_ = enc.Encode(body)
}

func ok(w http.ResponseWriter, body any) error {
	writeJSON(w, http.StatusOK, body)
	return nil
}

// timeLayout is RFC 3339 in UTC with milliseconds: JavaScript reads a time
// without a zone as local.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// isoTime is a time as the front ends read it, null when it is not set.
func isoTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(timeLayout)
	return &s
}

// orNull is s, null when it is empty.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
