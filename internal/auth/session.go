package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/glad-labs/frontispiece/internal/editorial"
)

// Session is a browser that logged in, as it is kept.
type Session struct {
	Token   string // SHA-256 of the cookie's value, in hex
	Subject string
	Name    string
	KeyID   string // the key that opened it; empty: a user of the site
	Issuer  string // of a user's token: which secret signed it

	// RotatedFor is how long the session has had its present token, and
	// Superseded is true when it was found by the token before. The rows say.
	RotatedFor time.Duration
	Superseded bool
}

// Terms bound a session.
type Terms struct {
	Idle     time.Duration // without a request
	Lifetime time.Duration // in all, whatever is done with it
	Rotate   time.Duration // after which the cookie gets another value
	Grace    time.Duration // for the value before: requests overtake answers
}

// SessionTerms are those of every session: an editor logs in once a working
// day, and a cookie that was copied is worth a quarter of an hour while its
// owner goes on.
var SessionTerms = Terms{Idle: 2 * time.Hour, Lifetime: 12 * time.Hour, Rotate: 15 * time.Minute, Grace: time.Minute}

// SessionRows are the kept sessions.
type SessionRows interface {
	OpenSession(ctx context.Context, s Session) error
	// Session returns the session with a token; ErrUnknown when there is none,
	// or it is over.
	Session(ctx context.Context, token string) (Session, error)
	// RotateSession returns false when another request was first.
	RotateSession(ctx context.Context, token, next string) (bool, error)
	EndSession(ctx context.Context, token string) error
}

// SessionUses records that a session was used just now.
type SessionUses interface {
	TouchSession(ctx context.Context, token string) error
}

// SessionsConfig is what [NewSessions] needs.
type SessionsConfig struct {
	Rows interface {
		SessionRows
		SessionUses
	}
	Keys  *Keys
	Users *JWTConfig // nil: users of the site cannot log in
	Pace  Pace       // nil: log-ins are not counted
	Log   *slog.Logger
}

// Sessions recognises browsers that logged in with an API key or a token of the
// site, by a cookie:
//
//   - HttpOnly, so that no script reads it;
//   - SameSite=Lax, so that no other site's form or picture sends it. Strict
//     would leave it out also when an editor follows a link from a chat or the
//     site's own admin pages, who would seem to be logged out; what Lax lets
//     through are navigations, which change nothing here, and whatever changes
//     something must pass [http.CrossOriginProtection] besides;
//   - Secure and named __Host-, so that neither the network nor a sister domain
//     sets it; but not on localhost, where there is no TLS.
//
// Its value is random, is kept as a digest and changes at each log-in and every
// quarter of an hour. Roles are looked up at every request: revoking a key, or
// taking a user off a list, counts at once.
type Sessions struct {
	SessionsConfig
	users       *siteTokens
	crossOrigin *http.CrossOriginProtection
}

// NewSessions returns Sessions.
func NewSessions(c SessionsConfig) *Sessions {
	s := &Sessions{SessionsConfig: c, crossOrigin: http.NewCrossOriginProtection()}
	if c.Users != nil {
		s.users = newSiteTokens(*c.Users)
	}
	return s
}

// Method recognises the cookie. A cookie whose session is over is no cookie:
// public pages still answer, the others say that a caller is missing.
func (s *Sessions) Method() Method {
	return func(r *http.Request) (*Identity, error) {
		value := cookieOf(r)
		if value == "" {
			return nil, nil
		}
		session, err := s.Rows.Session(r.Context(), digest(value))
		if errors.Is(err, ErrUnknown) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		id, err := s.identity(r.Context(), session)
		if id == nil || err != nil {
			return nil, err
		}
		if err := s.crossOrigin.Check(r); err != nil {
			return nil, &editorial.Error{
				Kind: editorial.Forbidden, Code: "cross_site",
				Message: "another site's page sent this in your name; open it here and send it again",
			}
		}
		s.keepAlive(r, session)
		return id, nil
	}
}

// identity is the caller of a session, nil when what opened it no longer opens
// anything.
func (s *Sessions) identity(ctx context.Context, session Session) (*Identity, error) {
	if session.KeyID == "" {
		if s.users == nil || session.Issuer != s.users.issuer() {
			return nil, nil
		}
		return &Identity{Subject: session.Subject, Name: session.Name, Role: s.users.roleOf(session.Subject), Via: "session"}, nil
	}
	key, err := s.Keys.find(ctx, session.KeyID)
	if errors.Is(err, ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	id, err := s.Keys.open(ctx, key)
	if err != nil {
		return nil, nil // revoked or expired: the session is over with its key
	}
	id.Via = "session"
	return id, nil
}

// keepAlive records the use of a session, and gives it another token when it is
// time to and the answer is nobody else's.
func (s *Sessions) keepAlive(r *http.Request, session Session) {
	if session.Superseded {
		return
	}
	to := answerTo(r)
	if !to.private || session.RotatedFor < SessionTerms.Rotate {
		s.Keys.touches.touch(r.Context(), session.Token, s.Keys.now(), s.Rows.TouchSession)
		return
	}
	next := randomText()
	rotated, err := s.Rows.RotateSession(r.Context(), session.Token, digest(next))
	if err != nil {
		s.Log.WarnContext(r.Context(), "a session keeps its token for now", "error", err)
	}
	if rotated {
		to.header.Add("Set-Cookie", cookie(r, next).String())
	}
}

// The names of the cookie.
const (
	cookieName = "frontispiece"
	secureName = "__Host-" + cookieName
	maxCookie  = 64 // bytes; ours have 52
)

// isSecure is false only on this machine, where browsers may speak plain HTTP.
// Elsewhere a proxy in front speaks TLS; a browser that does not keeps no
// Secure cookie, and the log-in says so.
func isSecure(r *http.Request) bool { return r.TLS != nil || !isLocalHost(r.Host) }

func nameFor(r *http.Request) string {
	if isSecure(r) {
		return secureName
	}
	return cookieName
}

func cookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure everywhere but on localhost, where there is no TLS
		Name: nameFor(r), Value: value, Path: "/", MaxAge: int(SessionTerms.Lifetime.Seconds()),
		HttpOnly: true, Secure: isSecure(r), SameSite: http.SameSiteLaxMode,
	}
}

// cookieOf is the value of our cookie, "" when there is none or it cannot be
// ours. Of two with the same name, which only another site's trick makes, it is
// neither.
func cookieOf(r *http.Request) string {
	all := r.CookiesNamed(nameFor(r))
	if len(all) != 1 || len(all[0].Value) > maxCookie || !isBase32(all[0].Value) {
		return ""
	}
	return all[0].Value
}

// IsSessionCookie reports whether a cookie of this name is ours, which must not
// leave to another server, nor come from one.
func IsSessionCookie(name string) bool {
	return strings.EqualFold(name, cookieName) || strings.EqualFold(name, secureName)
}
