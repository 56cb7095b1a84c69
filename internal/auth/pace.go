package auth

import (
	"net/http"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Pace bounds how often callers call. Its errors are [*editorial.Error]s of
// kind Limited.
type Pace interface {
	// Try is asked before credentials are looked at: an address that has sent
	// many wrong ones may try no others for a while.
	Try(r *http.Request) error
	// Failed says that they were wrong.
	Failed(r *http.Request)
	// Admit counts a request; a caller without credentials is nil. It may tell
	// by [AnswerHeader] how many are left.
	Admit(r *http.Request, caller *Identity) error
}

// Paced makes one method of several that are asked in order, and paces them.
func Paced(p Pace, methods ...Method) Method {
	chain := Authenticator(methods)
	return func(r *http.Request) (*Identity, error) {
		if r.Header.Get("Authorization") != "" {
			if err := p.Try(r); err != nil {
				return nil, err
			}
		}
		id, err := chain.Identify(r)
		switch {
		case isCode(err, "missing_credentials"):
			return nil, p.Admit(r, nil)
		case isKind(err, editorial.Unauthorized):
			p.Failed(r)
			return nil, err
		case err != nil:
			return nil, err
		}
		if err := p.Admit(r, id); err != nil {
			return nil, err
		}
		return id, nil
	}
}
