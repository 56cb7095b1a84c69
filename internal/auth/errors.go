package auth

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// The site's own words for a 401: its front ends show them.
const (
	missingHeader = "Missing or invalid authorization header"
	invalidToken  = "Invalid or expired token"
	invalidClaims = "Invalid token claims"
)

func unauthorized(code, message string) *editorial.Error {
	return &editorial.Error{Kind: editorial.Unauthorized, Code: code, Message: message}
}

func isCode(err error, code string) bool {
	var e *editorial.Error
	return errors.As(err, &e) && e.Code == code
}

func isKind(err error, kind editorial.Kind) bool {
	var e *editorial.Error
	return errors.As(err, &e) && e.Kind == kind
}

func refuse(w http.ResponseWriter, r *http.Request, fail ErrorFunc, err error) {
	var e *editorial.Error
	if errors.As(err, &e) {
		if e.Kind == editorial.Unauthorized {
			w.Header().Set("WWW-Authenticate", challenge(e.Code))
		}
		if seconds, ok := e.Details["retry_after"].(int); ok {
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
		}
	}
	// What was refused to one caller must not be cached for another.
	w.Header().Set("Cache-Control", "no-store")
	fail(w, r, err)
}

// challenge is RFC 6750's: an error only where a token was sent.
func challenge(code string) string {
	if code == "missing_credentials" {
		return `Bearer realm="frontispiece"`
	}
	return `Bearer realm="frontispiece", error="invalid_token"`
}
