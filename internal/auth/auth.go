// Package auth tells who is calling and what they may do: a chain of ways to
// recognise a caller, three roles, and the middleware that refuses.
//
// Programs are recognised by the site's tokens ([JWT]) or by API keys ([Keys]),
// browsers by the cookie of a log-in ([Sessions]), and where none of these is
// configured everybody on this machine is an operator ([Loopback]).
//
// It denies by default. A caller whom no [Method] recognises has no role, an
// unknown role allows nothing, and a handler reached without the middleware
// finds no identity. It deliberately stores no users: the site does.
//
// A page for people needs little: its handler goes behind
// [Authenticator.Middleware] and [Require] like any other, with an [ErrorFunc]
// that calls [ToLogin] first, which leads a browser that is not logged in to
// [LoginPath] and back. The form there and the way out are [Sessions.Handler]'s;
// a page posts to [LogoutPath] to leave. Cross-site posts never arrive: the
// methods refuse them. [FromContext] tells the page who is looking; Via is
// "session" when there is something to log out of.
//
// The trap: the loopback mode trusts whoever can connect, so it must be certain
// that nobody stands in between. See [Loopback].
package auth

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Role is what a caller may do. Each includes the ones before it.
type Role int

// The roles. The zero Role may nothing.
const (
	Nobody   Role = iota
	Author        // write drafts, ask for pictures, see unpublished ones
	Editor        // approve and reject
	Operator      // retry, take down, the queue dashboard
)

var roleNames = [...]string{"nobody", "author", "editor", "operator"}

func (r Role) String() string {
	if r < Nobody || r > Operator {
		return "unknown"
	}
	return roleNames[r]
}

// ParseRole reads the name of a role that somebody can have.
func ParseRole(name string) (Role, error) {
	for role := Author; role <= Operator; role++ {
		if roleNames[role] == name {
			return role, nil
		}
	}
	return Nobody, fmt.Errorf("%q is no role; write author, editor or operator", name)
}

// Includes reports whether r may do what need demands. Nothing includes Nobody:
// a demand that was never filled in must not let everybody through.
func (r Role) Includes(need Role) bool {
	return need > Nobody && need <= Operator && r >= need && r <= Operator
}

// Identity is a recognised caller.
type Identity struct {
	Subject string // stable id, recorded with what the caller does
	Name    string // for people; may be empty
	Role    Role
	Via     string // the method that recognised the caller: "loopback", "jwt", "key", "session"
}

// May reports whether the caller may do what need demands; a nil Identity may
// nothing.
func (i *Identity) May(need Role) bool { return i != nil && i.Role.Includes(need) }

type contextKey struct{}

// NewContext attaches the caller to ctx.
func NewContext(ctx context.Context, id *Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// FromContext returns the caller, nil when there is none.
func FromContext(ctx context.Context) *Identity {
	id, _ := ctx.Value(contextKey{}).(*Identity)
	return id
}

// Method is one way to recognise a caller. It returns nil and no error when the
// request carries nothing that it reads, so that the next method is asked, and
// an [*editorial.Error] when what it carries is wrong: bad credentials never
// fall through to a more generous method. Any other error is that of a database
// that could not be asked.
type Method func(r *http.Request) (*Identity, error)

// Authenticator asks its methods in order.
type Authenticator []Method

// Identify returns the caller. The error is an [*editorial.Error] of kind
// Unauthorized, Forbidden or Limited, or a database's; a caller whom no method
// recognises is Unauthorized.
func (a Authenticator) Identify(r *http.Request) (*Identity, error) {
	for _, method := range a {
		if id, err := method(r); id != nil || err != nil {
			return id, err
		}
	}
	return nil, unauthorized("missing_credentials", missingHeader)
}

// Recognise is [Authenticator.Identify] for a handler that decides by itself and
// answers nobody but the caller: methods may add headers to the answer, such as
// the next cookie of a session. Middleware does the same.
func (a Authenticator) Recognise(w http.ResponseWriter, r *http.Request) (*Identity, error) {
	return a.Identify(withAnswer(r, w, true))
}

// ErrorFunc writes an error in the envelope of the API that was called.
type ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)

// Middleware lets through only callers that a recognises, with their identity
// in the request's context. An answer of Unauthorized carries the
// WWW-Authenticate header that RFC 9110 demands, so fail need only write the
// status and the body.
func (a Authenticator) Middleware(fail ErrorFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := a.Recognise(w, r)
			if err != nil {
				refuse(w, r, fail, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), id)))
		})
	}
}

// Optional is [Authenticator.Middleware] for pages that are public: a request
// without credentials passes without an identity, one with bad credentials is
// refused all the same, and so is one that the loopback mode distrusts.
func (a Authenticator) Optional(fail ErrorFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := a.Identify(withAnswer(r, w, false))
			if err != nil && !isCode(err, "missing_credentials") {
				refuse(w, r, fail, err)
				return
			}
			if id != nil {
				r = r.WithContext(NewContext(r.Context(), id))
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Require lets through only callers whose role includes need. It goes inside
// [Authenticator.Middleware] or [Authenticator.Optional].
func Require(need Role, fail ErrorFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := Check(r.Context(), need); err != nil {
				refuse(w, r, fail, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Check is [Require] for code that decides by itself: nil when the caller may,
// Unauthorized when there is no caller, Forbidden when the role is too small.
func Check(ctx context.Context, need Role) error {
	id := FromContext(ctx)
	switch {
	case id.May(need):
		return nil
	case id == nil:
		return unauthorized("missing_credentials", missingHeader)
	default:
		return &editorial.Error{
			Kind: editorial.Forbidden, Code: "role_required",
			Message: "this needs the role " + need.String() + " and you are " + article(id.Role) +
				"; " + howToGet(id, need),
			Details: map[string]any{"required_role": need.String(), "role": id.Role.String()},
		}
	}
}

func article(r Role) string {
	switch r {
	case Author, Editor, Operator:
		return "an " + r.String()
	default:
		return r.String()
	}
}

// howToGet says what grants a role: a key has the one that it was made with, a
// user of the site is listed.
func howToGet(id *Identity, need Role) string {
	switch {
	case strings.HasPrefix(id.Subject, keySubject):
		return "an operator can make a key with that role (frontispiece keys create --role " + need.String() + ")"
	case need == Operator:
		return "an operator can list your user id (" + id.Subject + ") in OPERATORS"
	default:
		return "an operator can list your user id (" + id.Subject + ") in EDITORS"
	}
}
