package auth

import (
	"context"
	"net/http"
)

type answerKey struct{}

// answer is what a [Method] may say with the answer to the request that it
// looks at.
type answer struct {
	header http.Header
	// private is true where a caller is demanded, so that no shared cache keeps
	// the answer, nor a cookie in it.
	private bool
}

// withAnswer lets methods add headers to the answer.
func withAnswer(r *http.Request, w http.ResponseWriter, private bool) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), answerKey{}, answer{w.Header(), private}))
}

// answerTo is the zero answer outside of [Authenticator]'s middleware.
func answerTo(r *http.Request) answer {
	a, _ := r.Context().Value(answerKey{}).(answer)
	return a
}

// AnswerHeader is the header of the answer to r, for whoever is asked by an
// [Authenticator]'s middleware; nil elsewhere, and then nothing can be said.
func AnswerHeader(r *http.Request) http.Header { return answerTo(r).header }
